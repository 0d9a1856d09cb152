"""The SQL of candidates: rows that may hold what is looked for, by what the text indexes say. Pure.

Candidates are all rows that hold it, and a few that do not, or did once, or come twice. No text is read where a part
has an index; where it has none its texts are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentstore.connection.sql import Sql, join, sql
from agentstore.read.cursor import SearchKey
from agentstore.read.search import terms
from agentstore.read.search.parts import Table, Tables
from agentstore.read.search.rows import COLUMNS, EVERYTHING, ORDER, Searched, after_key
from agentstore.read.search.words import Term

# Shorter texts have no trigram, so the index says nothing about them.
INDEXED_LENGTH = 3


@dataclass(frozen=True, slots=True)
class Target:
    """What is looked for: all of these terms in one row; and where: in rows of these tables, in these sessions.

    ``sessions`` is the condition on sessions, which are one organisation's; ``filtered``: only some of these.
    """

    org_id: str
    terms: tuple[Term, ...]
    sessions: Sql
    tables: tuple[Searched, ...]
    filtered: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The tables' names."""
        return tuple(one.texts.name for one in self.tables)

    @property
    def indexed(self) -> tuple[Term, ...]:
        """The terms that an index says something about."""
        return tuple(term for term in self.terms if len(term.text) >= INDEXED_LENGTH)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest candidates after a key, so many."""

    after: SearchKey | None
    count: int


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Of these tables only candidates are read: all of them, or the newest ones.

    ``sessions``: of all tables only rows of so many of the newest sessions are read.
    """

    tables: Tables
    of: Mapping[str, Newest | None] = field(default_factory=dict)
    sessions: int | None = None


def look(target: Target, searched: Searched, tables: Tables, *, keys: int, count: int) -> Sql:
    """The number of the table among the target's; how many candidates it has, up to ``count``; and the columns of the
    first ``keys`` keys of theirs, in no order.

    Of parts without an index one more than ``keys`` count at most: more would be a scan.
    """
    by_index, *by_text = _candidates(target, searched, tables, searched.texts.key)
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
        number=target.tables.index(searched),
        rows=join(" UNION ALL ", [by_index, *few]),
        keys=keys,
        count=count,
    )


def among(target: Target, searched: Searched, scope: Sql, narrowed: Narrowed | None) -> Sql:
    """The condition on a row's key that its session satisfies ``scope``, and that it is a candidate where narrowed.

    The sessions of the newest candidates are left to the join that every search ends with.
    """
    in_scope = sql(
        "session_id IN (SELECT id FROM sessions FINAL WHERE {scope}{newest})",
        scope=scope,
        newest=_first(narrowed.sessions if narrowed else None),
    )
    if narrowed is None or searched.texts.name not in narrowed.of:
        return in_scope
    newest, row = narrowed.of[searched.texts.name], searched.texts.row
    if newest is not None:
        return sql("({row}) IN ({rows})", row=row, rows=_newest(target, searched, scope, narrowed.tables, newest))
    return sql(
        "{in_scope} AND ({row}) IN ({rows})",
        in_scope=in_scope,
        row=row,
        rows=join(" UNION ALL ", _candidates(target, searched, narrowed.tables, row)),
    )


def _newest(target: Target, searched: Searched, scope: Sql, tables: Tables, newest: Newest) -> Sql:
    """The rows of the first candidates after the key, in order."""
    return sql(
        "SELECT {row} FROM (SELECT DISTINCT {columns} FROM ({rows}) AS c INNER JOIN ("
        "SELECT id, toUnixTimestamp64Micro(started_at) AS moment FROM sessions FINAL WHERE {scope}"
        ") AS s ON s.id = session_id WHERE {after} ORDER BY {order} LIMIT {count})",
        row=searched.texts.row_of_key,
        columns=COLUMNS,
        rows=join(" UNION ALL ", _candidates(target, searched, tables, searched.texts.key)),
        scope=scope,
        after=after_key(newest.after),
        order=ORDER,
        count=newest.count,
    )


def _first(sessions: int | None) -> Sql:
    if sessions is None:
        return Sql("")
    return sql(" ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}", count=sessions)


def _candidates(target: Target, searched: Searched, tables: Tables, columns: Sql) -> list[Sql]:
    """These columns of the candidates: by the index, and those of parts that have none. Where sessions are filtered
    only theirs: the others would be counted and opened in vain.
    """
    texts = searched.texts
    own = sql("session_id IN (SELECT id FROM sessions FINAL WHERE {own})", own=target.sessions)
    return [
        sql(
            "SELECT {columns} FROM {table} WHERE org_id = {org_id} AND {own} AND {rows} AND {condition}",
            columns=columns,
            own=own if target.filtered else EVERYTHING,
            table=texts.table,
            org_id=target.org_id,
            rows=searched.rows,
            condition=condition,
        )
        for condition in _conditions(target, texts.columns, tables[texts.name])
    ]


def _conditions(target: Target, columns: Sequence[Sql], table: Table) -> list[Sql]:
    """Conditions that find the candidates together: by the index, and by the texts of parts that have none.

    Each is asked of the parts that there are at its moment, and a merge may come in between. So neither names the parts
    it looks at, but those it leaves to the other: a part that is new to both is looked at by both.
    """
    tokens = terms.index_may_hold(columns, target.indexed)
    if not table.unindexed:
        return [tokens]
    texts = terms.may_hold(columns, target.terms)
    return [
        sql("_part NOT IN {parts} AND {tokens}", parts=table.unindexed, tokens=tokens),
        sql("_part NOT IN {parts} AND {texts}", parts=table.indexed, texts=texts) if table.indexed else texts,
    ]
