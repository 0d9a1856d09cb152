"""The SQL of candidates: rows that may hold what is looked for, by what the text indexes say. Pure.

All rows that hold it are candidates. So are a few that do not, older versions of a row, and some rows twice. In parts
with an index no text is read for them; in parts without one the texts are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentstore.connection.sql import Sql, join, sql
from agentstore.read.conditions import EVERYTHING
from agentstore.read.cursor import SearchKey
from agentstore.read.search import term_sql
from agentstore.read.search.hit_keys import COLUMNS, ORDER, after_key
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.parts import TableSize, TableSizes
from agentstore.read.search.searched_tables import SearchedTable


@dataclass(frozen=True, slots=True)
class NewestCandidates:
    """The first ``count`` candidates after a key, in the order of hits: the newest ones."""

    after: SearchKey | None
    count: int


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which rows a statement reads. In ``tables`` only candidates: all of them (None), or the newest ones.

    ``sessions``: in all tables only rows of so many of the newest sessions.
    """

    sizes: TableSizes
    tables: Mapping[str, NewestCandidates | None] = field(default_factory=dict)
    sessions: int | None = None


def look_up(parsed: ParsedQuery, table: SearchedTable, sizes: TableSizes, *, keys: int, count: int) -> Sql:
    """One row: the table's number among the searched ones; how many candidates it has, up to ``count``; and the columns
    of the first ``keys`` keys of candidates, in no order.

    In parts without an index at most ``keys`` + 1 are counted: more would be a scan.
    """
    by_index, *by_text = _candidates(parsed, table, sizes, table.key)
    # One more than there are keys: a count up to ``keys`` then says that nothing was cut off, and that all keys are
    # here. Cut at ``keys``, hits would be lost where the planner opens these rows and looks no further.
    few = [sql("SELECT * FROM ({rows}) LIMIT {count}", rows=rows, count=keys + 1) for rows in by_text]
    # In arrays the driver returns ids that are no valid UTF-8 as bytes, of which no statement can be made: one such
    # row, written by somebody else, would end every search that finds it. Repaired like this they open no row.
    # Keys are collected whole. With a groupArray for each column, the call indexes were seen in another order than the
    # rest: such keys open no row, and hits are lost without a word.
    return sql(
        "SELECT {number} AS number, found, arrayMap(key -> toValidUTF8(key.1), keys) AS ids,"
        " arrayMap(key -> key.2, keys) AS positions, arrayMap(key -> toValidUTF8(key.3), keys) AS tools,"
        " arrayMap(key -> key.4, keys) AS indexes FROM ("
        "SELECT count() AS found, groupArray({keys})((session_id, position, tool_use_id, call_index)) AS keys"
        " FROM (SELECT * FROM ({rows}) LIMIT {count}))",
        number=parsed.tables.index(table),
        rows=join(" UNION ALL ", [by_index, *few]),
        keys=keys,
        count=count,
    )


def row_condition(parsed: ParsedQuery, table: SearchedTable, scope: Sql, narrowed: Narrowing | None) -> Sql:
    """The condition on a row's key that its session satisfies ``scope``, and that it is a candidate where narrowed.

    It names columns of the sort key only, so that it can stand in PREWHERE.
    """
    in_scope = sql(
        "session_id IN (SELECT id FROM sessions FINAL WHERE {scope}{newest})",
        scope=scope,
        newest=_limit_to_newest(narrowed.sessions if narrowed else None),
    )
    if narrowed is None or table.name not in narrowed.tables:
        return in_scope
    newest, row = narrowed.tables[table.name], table.row
    if newest is not None:
        # No condition on the sessions: the newest were chosen among those, and every search ends with a join with them.
        return sql(
            "({row}) IN ({rows})", row=row, rows=_newest_candidates(parsed, table, scope, narrowed.sizes, newest)
        )
    return sql(
        "{in_scope} AND ({row}) IN ({rows})",
        in_scope=in_scope,
        row=row,
        rows=join(" UNION ALL ", _candidates(parsed, table, narrowed.sizes, row)),
    )


def _newest_candidates(
    parsed: ParsedQuery, table: SearchedTable, scope: Sql, sizes: TableSizes, newest: NewestCandidates
) -> Sql:
    """The rows of the first candidates after the key, in order."""
    # DISTINCT: old versions of one row would use up the count, and fewer rows would be checked than were planned.
    return sql(
        "SELECT {row} FROM (SELECT DISTINCT {columns} FROM ({rows}) AS c INNER JOIN ("
        "SELECT id, toUnixTimestamp64Micro(started_at) AS moment FROM sessions FINAL WHERE {scope}"
        ") AS s ON s.id = session_id WHERE {after} ORDER BY {order} LIMIT {count})",
        row=table.row_of_key,
        columns=COLUMNS,
        rows=join(" UNION ALL ", _candidates(parsed, table, sizes, table.key)),
        scope=scope,
        after=after_key(newest.after),
        order=ORDER,
        count=newest.count,
    )


def _limit_to_newest(sessions: int | None) -> Sql:
    if sessions is None:
        return sql("")
    return sql(" ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}", count=sessions)


def _candidates(parsed: ParsedQuery, table: SearchedTable, sizes: TableSizes, columns: Sql) -> list[Sql]:
    """These columns of the candidates: by the index, and by the texts of parts that have none.

    Where sessions are filtered only their candidates: the others would be counted and opened in vain.
    """
    # Without FINAL, so old versions of a row are candidates, too. Each later step asks the newest version again: else a
    # text that was replaced would be found.
    own = sql("session_id IN (SELECT id FROM sessions FINAL WHERE {own})", own=parsed.sessions)
    return [
        sql(
            "SELECT {columns} FROM {table} WHERE org_id = {org_id} AND {own} AND {rows} AND {condition}",
            columns=columns,
            own=own if parsed.filtered else EVERYTHING,
            table=table.sql_name,
            org_id=parsed.org_id,
            rows=table.condition,
            condition=condition,
        )
        for condition in _candidate_conditions(parsed, table.columns, sizes[table.name])
    ]


def _candidate_conditions(parsed: ParsedQuery, columns: Sequence[Sql], table: TableSize) -> list[Sql]:
    """Conditions that find all candidates between them: by the index, and by the texts of parts that have none.

    Each is asked of the parts that are there at that moment, and a merge may have made others since the parts were
    listed. So neither names the parts it reads, but those it leaves to the other: a part that is on neither list is
    read by both. If both named what they read, nobody would read it, and its hits would be lost.
    """
    tokens = term_sql.has_trigrams_of_all_terms(columns, parsed.indexed)
    if not table.unindexed:
        return [tokens]
    # All terms here, also those too short for the index: the texts are read anyway.
    texts = term_sql.contains_all_terms(columns, parsed.terms)
    return [
        sql("_part NOT IN {parts} AND {tokens}", parts=table.unindexed, tokens=tokens),
        sql("_part NOT IN {parts} AND {texts}", parts=table.indexed, texts=texts) if table.indexed else texts,
    ]
