"""What a search result shows: the part of the text around the hit, cut on the server, and its session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentstore.connection.sql import Sql, join, sql
from agentstore.models import SearchResult
from agentstore.protocols import Executor
from agentstore.read.cursor import SearchKey
from agentstore.read.decoding import times
from agentstore.read.floors import floor_of_row, moments
from agentstore.read.search import snippet
from agentstore.read.search.rows import MESSAGE, Searched, Texts, after_key, by_table, in_order
from agentstore.read.search.scanning import SCAN
from agentstore.read.search.terms import first_hit
from agentstore.read.search.words import Term
from agentstore.read.together import together

_SHOWN = ("user_id", "user_name", "project_name", "agent_type", "first_message")
_ROW = Sql("session_id, position, kind, tool_use_id, call_index, role, source_id, _source, start, length, around")
_SESSION = Sql("moment, user_id, user_name, project_name, agent_type, first_message")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to open: those with these keys, without their moment, whose sessions satisfy ``sessions``.

    ``tables`` say which rows of theirs count.
    """

    org_id: str
    terms: Sequence[Term]
    sessions: Sql
    tables: tuple[Searched, ...]
    keys: Sequence[SearchKey]


async def opened(executor: Executor, rows: Rows, after: SearchKey | None = None) -> dict[SearchKey, SearchResult]:
    """A result for each row that holds one of the terms in its newest version, and comes after the key.

    A row that was rewritten or deleted since its key was read is left out. The text itself never travels. One statement
    for texts and sessions; ``opened_apart`` sends two at a time, and is the faster.
    """
    if not rows.keys:
        return {}
    query = sql(
        "SELECT {row}, floor, {session} FROM ({windows}) AS r INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {after}",
        row=_ROW,
        session=_SESSION,
        windows=_windows(rows),
        sessions=_sessions(rows),
        after=after_key(after),
    )
    columns = await executor.fetch(query, SCAN)
    return dict(_result(rows.terms, row[:12], row[12:]) for row in zip(*columns, strict=True))


async def opened_apart(executor: Executor, rows: Rows, after: SearchKey | None) -> dict[SearchKey, SearchResult]:
    """What ``opened`` returns."""
    # The floors are asked beside the texts and not beside the sessions: a floor that came after the texts were read, of
    # a replace that writes the same again, would hide rows that are there before and after.
    windows = sql(
        "SELECT {row}, {floor} AS floor FROM ({windows}) WHERE _version >= floor",
        row=_ROW,
        floor=floor_of_row(rows.org_id, among=sql("session_id IN {ids}", ids=_ids(rows))),
        windows=_windows(rows),
    )
    sessions = sql(
        "SELECT id, toUnixTimestamp64Micro(started_at), {shown} FROM sessions FINAL WHERE {scope}",
        shown=_names(_SHOWN),
        scope=_scope(rows),
    )
    texts, of_sessions = await together(lambda: executor.fetch(windows, SCAN), lambda: executor.fetch(sessions))
    by_id = {id: session for id, *session in zip(*of_sessions, strict=True)}
    found = dict(_result(rows.terms, row, by_id[row[0]]) for row in zip(*texts, strict=True) if row[0] in by_id)
    return {key: found[key] for key in in_order(found) if after is None or in_order((key, after))[0] == after != key}


def _result(terms: Sequence[Term], row: Sequence[Any], session: Sequence[Any]) -> tuple[SearchKey, SearchResult]:
    session_id, position, kind, tool_use_id, call_index, role, source_id, source, start, length, around, floor = row
    moment, *shown = session
    text, highlights = snippet.assemble(around, start, length, terms)
    result = SearchResult(
        session_id=session_id,
        ordinal=position,
        role=role,
        source_id=source_id if source >= floor else "",
        started_at=times([moment])[0],
        snippet=text,
        highlights=highlights,
        **dict(zip(_SHOWN, shown, strict=True)),
    )
    return (moment, session_id, position, kind, tool_use_id, call_index), result


def _sessions(rows: Rows) -> Sql:
    """What is shown of the sessions, with their id and floor."""
    return moments(rows.org_id, _scope(rows), also=_names(_SHOWN))


def _scope(rows: Rows) -> Sql:
    return sql("{sessions} AND id IN {ids}", sessions=rows.sessions, ids=_ids(rows))


def _names(columns: Sequence[str]) -> Sql:
    return join(", ", [Sql(name) for name in columns])


def _ids(rows: Rows) -> tuple[str, ...]:
    return tuple({key[1] for key in rows.keys})


def _windows(rows: Rows) -> Sql:
    """Of each row its key and version, role, source id and the version of the message that has it, where the window
    starts, the text's length, and the window with a code point more on each side of it.
    """
    conditions = {one.texts.name: one.rows for one in rows.tables}
    texts = [_texts(rows, texts, keys, conditions[texts.name]) for texts, keys in by_table(rows.keys)]
    return sql(
        "WITH toInt64({hit}) AS hit, toInt64(lengthUTF8(text)) AS length,"
        " greatest(least(hit - 1 - {before}, length - {width}), 0) AS start"
        " SELECT session_id, position, kind, tool_use_id, call_index, role, source_id, _source, start, length,"
        " substringUTF8(concat(' ', text), start + 1, {width} + 2) AS around, _version FROM ({texts}) WHERE hit > 0",
        hit=first_hit(Sql("text"), rows.terms),
        before=snippet.BEFORE,
        width=snippet.LENGTH,
        texts=join(" UNION ALL ", texts),
    )


def _texts(rows: Rows, texts: Texts, keys: tuple[tuple[object, ...], ...], condition: Sql) -> Sql:
    """Key, version, role, source id with its version, and text of the rows; of a tool call the text hit first."""
    of_messages = texts.kind == MESSAGE
    found = sql(
        "SELECT {key}, _version, {role} AS role, {source} AS source_id, {written} AS _source,"
        " {text} AS text FROM {table} FINAL"
        " WHERE org_id = {org_id} AND ({row}) IN {keys} AND {condition}",
        key=texts.key,
        role=Sql("toString(role)" if of_messages else "'tool'"),
        source=Sql("source_id" if of_messages else "''"),
        written=Sql("_version" if of_messages else "toUInt64(0)"),
        text=Sql("content")
        if of_messages
        else sql("if({hit} > 0, input_json, result_content)", hit=first_hit(Sql("input_json"), rows.terms)),
        table=texts.table,
        org_id=rows.org_id,
        row=texts.row,
        keys=keys,
        condition=condition,
    )
    return found if of_messages else _with_sources(rows, found, keys)


def _with_sources(rows: Rows, calls: Sql, keys: tuple[tuple[object, ...], ...]) -> Sql:
    """The tool calls with the source id of the message that made them, which may be older than the session's floor."""
    return sql(
        "SELECT c.* REPLACE (m.source_id AS source_id, m._version AS _source) FROM ({calls}) AS c LEFT ANY JOIN ("
        "SELECT session_id, ordinal, source_id, _version FROM messages FINAL"
        " WHERE org_id = {org_id} AND (session_id, ordinal) IN {messages}) AS m"
        " ON m.session_id = c.session_id AND m.ordinal = c.position",
        calls=calls,
        org_id=rows.org_id,
        messages=tuple({key[:2] for key in keys}),
    )
