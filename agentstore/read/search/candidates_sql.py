"""The SQL of candidates: rows that may hold what is looked for, by what the text indexes say. Pure.

Candidates are all rows that hold it, and a few that do not, or did once, or come twice. No text is read where a part
has an index; where it has none its texts are.
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
    """The newest candidates after a key, so many."""

    after: SearchKey | None
    count: int


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Of these tables only candidates are read: all of them, or the newest ones.

    ``sessions``: of all tables only rows of so many of the newest sessions are read.
    """

    sizes: TableSizes
    of: Mapping[str, NewestCandidates | None] = field(default_factory=dict)
    sessions: int | None = None


def look_up(parsed: ParsedQuery, table: SearchedTable, sizes: TableSizes, *, keys: int, count: int) -> Sql:
    """One row: the table's number among the searched ones; how many candidates it has, up to ``count``; and the columns
    of the first ``keys`` keys of candidates, in no order.

    Of parts without an index one more than ``keys`` count at most: more would be a scan.
    """
    by_index, *by_text = _candidates(parsed, table, sizes, table.key)
    few = [sql("SELECT * FROM ({rows}) LIMIT {count}", rows=rows, count=keys + 1) for rows in by_text]
    # Ids that are no text, which others may have written, are read as in every other column: they open no row.
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

    The sessions of the newest candidates are left to the join that every search ends with.
    """
    in_scope = sql(
        "session_id IN (SELECT id FROM sessions FINAL WHERE {scope}{newest})",
        scope=scope,
        newest=_first(narrowed.sessions if narrowed else None),
    )
    if narrowed is None or table.name not in narrowed.of:
        return in_scope
    newest, row = narrowed.of[table.name], table.row
    if newest is not None:
        return sql("({row}) IN ({rows})", row=row, rows=_newest(parsed, table, scope, narrowed.sizes, newest))
    return sql(
        "{in_scope} AND ({row}) IN ({rows})",
        in_scope=in_scope,
        row=row,
        rows=join(" UNION ALL ", _candidates(parsed, table, narrowed.sizes, row)),
    )


def _newest(parsed: ParsedQuery, table: SearchedTable, scope: Sql, sizes: TableSizes, newest: NewestCandidates) -> Sql:
    """The rows of the first candidates after the key, in order."""
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


def _first(sessions: int | None) -> Sql:
    if sessions is None:
        return sql("")
    return sql(" ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}", count=sessions)


def _candidates(parsed: ParsedQuery, table: SearchedTable, sizes: TableSizes, columns: Sql) -> list[Sql]:
    """These columns of the candidates: by the index, and those of parts that have none. Where sessions are filtered
    only theirs: the others would be counted and opened in vain.
    """
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
        for condition in _conditions(parsed, table.columns, sizes[table.name])
    ]


def _conditions(parsed: ParsedQuery, columns: Sequence[Sql], table: TableSize) -> list[Sql]:
    """Conditions that find the candidates together: by the index, and by the texts of parts that have none.

    Each is asked of the parts that there are at its moment, and a merge may come in between. So neither names the parts
    it looks at, but those it leaves to the other: a part that is new to both is looked at by both.
    """
    tokens = term_sql.index_may_hold(columns, parsed.indexed)
    if not table.unindexed:
        return [tokens]
    texts = term_sql.may_hold(columns, parsed.terms)
    return [
        sql("_part NOT IN {parts} AND {tokens}", parts=table.unindexed, tokens=tokens),
        sql("_part NOT IN {parts} AND {texts}", parts=table.indexed, texts=texts) if table.indexed else texts,
    ]
