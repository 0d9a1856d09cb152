"""What a search result shows: the part of the text around the hit, cut on the server, and its session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentstore.connection.sql import Sql, join, sql
from agentstore.models import SearchResult
from agentstore.protocols import Executor
from agentstore.read.cursor import SearchKey
from agentstore.read.decoding import times
from agentstore.read.floors import moments
from agentstore.read.search import snippet
from agentstore.read.search.rows import MESSAGE, Searched, Texts, after_key, by_table
from agentstore.read.search.terms import first_hit
from agentstore.read.search.words import Term

_SHOWN = ("user_id", "user_name", "project_name", "agent_type", "first_message")


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

    A row that was rewritten or deleted since its key was read is left out. The text itself never travels.
    """
    if not rows.keys:
        return {}
    columns = await executor.fetch(_query(rows, after))
    return dict(_result(rows.terms, row) for row in zip(*columns, strict=True))


def _result(terms: Sequence[Term], row: tuple[object, ...]) -> tuple[SearchKey, SearchResult]:
    key: SearchKey = row[:6]  # type: ignore[assignment]
    role, source_id, start, length, around, *session = row[6:]
    shown, highlights = snippet.assemble(around, start, length, terms)  # type: ignore[arg-type]
    result = SearchResult(
        session_id=key[1],
        ordinal=key[2],
        role=role,  # type: ignore[arg-type]
        source_id=source_id,  # type: ignore[arg-type]
        started_at=times([key[0]])[0],
        snippet=shown,
        highlights=highlights,
        **dict(zip(_SHOWN, session, strict=True)),  # type: ignore[arg-type]
    )
    return key, result


def _query(rows: Rows, after: SearchKey | None) -> Sql:
    """Key, role, source id, where the window starts, the text's length, the window with a code point more on each side
    of it, and what is shown of the session.
    """
    ids = tuple({key[1] for key in rows.keys})
    scope = sql("{sessions} AND id IN {ids}", sessions=rows.sessions, ids=ids)
    conditions = {one.texts.name: one.rows for one in rows.tables}
    opened = [_texts(rows, texts, keys, conditions[texts.name]) for texts, keys in by_table(rows.keys)]
    shown = join(", ", [Sql(name) for name in _SHOWN])
    return sql(
        "WITH toInt64({hit}) AS hit, toInt64(lengthUTF8(text)) AS length,"
        " greatest(least(hit - 1 - {before}, length - {width}), 0) AS start"
        " SELECT moment, session_id, position, kind, tool_use_id, call_index, role, source_id, start, length,"
        " substringUTF8(concat(' ', text), start + 1, {width} + 2), {shown}"
        " FROM ({rows}) AS r INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE hit > 0 AND _version >= floor AND {after}",
        hit=first_hit(Sql("text"), rows.terms),
        before=snippet.BEFORE,
        width=snippet.LENGTH,
        shown=shown,
        rows=join(" UNION ALL ", opened),
        sessions=moments(rows.org_id, scope, also=shown),
        after=after_key(after),
    )


def _texts(rows: Rows, texts: Texts, keys: tuple[tuple[object, ...], ...], condition: Sql) -> Sql:
    """Key, version, role, source id and text of the rows; of a tool call the text that is hit first."""
    of_messages = texts.kind == MESSAGE
    found = sql(
        "SELECT {key}, _version, {role} AS role, {source} AS source_id, {text} AS text FROM {table} FINAL"
        " WHERE org_id = {org_id} AND ({row}) IN {keys} AND {condition}",
        key=texts.key,
        role=Sql("toString(role)" if of_messages else "'tool'"),
        source=Sql("source_id" if of_messages else "''"),
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
    """The tool calls with the source id of the message that made them."""
    return sql(
        "SELECT c.* REPLACE (m.source_id AS source_id) FROM ({calls}) AS c LEFT ANY JOIN ("
        "SELECT session_id, ordinal, source_id FROM messages FINAL"
        " WHERE org_id = {org_id} AND (session_id, ordinal) IN {messages}) AS m"
        " ON m.session_id = c.session_id AND m.ordinal = c.position",
        calls=calls,
        org_id=rows.org_id,
        messages=tuple({key[:2] for key in keys}),
    )
