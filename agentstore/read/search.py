"""Search: a literal, case-insensitive substring over message contents and tool calls.

First the keys of the hits are found and ordered, narrow; then the texts of one page's rows are read, cut on the server.
"""

from __future__ import annotations

from typing import Any

from agentstore.connection.sql import Sql, join, sql, valid_text
from agentstore.errors import InvalidArgumentError
from agentstore.models import SearchPage, SearchQuery, SearchResult
from agentstore.protocols import Executor
from agentstore.read import folding, snippet
from agentstore.read.cursor import SearchKey, decode_search_cursor, encode_search_cursor
from agentstore.read.decoding import times
from agentstore.read.scope import expect, page_limit, session_conditions, text

COUNTED_HITS = 1000

_MESSAGE, _TOOL = 0, 1
_FILTERS = ("user_id", "project_id", "project_name", "agent_type")


async def search(executor: Executor, org_id: str, query: SearchQuery) -> SearchPage:
    """One page of hits: started_at descending, session id descending, ordinal ascending, messages before tools."""
    expect(query, SearchQuery, "query")
    # As it is stored, so that the highlights are looked for where the server found the hit.
    needle = valid_text(text(query.query, "query"))
    if not needle:
        raise InvalidArgumentError("query: is empty", field="query")
    limit = page_limit(query.limit)
    after = _after(query.cursor)
    hits = _hits(org_id, query, needle)
    columns = await executor.fetch(
        sql(
            "SELECT * FROM ({hits}) WHERE {after}"
            " ORDER BY moment DESC NULLS LAST, session_id DESC, position, kind, tool_use_id, call_index LIMIT {limit}",
            hits=hits,
            after=after,
            limit=limit + 1,
        )
    )
    counted = await executor.fetch(
        sql("SELECT count() FROM (SELECT 1 FROM ({hits}) LIMIT {limit})", hits=hits, limit=COUNTED_HITS + 1)
    )
    keys: list[SearchKey] = list(zip(*columns, strict=True))
    page, total = keys[:limit], counted[0][0]
    return SearchPage(
        results=await _results(executor, org_id, needle, page),
        next_cursor=encode_search_cursor(page[-1]) if len(keys) > limit else "",
        total=min(total, COUNTED_HITS),
        total_is_lower_bound=total > COUNTED_HITS,
    )


def contains(column: Sql, needle: str) -> Sql:
    """The condition that a text contains the needle."""
    if folding.folds_on_server(needle):
        return sql("positionCaseInsensitiveUTF8({column}, {needle}) > 0", column=column, needle=needle)
    return sql("match({column}, {pattern})", column=column, pattern=folding.pattern(needle))


def _first_hit(column: Sql, needle: str) -> Sql:
    """The code-point offset of the first hit, from 1."""
    if folding.folds_on_server(needle):
        return sql("positionCaseInsensitiveUTF8({column}, {needle})", column=column, needle=needle)
    return sql(
        "positionUTF8({column}, extract({column}, {pattern}))", column=column, pattern=f"({folding.pattern(needle)})"
    )


def _hits(org_id: str, query: SearchQuery, needle: str) -> Sql:
    """All hits with their sort key: moment, session_id, position, kind, tool_use_id, call_index."""
    where = session_conditions(
        org_id,
        equal={name: getattr(query, name) for name in _FILTERS},
        date_from=query.date_from,
        date_to=query.date_to,
    )
    session_id = text(query.session_id, "session_id")
    return sql(
        "SELECT toUnixTimestamp64Micro(s.started_at) AS moment, h.session_id AS session_id, h.position AS position,"
        " h.kind AS kind, h.tool_use_id AS tool_use_id, h.call_index AS call_index"
        " FROM ("
        "SELECT session_id, ordinal AS position, 0 AS kind, '' AS tool_use_id, toUInt32(0) AS call_index"
        " FROM messages FINAL WHERE org_id = {org_id} AND {one_session} AND {message_hit}"
        " UNION ALL "
        "SELECT session_id, message_ordinal AS position, 1 AS kind, tool_use_id, call_index"
        " FROM tool_calls FINAL WHERE org_id = {org_id} AND {one_session} AND ({input_hit} OR {result_hit})"
        ") AS h INNER JOIN (SELECT id, started_at FROM sessions FINAL WHERE {where}) AS s ON s.id = h.session_id",
        org_id=org_id,
        one_session=sql("session_id = {id}", id=session_id) if session_id else sql("1"),
        message_hit=contains(Sql("content"), needle),
        input_hit=contains(Sql("input_json"), needle),
        result_hit=contains(Sql("result_content"), needle),
        where=where,
    )


def _after(cursor: str) -> Sql:
    if cursor == "":
        return sql("1")
    moment, session_id, *rest = decode_search_cursor(cursor)
    later = sql(
        "(session_id < {id} OR (session_id = {id} AND (position, kind, tool_use_id, call_index) > {rest}))",
        id=session_id,
        rest=tuple(rest),
    )
    if moment is None:
        return sql("(moment IS NULL AND {later})", later=later)
    return sql("(moment IS NULL OR moment < {moment} OR (moment = {moment} AND {later}))", moment=moment, later=later)


async def _results(executor: Executor, org_id: str, needle: str, page: list[SearchKey]) -> list[SearchResult]:
    if not page:
        return []
    windows = await _windows(executor, org_id, needle, page)
    sessions = await _sessions(executor, org_id, page)
    pattern = folding.compiled(needle)
    results = []
    for key in page:
        moment, session_id, ordinal, _, _, _ = key
        if key[1:] not in windows or session_id not in sessions:
            continue  # rewritten or deleted since the keys were read
        role, start, length, window = windows[key[1:]]
        shown, highlights = snippet.assemble(window, start, length, pattern)
        user_id, user_name, project_name, agent_type, first_message = sessions[session_id]
        results.append(
            SearchResult(
                session_id=session_id,
                ordinal=ordinal,
                role=role,
                user_id=user_id,
                user_name=user_name,
                project_name=project_name,
                agent_type=agent_type,
                started_at=times([moment])[0],
                first_message=first_message,
                snippet=shown,
                highlights=highlights,
            )
        )
    return results


async def _windows(
    executor: Executor, org_id: str, needle: str, page: list[SearchKey]
) -> dict[tuple[Any, ...], tuple[str, int, int, str]]:
    """For each hit, by its key without the moment: role, where the window starts, the text's length, the window."""
    messages = tuple((key[1], key[2]) for key in page if key[3] == _MESSAGE)
    tools = tuple((key[1], key[2], key[4], key[5]) for key in page if key[3] == _TOOL)
    parts = []
    if messages:
        parts.append(
            sql(
                "SELECT session_id, toUInt32(ordinal) AS position, 0 AS kind, '' AS tool_use_id,"
                " toUInt32(0) AS call_index, toString(role) AS role, content AS text"
                " FROM messages FINAL WHERE org_id = {org_id} AND (session_id, ordinal) IN {keys}",
                org_id=org_id,
                keys=messages,
            )
        )
    if tools:
        parts.append(
            sql(
                "SELECT session_id, message_ordinal AS position, 1 AS kind, tool_use_id, call_index, 'tool' AS role,"
                " if({in_input}, input_json, result_content) AS text FROM tool_calls FINAL"
                " WHERE org_id = {org_id} AND (session_id, message_ordinal, tool_use_id, call_index) IN {keys}",
                org_id=org_id,
                keys=tools,
                in_input=contains(Sql("input_json"), needle),
            )
        )
    columns = await executor.fetch(
        sql(
            "WITH toInt64({hit}) AS hit, toInt64(lengthUTF8(text)) AS length,"
            " greatest(least(hit - 1 - {before}, length - {width}), 0) AS start"
            " SELECT session_id, position, kind, tool_use_id, call_index, role, start, length,"
            " substringUTF8(text, start + 1, {width}) FROM ({rows}) WHERE hit > 0",
            hit=_first_hit(Sql("text"), needle),
            rows=join(" UNION ALL ", parts),
            before=snippet.BEFORE,
            width=snippet.LENGTH,
        )
    )
    return {row[:5]: row[5:] for row in zip(*columns, strict=True)}


async def _sessions(executor: Executor, org_id: str, page: list[SearchKey]) -> dict[str, tuple[str, ...]]:
    columns = await executor.fetch(
        sql(
            "SELECT id, user_id, user_name, project_name, agent_type, first_message"
            " FROM sessions FINAL WHERE org_id = {org_id} AND id IN {ids}",
            org_id=org_id,
            ids=tuple({key[1] for key in page}),
        )
    )
    return {row[0]: row[1:] for row in zip(*columns, strict=True)}
