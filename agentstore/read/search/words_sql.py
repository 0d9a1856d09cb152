"""The SQL of a search by words: which rows hold all terms, and how well. Pure.

Rows are ranked by BM25 over the rows that match, of which the newest ``RANKED`` count: the sum over the terms of ``tf *
(k1 + 1) / (tf + k1 * (1 - b + b * length / average))``, with ``tf`` the occurrences of the term in the row's texts,
``length`` their bytes, and ``average`` the mean of that over all ranked rows. The factor of a term's rarity is left
out: every matching row holds every term, so among them it is the same for all. Scores are whole millionths, so that a
cursor compares exactly.
"""

from __future__ import annotations

from collections.abc import Collection

from agentstore.connection.sql import Sql, join, sql
from agentstore.read.conditions import EVERYTHING
from agentstore.read.cursor import WordsCursor
from agentstore.read.floors import moments
from agentstore.read.search import candidates_sql, term_sql
from agentstore.read.search.candidates_sql import Narrowing
from agentstore.read.search.hit_keys import COLUMNS, ORDER, after_key, until_key
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.searched_tables import SearchedTable

# How many rows are ranked: where more match, the newest.
RANKED = 10_000
_K1, _B = 1.2, 0.75


def ranked(
    parsed: ParsedQuery,
    sessions: Sql,
    after: WordsCursor | None,
    *,
    count: int,
    narrowed: Narrowing | None = None,
    cut: Collection[int] = (),
    choose: bool = False,
) -> Sql:
    """The columns of a ``WordsCursor`` for the first rows in order, in sessions that also satisfy ``sessions``.

    ``cut`` are the kinds of rows that have been narrowed to the newest: the last row of each kind is where it is no
    more known which rows there are, and what comes after it is left out. ``choose``: find out first which rows are to
    be ranked, and count the words in those only; it reads their texts twice. Number, mean and end of the ranked rows
    are those of the cursor where there is one, so that a score does not change from page to page.
    """
    return sql(
        "SELECT score, {columns}, total, average, last.1, last.2, last.3, last.4, last.5, last.6 FROM ("
        "SELECT *, toInt64(round(1e6 * arraySum(tf -> tf * ({k1} + 1)"
        " / (tf + {k1} * (1 - {b} + {b} * size / average)), counts))) AS score FROM ("
        "SELECT *, {total} AS total, {average} AS average, argMax(({columns}), place) OVER () AS last FROM ({rows})))"
        " WHERE {after} ORDER BY score DESC, {order} LIMIT {count}",
        columns=COLUMNS,
        k1=_K1,
        b=_B,
        total=after.total if after else sql("count() OVER ()"),
        average=after.average if after else sql("avg(size) OVER ()"),
        rows=_known(_rows(parsed, sessions, after, narrowed, choose=choose, cut=bool(cut)), cut),
        after=_after(after),
        order=ORDER,
        count=count,
    )


def _rows(
    parsed: ParsedQuery,
    sessions: Sql,
    after: WordsCursor | None,
    narrowed: Narrowing | None,
    *,
    choose: bool,
    cut: bool,
) -> Sql:
    """The matching rows with their place in the order of substrings: the first so many, or all where cut."""
    scope = sql("{own} AND {more}", own=parsed.sessions, more=sessions)
    until = until_key(after.last) if after else EVERYTHING
    rows = [
        _counted(parsed, one, _chosen(parsed, one, scope, until, narrowed, _most(after)))
        if choose
        else _counted(parsed, one, candidates_sql.row_condition(parsed, one, scope, narrowed))
        for one in parsed.tables
    ]
    return sql(
        "SELECT *, row_number() OVER (ORDER BY {order}) AS place FROM ("
        "SELECT {columns}, size, counts FROM ({rows}) AS d INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {until}{first})",
        order=ORDER,
        columns=COLUMNS,
        rows=join(" UNION ALL ", rows),
        sessions=moments(parsed.org_id, scope),
        until=until,
        # Where kinds are cut, the last row of each is to be seen, whether it is among the first or not.
        first=sql("") if cut else sql(" ORDER BY {order} LIMIT {most}", order=ORDER, most=_most(after)),
    )


def _known(rows: Sql, cut: Collection[int]) -> Sql:
    if not cut:
        return rows
    last = [sql("max(if(kind = {kind}, place, 0)) OVER ()", kind=kind) for kind in sorted(cut)]
    return sql(
        "SELECT * FROM (SELECT *, {known} AS known FROM ({rows})) WHERE place <= known",
        known=sql("arrayMin([{most}, {last}])", most=RANKED, last=join(", ", last)),
        rows=rows,
    )


def _after(cursor: WordsCursor | None) -> Sql:
    if cursor is None:
        return EVERYTHING
    return sql("(score < {score} OR (score = {score} AND {later}))", score=cursor.score, later=after_key(cursor.key))


def _most(after: WordsCursor | None) -> int:
    """How many of the newest rows are ranked. Those that came since the first page must push none of its rows out; a
    cursor that does not say which they are, though more matched, has them found anew.
    """
    return RANKED if after is None or (after.last is None and after.total >= RANKED) else 2 * RANKED


def _chosen(
    parsed: ParsedQuery, table: SearchedTable, scope: Sql, until: Sql, narrowed: Narrowing | None, most: int
) -> Sql:
    """The condition on a row's key that it is one of the first so many matching rows of its table."""
    return sql(
        "({row}) IN (SELECT {row_of_key} FROM ("
        "SELECT {columns} FROM ({rows}) AS d INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {until} ORDER BY {order} LIMIT {most}))",
        row=table.row,
        row_of_key=table.row_of_key,
        columns=COLUMNS,
        rows=_matching(parsed, table, table.key, candidates_sql.row_condition(parsed, table, scope, narrowed)),
        sessions=moments(parsed.org_id, scope),
        until=until,
        order=ORDER,
        most=most,
    )


def _counted(parsed: ParsedQuery, table: SearchedTable, among: Sql) -> Sql:
    """Rows that hold all terms, with their length and how often they hold each term."""
    columns = table.columns
    counts = [
        sql("({sum})", sum=join(" + ", [term_sql.occurrences(column, term) for column in columns]))
        for term in parsed.terms
    ]
    texts = join(", ", (table.row, *columns))
    # What is counted has been found to match: counting takes many times as long.
    return sql(
        "SELECT {key}, _version, {size} AS size, [{counts}] AS counts FROM ({rows})",
        key=table.key,
        size=join(" + ", [sql("length({column})", column=column) for column in columns]),
        counts=join(", ", counts),
        rows=_matching(parsed, table, texts, among),
    )


def _matching(parsed: ParsedQuery, table: SearchedTable, columns: Sql, among: Sql) -> Sql:
    """These columns of the rows whose newest version holds all terms, and that version."""
    # PREWHERE holds sort key columns only, which all versions of a row share: texts of other rows are not read.
    return sql(
        "SELECT {columns}, _version FROM {table} FINAL PREWHERE org_id = {org_id} AND {among} WHERE {rows} AND {held}",
        columns=columns,
        table=table.sql_name,
        org_id=parsed.org_id,
        among=among,
        rows=table.condition,
        held=term_sql.hold(table.columns, parsed.terms),
    )
