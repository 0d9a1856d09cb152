"""The SQL of a search by words: which rows hold all terms, and how well. Pure.

Rows are ranked by BM25 over the rows that match: the sum over the terms of ``tf * (k1 + 1) / (tf + k1 * (1 - b + b *
length / average))``, with ``tf`` the occurrences of the term in the row's texts, ``length`` their bytes, and
``average`` the mean of that over all matching rows. The factor of a term's rarity is left out: every matching row
holds every term, so among them it is the same for all. Scores are whole millionths, so that a cursor compares exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentstore.connection.sql import Sql, join, sql
from agentstore.read import terms
from agentstore.read.cursor import WordsCursor
from agentstore.read.floors import moments
from agentstore.read.hits import (
    COLUMNS,
    EVERYTHING,
    INDEXED_LENGTH,
    MESSAGES,
    ORDER,
    TOOL_CALLS,
    Texts,
    after_key,
    by_index,
)
from agentstore.read.words import Term

_K1, _B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Wanted:
    """The terms that are looked for, and where: in the sessions of one organisation that satisfy ``sessions``.

    ``unindexed`` names the parts of each table that have no text index; None where there are no indexes at all.
    """

    org_id: str
    terms: tuple[Term, ...]
    sessions: Sql
    unindexed: Mapping[str, Sequence[str]] | None = None

    def indexable(self) -> tuple[Term, ...]:
        """The terms that an index says something about."""
        return tuple(term for term in self.terms if len(term.text) >= INDEXED_LENGTH)


def ranked(wanted: Wanted, after: WordsCursor | None, *, count: int) -> Sql:
    """Score, key, number of matching rows and their average length, for the first rows in order.

    The last two are those of the cursor where there is one, so that a score does not change from page to page.
    """
    return sql(
        "SELECT score, {columns}, total, average FROM ("
        "SELECT *, toInt64(round(1e6 * arraySum(tf -> tf * ({k1} + 1)"
        " / (tf + {k1} * (1 - {b} + {b} * size / average)), counts))) AS score FROM ("
        "SELECT *, {total} AS total, {average} AS average FROM ({messages} UNION ALL {tools}) AS d INNER JOIN ("
        "{sessions}) AS s ON s.id = session_id WHERE _version >= floor))"
        " WHERE {after} ORDER BY score DESC, {order} LIMIT {count}",
        columns=COLUMNS,
        k1=_K1,
        b=_B,
        total=after.total if after else Sql("count() OVER ()"),
        average=after.average if after else Sql("avg(size) OVER ()"),
        messages=_matching(MESSAGES, wanted),
        tools=_matching(TOOL_CALLS, wanted),
        sessions=moments(wanted.org_id, wanted.sessions),
        after=_after(after),
        order=ORDER,
        count=count,
    )


def _after(cursor: WordsCursor | None) -> Sql:
    if cursor is None:
        return EVERYTHING
    return sql("(score < {score} OR (score = {score} AND {later}))", score=cursor.score, later=after_key(cursor.key))


def _matching(texts: Texts, wanted: Wanted) -> Sql:
    """Rows whose newest version holds all terms, with their length and how often they hold each term."""
    counts = [
        sql("({sum})", sum=join(" + ", [terms.occurrences(column, term) for column in texts.columns]))
        for term in wanted.terms
    ]
    # PREWHERE holds sort key columns only, which all versions of a row share: texts of other rows are not read.
    return sql(
        "SELECT {key}, _version, {size} AS size, [{counts}] AS counts FROM {table} FINAL PREWHERE org_id = {org_id}"
        " AND session_id IN (SELECT id FROM sessions FINAL WHERE {sessions}) AND {candidate}"
        " WHERE {may_hold} AND NOT has(counts, 0)",
        key=texts.key,
        size=join(" + ", [sql("length({column})", column=column) for column in texts.columns]),
        counts=join(", ", counts),
        table=texts.table,
        org_id=wanted.org_id,
        sessions=wanted.sessions,
        candidate=_candidate(texts, wanted),
        may_hold=terms.may_hold(texts.columns, wanted.terms),
    )


def _candidate(texts: Texts, wanted: Wanted) -> Sql:
    """The condition on a row's key that a version of it may hold all terms."""
    if wanted.unindexed is None or not wanted.indexable():
        return EVERYTHING
    conditions = by_index(
        terms.index_may_hold(texts.columns, wanted.indexable()),
        terms.may_hold(texts.columns, wanted.terms),
        wanted.unindexed.get(texts.table.text, ()),
    )
    rows = [
        sql(
            "SELECT {row} FROM {table} WHERE org_id = {org_id} AND {condition}",
            row=texts.row,
            table=texts.table,
            org_id=wanted.org_id,
            condition=condition,
        )
        for condition in conditions
    ]
    return sql("{row} IN ({rows})", row=texts.row, rows=join(" UNION ALL ", rows))
