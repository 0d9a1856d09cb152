"""The SQL of search: which rows may hold a needle, which do, and in which order. Pure.

A hit is named by its key: ``(moment, session_id, position, kind, tool_use_id, call_index)``, where ``moment`` is the
session's start in microseconds (None without one), ``position`` the message's ordinal, and ``kind`` 0 for a message and
1 for a tool call. The order of hits is moment descending, None last, session_id descending, and the rest ascending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentstore.connection.sql import Sql, join, sql
from agentstore.read import folding
from agentstore.read.cursor import SearchKey
from agentstore.read.floors import above_floors, moments

MESSAGE, TOOL = 0, 1

ORDER = Sql("moment DESC NULLS LAST, session_id DESC, position, kind, tool_use_id, call_index")
COLUMNS = Sql("moment, session_id, position, kind, tool_use_id, call_index")
EVERYTHING = Sql("1")
NOTHING = Sql("")
# Shorter needles have no trigram, so the index says nothing about them.
INDEXED_LENGTH = 3
# Settings of a statement that reads many texts, for blocks larger than the usual 1 MB: granules are small, for single
# rows, and the server compiles a regular expression once per block, which can take longer than its use.
SCAN = {"preferred_block_size_bytes": 8 << 20}


@dataclass(frozen=True, slots=True)
class Texts:
    """A table whose texts are searched."""

    table: Sql
    key: Sql
    row: Sql
    columns: tuple[Sql, ...]


MESSAGES = Texts(
    Sql("messages"),
    Sql("session_id, ordinal AS position, 0 AS kind, '' AS tool_use_id, toUInt32(0) AS call_index"),
    Sql("(session_id, ordinal)"),
    (Sql("content"),),
)
TOOL_CALLS = Texts(
    Sql("tool_calls"),
    Sql("session_id, message_ordinal AS position, 1 AS kind, tool_use_id, call_index"),
    Sql("(session_id, message_ordinal, tool_use_id, call_index)"),
    (Sql("input_json"), Sql("result_content")),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is looked for, and where: in the sessions of one organisation that satisfy ``sessions``.

    ``unindexed`` names the parts of each table that have no text index: written a moment ago, or before there was one.
    """

    org_id: str
    needle: str
    sessions: Sql
    unindexed: Mapping[str, Sequence[str]] = field(default_factory=dict)


def contains(column: Sql, needle: str) -> Sql:
    """The condition that a text contains the needle."""
    if folding.folds_on_server(needle):
        return sql("positionCaseInsensitiveUTF8({column}, {needle}) > 0", column=column, needle=needle)
    return sql("match({column}, {pattern})", column=column, pattern=folding.pattern(needle))


def after_key(key: SearchKey | None) -> Sql:
    """The condition on a key's columns that it comes after this one; None is before everything."""
    if key is None:
        return EVERYTHING
    moment, session_id, *rest = key
    later = sql(
        "(session_id < {id} OR (session_id = {id} AND (position, kind, tool_use_id, call_index) > {rest}))",
        id=session_id,
        rest=tuple(rest),
    )
    return _later(Sql("moment"), moment, later)


def from_session(moment: int | None, session_id: str, *, included: bool) -> Sql:
    """The condition on a session's columns that it comes after this one, or is it where ``included``."""
    later = sql("id <= {id}" if included else "id < {id}", id=session_id)
    return _later(Sql("toUnixTimestamp64Micro(started_at)"), moment, later)


def candidates(target: Target, after: SearchKey | None, *, count: int, skip: int = 0) -> Sql:
    """Keys of rows that may hold the needle, in order: all that do, and a few that do not or are out of date.

    No text is read where there is an index: what the index says is enough.
    """
    return sql(
        "WITH found AS ({found}) SELECT DISTINCT {columns} FROM found INNER JOIN ("
        "SELECT id, toUnixTimestamp64Micro(started_at) AS moment FROM sessions FINAL WHERE {sessions}"
        " AND id IN (SELECT session_id FROM found)) AS s ON s.id = session_id"
        " WHERE {after} ORDER BY {order} LIMIT {count} OFFSET {skip}",
        found=join(" UNION ALL ", _candidate_rows(target)),
        columns=COLUMNS,
        sessions=target.sessions,
        after=after_key(after),
        order=ORDER,
        count=count,
        skip=skip,
    )


def verified(target: Target, keys: Sequence[SearchKey]) -> Sql:
    """Which of the keys, without their moment, hold the needle in the newest version of their row."""
    sessions = sql("session_id IN {ids}", ids=tuple({key[1] for key in keys}))
    seen = above_floors(target.org_id, among=sessions)
    parts = [
        _exact(texts, target, sql("{row} IN {keys}", row=texts.row, keys=rows), seen) for texts, rows in by_table(keys)
    ]
    return join(" UNION ALL ", parts)


def hits(target: Target, sessions: Sql, after: SearchKey | None, *, count: int) -> Sql:
    """The first keys, in order, of all hits in the sessions that also satisfy ``sessions``. Reads all their texts."""
    scope = sql("{own} AND {more}", own=target.sessions, more=sessions)
    among = sql("session_id IN (SELECT id FROM sessions FINAL WHERE {scope})", scope=scope)
    return sql(
        "SELECT {columns} FROM ({messages} UNION ALL {tools}) AS h INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {after} ORDER BY {order} LIMIT {count}",
        columns=COLUMNS,
        messages=_exact(MESSAGES, target, among, also=Sql(", _version")),
        tools=_exact(TOOL_CALLS, target, among, also=Sql(", _version")),
        sessions=moments(target.org_id, scope),
        after=after_key(after),
        order=ORDER,
        count=count,
    )


def among(session_ids: tuple[str, ...]) -> Sql:
    """The condition on a session's columns that it is one of these."""
    return sql("id IN {ids}", ids=session_ids)


def newest_sessions(target: Target, sessions: Sql, *, count: int) -> Sql:
    """Moment and id of the first sessions, in order, that also satisfy ``sessions``, and how many do."""
    return sql(
        "SELECT toUnixTimestamp64Micro(started_at), id, count() OVER () FROM sessions FINAL WHERE {own} AND {more}"
        " ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}",
        own=target.sessions,
        more=sessions,
        count=count,
    )


def unindexed_parts() -> Sql:
    """Table and name of the parts without a text index, and perhaps some tiny ones that have one.

    The other skip index, the range of versions, holds two numbers for every 64 granules. What is larger has a text
    index as well.
    """
    return sql(
        "SELECT table, name FROM system.parts WHERE database = currentDatabase() AND active"
        " AND table IN ('messages', 'tool_calls')"
        " AND secondary_indices_uncompressed_bytes <= 16 * (intDiv(marks, 64) + 1)"
    )


def text_indexes() -> Sql:
    """How many text indexes the searched tables have; 0 beside indexes that are not ours.

    Which parts have a text index is told by the size of all indexes together (``unindexed_parts``): an index of
    somebody else's would make a part without one look as if it had.
    """
    return sql(
        "SELECT if(countIf(type != 'text' AND name != 'version_range') = 0, countIf(type = 'text'), 0)"
        " FROM system.data_skipping_indices WHERE database = currentDatabase() AND table IN ('messages', 'tool_calls')"
    )


def by_table(keys: Sequence[SearchKey]) -> list[tuple[Texts, tuple[tuple[object, ...], ...]]]:
    """The keys as rows of their tables; a table without any is left out."""
    messages = tuple((key[1], key[2]) for key in keys if key[3] == MESSAGE)
    tools = tuple((key[1], key[2], key[4], key[5]) for key in keys if key[3] == TOOL)
    return [(texts, rows) for texts, rows in ((MESSAGES, messages), (TOOL_CALLS, tools)) if rows]


def by_index(tokens: Sql, scanned: Sql, unindexed: Sequence[str]) -> list[Sql]:
    """Conditions that find rows together: ``tokens`` where parts have an index, ``scanned`` where they have none."""
    if not unindexed:
        return [tokens]
    parts = tuple(unindexed)
    # A part that lost or got its index since the list was made is searched by the first, right either way.
    return [
        sql("_part NOT IN {parts} AND {tokens}", parts=parts, tokens=tokens),
        sql("_part IN {parts} AND {scanned}", parts=parts, scanned=scanned),
    ]


def _later(column: Sql, moment: int | None, later: Sql) -> Sql:
    if moment is None:
        return sql("({column} IS NULL AND {later})", column=column, later=later)
    return sql(
        "({column} IS NULL OR {column} < {moment} OR ({column} = {moment} AND {later}))",
        column=column,
        moment=moment,
        later=later,
    )


def _candidate_rows(target: Target) -> list[Sql]:
    return [
        _narrow(texts, target, condition)
        for texts in (MESSAGES, TOOL_CALLS)
        for column in texts.columns
        for condition in by_index(
            sql("hasAllTokens({column}, {needle})", column=column, needle=target.needle),
            contains(column, target.needle),
            target.unindexed.get(texts.table.text, ()),
        )
    ]


def _narrow(texts: Texts, target: Target, condition: Sql) -> Sql:
    return sql(
        "SELECT {key} FROM {table} WHERE org_id = {org_id} AND {condition}",
        key=texts.key,
        table=texts.table,
        org_id=target.org_id,
        condition=condition,
    )


def _exact(texts: Texts, target: Target, scope: Sql, seen: Sql = EVERYTHING, *, also: Sql = NOTHING) -> Sql:
    # PREWHERE holds sort key columns only, which all versions of a row share: texts of other rows are not read.
    return sql(
        "SELECT {key}{also} FROM {table} FINAL PREWHERE org_id = {org_id} AND {scope} WHERE {seen} AND ({hit})",
        key=texts.key,
        table=texts.table,
        org_id=target.org_id,
        scope=scope,
        seen=seen,
        also=also,
        hit=join(" OR ", [contains(column, target.needle) for column in texts.columns]),
    )
