"""The SQL of a term in a text: whether it is there, how often, and where first. Pure.

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
    # Much faster than an expression, but only where the server folds case as ``folding`` does: else hits would be lost.
    if folding.folds_on_server(needle):
        return sql("positionCaseInsensitiveUTF8({column}, {needle}) > 0", column=column, needle=needle)
    return sql("match({column}, {pattern})", column=column, pattern=folding.pattern(needle))


def contains_all_terms(columns: Sequence[Sql], terms: Sequence[Term]) -> Sql:
    """The condition that each term is a substring of one of the texts, also of a longer word in it."""
    return _each_term_in_any(columns, terms, contains)


def has_trigrams_of_all_terms(columns: Sequence[Sql], terms: Sequence[Term]) -> Sql:
    """The condition that one of the texts has all trigrams of each term, which the text index answers without a text.

    It is true of every text that holds the terms, and of a few that do not. The terms have three characters or more.
    """
    return _each_term_in_any(columns, terms, lambda column, text: sql("hasAllTokens({c}, {text})", c=column, text=text))


def matches_all_terms(columns: Sequence[Sql], terms: Sequence[Term]) -> Sql:
    """The condition that each term stands in one of the texts, and words not only as a part of a longer one."""
    # Substrings first, although they follow from the rest: they are found faster, and rows without them are done.
    whole = [term for term in terms if term.whole]
    return join(" AND ", [contains_all_terms(columns, terms), *(_whole_word_in_any(columns, term) for term in whole)])


def occurrences(column: Sql, term: Term) -> Sql:
    """How often the term stands in the text, no two overlapping.

    Whole words are counted where one begins, less where it goes on: an expression that took the characters on both
    sides would miss every second word of ``no no no``, whose spaces belong to two of them.
    """
    if not term.whole:
        return sql("toInt64(countMatches({column}, {pattern}))", column=column, pattern=term.pattern)
    # A space is put before the text, so that a word at its start has a character before it, too.
    begins = f"[^{joining_class()}]{term.pattern}"
    return sql(
        "toInt64(countMatches(concat(' ', {column}), {begins}) - countMatches(concat(' ', {column}), {goes_on}))",
        column=column,
        begins=begins,
        goes_on=f"{begins}[{joining_class()}]",
    )


def first_hit(column: Sql, terms: Sequence[Term]) -> Sql:
    """The code-point offset of the first hit of any of the terms, from 1; 0 where there is none."""
    # A term that is not there has the position 0, which would be the least. Of an empty array arrayMin is 0.
    hits = join(", ", [_position_of_first(column, term) for term in terms])
    return sql("arrayMin(arrayFilter(hit -> hit > 0, [{hits}]))", hits=hits)


def _whole_word_in_any(columns: Sequence[Sql], term: Term) -> Sql:
    pattern = f"[^{joining_class()}]{term.pattern}[^{joining_class()}]"
    padded = [sql("match(concat(' ', {c}, ' '), {pattern})", c=column, pattern=pattern) for column in columns]
    return sql("({held})", held=join(" OR ", padded))


def _position_of_first(column: Sql, term: Term) -> Sql:
    if term.whole:
        # What is found begins one character before the word, and the padded text one before the column: the offset is
        # right as it is.
        pattern = f"([^{joining_class()}]{term.pattern}[^{joining_class()}])"
        return _position_of_match(sql("concat(' ', {column}, ' ')", column=column), pattern)
    if folding.folds_on_server(term.text):
        return sql("positionCaseInsensitiveUTF8({column}, {text})", column=column, text=term.text)
    return _position_of_match(column, f"({term.pattern})")


def _position_of_match(text: Sql, pattern: str) -> Sql:
    # ``extract`` tells what was found, not where. The same characters cannot stand before it: they would have matched
    # there. Where nothing was found, positionUTF8 of "" is 1: hence the factor.
    found = sql("extract({text}, {pattern})", text=text, pattern=pattern)
    return sql("positionUTF8({text}, {found}) * notEmpty({found})", text=text, found=found)


def _each_term_in_any(columns: Sequence[Sql], terms: Sequence[Term], holds: Callable[[Sql, str], Sql]) -> Sql:
    held = [join(" OR ", [holds(column, term.text) for column in columns]) for term in terms]
    return join(" AND ", [sql("({held})", held=one) for one in held])
