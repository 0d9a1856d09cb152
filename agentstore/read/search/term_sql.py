"""The SQL of a term in a text: whether it may be there, how often it is, and where first. Pure.

A whole word has no word character before and after it. RE2 cannot look at a character without taking it, and its
``\\b`` knows ASCII only, so the texts are padded with spaces and the characters beside the word are taken with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentstore.connection.sql import Sql, join, sql
from agentstore.read.search import folding
from agentstore.read.search.tokens import Term, joining_class


def contains(column: Sql, needle: str) -> Sql:
    """The condition that a text contains the needle."""
    if folding.folds_on_server(needle):
        return sql("positionCaseInsensitiveUTF8({column}, {needle}) > 0", column=column, needle=needle)
    return sql("match({column}, {pattern})", column=column, pattern=folding.pattern(needle))


def may_hold(columns: Sequence[Sql], terms: Sequence[Term]) -> Sql:
    """The condition that each term is a substring of one of the texts, which is cheaper to ask than ``occurrences``."""
    return _all_in_any(columns, terms, contains)


def index_may_hold(columns: Sequence[Sql], terms: Sequence[Term]) -> Sql:
    """The same by what the text indexes say, for terms that are long enough for them."""
    return _all_in_any(columns, terms, lambda column, text: sql("hasAllTokens({c}, {text})", c=column, text=text))


def hold(columns: Sequence[Sql], terms: Sequence[Term]) -> Sql:
    """The condition that each term stands in one of the texts, whole words as such; a superset is asked first."""
    whole = [term for term in terms if term.whole]
    return join(" AND ", [may_hold(columns, terms), *(_any(columns, term) for term in whole)])


def occurrences(column: Sql, term: Term) -> Sql:
    """How often the term stands in the text, no two overlapping.

    Whole words are counted where one begins, less where it goes on: an expression that took the characters on both
    sides would miss every second word of ``no no no``, whose spaces belong to two of them.
    """
    if not term.whole:
        return sql("toInt64(countMatches({column}, {pattern}))", column=column, pattern=term.pattern)
    begins = f"[^{joining_class()}]{term.pattern}"
    return sql(
        "toInt64(countMatches(concat(' ', {column}), {begins}) - countMatches(concat(' ', {column}), {goes_on}))",
        column=column,
        begins=begins,
        goes_on=f"{begins}[{joining_class()}]",
    )


def first_hit(column: Sql, terms: Sequence[Term]) -> Sql:
    """The code-point offset of the first hit of any of the terms, from 1; 0 where there is none."""
    hits = join(", ", [_first(column, term) for term in terms])
    return sql("arrayMin(arrayFilter(hit -> hit > 0, [{hits}]))", hits=hits)


def _any(columns: Sequence[Sql], term: Term) -> Sql:
    pattern = f"[^{joining_class()}]{term.pattern}[^{joining_class()}]"
    padded = [sql("match(concat(' ', {c}, ' '), {pattern})", c=column, pattern=pattern) for column in columns]
    return sql("({held})", held=join(" OR ", padded))


def _first(column: Sql, term: Term) -> Sql:
    if term.whole:
        # In the padded text the hit begins one later, and what is found one earlier: the offsets are the column's.
        pattern = f"([^{joining_class()}]{term.pattern}[^{joining_class()}])"
        return _position(sql("concat(' ', {column}, ' ')", column=column), pattern)
    if folding.folds_on_server(term.text):
        return sql("positionCaseInsensitiveUTF8({column}, {text})", column=column, text=term.text)
    return _position(column, f"({term.pattern})")


def _position(text: Sql, pattern: str) -> Sql:
    found = sql("extract({text}, {pattern})", text=text, pattern=pattern)
    return sql("positionUTF8({text}, {found}) * notEmpty({found})", text=text, found=found)


def _all_in_any(columns: Sequence[Sql], terms: Sequence[Term], holds: Callable[[Sql, str], Sql]) -> Sql:
    held = [join(" OR ", [holds(column, term.text) for column in columns]) for term in terms]
    return join(" AND ", [sql("({held})", held=one) for one in held])
