"""What a search result shows: the part of the text around the hit, cut on the server, and its session."""

from __future__ import annotations

from collections.abc import Sequence

from agentstore.connection.sql import Sql, join, sql
from agentstore.models import SearchResult
from agentstore.protocols import Executor
from agentstore.read import snippet
from agentstore.read.cursor import SearchKey
from agentstore.read.decoding import times
from agentstore.read.floors import above_floors
from agentstore.read.hits import MESSAGES, by_table
from agentstore.read.terms import first_hit
from agentstore.read.together import together
from agentstore.read.words import Term

# Of one row: role, where the window starts, the text's length, the window with a code point more on each side.
Window = tuple[str, int, int, str]


async def results(
    executor: Executor, org_id: str, terms: Sequence[Term], keys: Sequence[SearchKey]
) -> list[SearchResult]:
    """One result per key, in order; a row that was rewritten or deleted since the keys were read is left out."""
    if not keys:
        return []
    windows, sessions = await together(_windows(executor, org_id, terms, keys), _sessions(executor, org_id, keys))
    found = []
    for key in keys:
        if key[1:] not in windows or key[1] not in sessions:
            continue
        role, start, length, around = windows[key[1:]]
        shown, highlights = snippet.assemble(around, start, length, terms)
        user_id, user_name, project_name, agent_type, first_message = sessions[key[1]]
        found.append(
            SearchResult(
                session_id=key[1],
                ordinal=key[2],
                role=role,
                user_id=user_id,
                user_name=user_name,
                project_name=project_name,
                agent_type=agent_type,
                started_at=times([key[0]])[0],
                first_message=first_message,
                snippet=shown,
                highlights=highlights,
            )
        )
    return found


async def _windows(
    executor: Executor, org_id: str, terms: Sequence[Term], keys: Sequence[SearchKey]
) -> dict[tuple[object, ...], Window]:
    """The window of each row, by its key without the moment. The text itself never travels."""
    rows = []
    seen = above_floors(org_id, among=sql("session_id IN {ids}", ids=tuple({key[1] for key in keys})))
    for texts, among in by_table(keys):
        of_messages = texts is MESSAGES
        rows.append(
            sql(
                "SELECT {key}, {role} AS role, {text} AS text FROM {table} FINAL"
                " WHERE org_id = {org_id} AND {row} IN {among} AND {seen}",
                key=texts.key,
                role=Sql("toString(role)" if of_messages else "'tool'"),
                text=Sql("content")
                if of_messages
                else sql("if({hit} > 0, input_json, result_content)", hit=first_hit(Sql("input_json"), terms)),
                table=texts.table,
                org_id=org_id,
                row=texts.row,
                among=among,
                seen=seen,
            )
        )
    columns = await executor.fetch(
        sql(
            "WITH toInt64({hit}) AS hit, toInt64(lengthUTF8(text)) AS length,"
            " greatest(least(hit - 1 - {before}, length - {width}), 0) AS start"
            " SELECT session_id, position, kind, tool_use_id, call_index, role, start, length,"
            " substringUTF8(concat(' ', text), start + 1, {width} + 2) FROM ({rows}) WHERE hit > 0",
            hit=first_hit(Sql("text"), terms),
            rows=join(" UNION ALL ", rows),
            before=snippet.BEFORE,
            width=snippet.LENGTH,
        )
    )
    return {row[:5]: row[5:] for row in zip(*columns, strict=True)}


async def _sessions(executor: Executor, org_id: str, keys: Sequence[SearchKey]) -> dict[str, tuple[str, ...]]:
    columns = await executor.fetch(
        sql(
            "SELECT id, user_id, user_name, project_name, agent_type, first_message"
            " FROM sessions FINAL WHERE org_id = {org_id} AND id IN {ids}",
            org_id=org_id,
            ids=tuple({key[1] for key in keys}),
        )
    )
    return {row[0]: row[1:] for row in zip(*columns, strict=True)}
