"""What both kinds of search share where texts are scanned: the newest sessions, which are worth a look of their own."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Executor
from agentstore.read.search import planner
from agentstore.read.search.parsed_query import ParsedQuery


async def newest_sessions(
    executor: Executor, parsed: ParsedQuery, scope: Sql, count: int
) -> tuple[tuple[str, ...], tuple[int | None, str]] | None:
    """The ids of the first ``count`` sessions that also satisfy ``scope``; and moment and id of the last of them.

    None where they are too large a part of all sessions: reading them first would cost too much if it is in vain.
    """
    columns = await executor.fetch(_select_newest(parsed, scope, count))
    if not columns or not planner.worth_reading_first(count, columns[2][0]):
        return None
    moments, ids, _ = columns
    return ids, (moments[-1], ids[-1])


async def count_sessions(executor: Executor, parsed: ParsedQuery) -> int:
    """How many sessions are searched."""
    columns = await executor.fetch(sql("SELECT count() FROM sessions FINAL WHERE {own}", own=parsed.sessions))
    return int(columns[0][0])


def _select_newest(parsed: ParsedQuery, scope: Sql, count: int) -> Sql:
    """Moment and id of the sessions, and how many there are in all: the window is counted before the limit."""
    return sql(
        "SELECT toUnixTimestamp64Micro(started_at), id, count() OVER () FROM sessions FINAL WHERE {own} AND {scope}"
        " ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}",
        own=parsed.sessions,
        scope=scope,
        count=count,
    )
