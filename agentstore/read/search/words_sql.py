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
    cut_kinds: Collection[int] = (),
    in_two_reads: bool = False,
) -> Sql:
    """The columns of a ``WordsCursor`` for the first ``count`` rows, in sessions that also satisfy ``sessions``.

    ``cut_kinds`` are the kinds of rows of which only the newest candidates are read: what comes after the last row of
    such a kind is left out, because rows may be missing there. ``in_two_reads``: find out first which rows are to be
    ranked, and count the words in those only; their texts are read twice.
    """
    # Number and mean are the cursor's where there is one: a score that changed from page to page would show rows twice
    # or not at all. All windows span the ranked rows, before ``after`` takes those of earlier pages away.
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
        rows=_complete_rows(
            _rows_in_order(parsed, sessions, after, narrowed, in_two_reads=in_two_reads, cut=bool(cut_kinds)),
            cut_kinds,
        ),
        after=_after_cursor(after),
        order=ORDER,
        count=count,
    )


def _rows_in_order(
    parsed: ParsedQuery,
    sessions: Sql,
    after: WordsCursor | None,
    narrowed: Narrowing | None,
    *,
    in_two_reads: bool,
    cut: bool,
) -> Sql:
    """The matching rows with their place in the order of hits: the first ones that are ranked, or all where ``cut``."""
    scope = sql("{own} AND {more}", own=parsed.sessions, more=sessions)
    until = until_key(after.last) if after else EVERYTHING
    rows = [
        _with_counts(
            parsed, one, _is_among_newest_matching(parsed, one, scope, until, narrowed, _how_many_ranked(after))
        )
        if in_two_reads
        else _with_counts(parsed, one, candidates_sql.row_condition(parsed, one, scope, narrowed))
        for one in parsed.tables
    ]
    return sql(
        "SELECT *, row_number() OVER (ORDER BY {order}) AS place FROM ("
        "SELECT {columns}, size, counts FROM ({rows}) AS d INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {own} AND {until}{first})",
        order=ORDER,
        columns=COLUMNS,
        rows=join(" UNION ALL ", rows),
        sessions=moments(parsed.org_id, scope),
        own=parsed.own,
        until=until,
        # ``_complete_rows`` has to see the last row of each kind, also where it is not among the first: a kind without
        # one it takes for a kind of which nothing is known.
        first=sql("") if cut else sql(" ORDER BY {order} LIMIT {most}", order=ORDER, most=_how_many_ranked(after)),
    )


def _complete_rows(rows: Sql, cut_kinds: Collection[int]) -> Sql:
    """The rows before which none is missing, RANKED at most: as ``_complete_prefix`` in ``substring_search``."""
    if not cut_kinds:
        return rows
    last = [sql("max(if(kind = {kind}, place, 0)) OVER ()", kind=kind) for kind in sorted(cut_kinds)]
    return sql(
        "SELECT * FROM (SELECT *, {known} AS known FROM ({rows})) WHERE place <= known",
        known=sql("arrayMin([{most}, {last}])", most=RANKED, last=join(", ", last)),
        rows=rows,
    )


def _after_cursor(cursor: WordsCursor | None) -> Sql:
    if cursor is None:
        return EVERYTHING
    return sql("(score < {score} OR (score = {score} AND {later}))", score=cursor.score, later=after_key(cursor.key))


def _how_many_ranked(after: WordsCursor | None) -> int:
    """How many of the newest rows are ranked: RANKED on the first page, room for as many new ones on the others."""
    # Rows that came since the first page are newer. With RANKED again they would push rows of the first page out of the
    # ranking before their page is shown. A cursor that says that more matched, but not where the ranked ones end, is
    # not of this version: for it they are found anew.
    return RANKED if after is None or (after.last is None and after.total >= RANKED) else 2 * RANKED


def _is_among_newest_matching(
    parsed: ParsedQuery, table: SearchedTable, scope: Sql, until: Sql, narrowed: Narrowing | None, most: int
) -> Sql:
    """The condition on a row's key that it is one of the first ``most`` matching rows of its table."""
    # As many of each table as are ranked of both: the newest rows may all be of one.
    return sql(
        "({row}) IN (SELECT {row_of_key} FROM ("
        "SELECT {columns} FROM ({rows}) AS d INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {own} AND {until} ORDER BY {order} LIMIT {most}))",
        row=table.row,
        row_of_key=table.row_of_key,
        columns=COLUMNS,
        rows=_matching_rows(parsed, table, table.key, candidates_sql.row_condition(parsed, table, scope, narrowed)),
        sessions=moments(parsed.org_id, scope),
        own=parsed.own,
        until=until,
        order=ORDER,
        most=most,
    )


def _with_counts(parsed: ParsedQuery, table: SearchedTable, among: Sql) -> Sql:
    """Rows that hold all terms, with their length and how often they hold each term."""
    columns = table.columns
    counts = [
        sql("({sum})", sum=join(" + ", [term_sql.occurrences(column, term) for column in columns]))
        for term in parsed.terms
    ]
    texts = join(", ", (table.row, *columns))
    # Counting takes many times as long as matching. So it stands outside, and is done for rows that match only.
    return sql(
        "SELECT {key}, _version, {size} AS size, [{counts}] AS counts FROM ({rows})",
        key=table.key,
        size=join(" + ", [sql("length({column})", column=column) for column in columns]),
        counts=join(", ", counts),
        rows=_matching_rows(parsed, table, texts, among),
    )


def _matching_rows(parsed: ParsedQuery, table: SearchedTable, columns: Sql, among: Sql) -> Sql:
    """These columns of the rows whose newest version holds all terms, and that version."""
    # In PREWHERE only columns of the sort key; see ``substring_sql``.
    return sql(
        "SELECT {columns}, _version FROM {table} FINAL PREWHERE org_id = {org_id} AND {among} WHERE {rows} AND {held}",
        columns=columns,
        table=table.sql_name,
        org_id=parsed.org_id,
        among=among,
        rows=table.condition,
        held=term_sql.matches_all_terms(table.columns, parsed.terms),
    )
