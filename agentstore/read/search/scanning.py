"""What both kinds of search share where texts are scanned: the newest sessions, which are worth a look of their own."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Executor
from agentstore.read.search import planner
from agentstore.read.search.candidates import Target

# Settings of a statement that reads many texts, for blocks larger than the usual 1 MB: granules are small, for single
# rows, and the server compiles a regular expression once per block, which can take longer than its use.
SCAN = {"preferred_block_size_bytes": 8 << 20}


async def newest_sessions(
    executor: Executor, target: Target, scope: Sql, count: int
) -> tuple[tuple[str, ...], tuple[int | None, str]] | None:
    """The ids of the first sessions, in order, that also satisfy ``scope``, and moment and id of the last of them.

    None where there are not so many more sessions that reading these first costs little.
    """
    columns = await executor.fetch(_newest(target, scope, count))
    if not columns or not planner.worth_reading_first(count, columns[2][0]):
        return None
    moments, ids, _ = columns
    return ids, (moments[-1], ids[-1])


def _newest(target: Target, scope: Sql, count: int) -> Sql:
    """Moment and id of the sessions, and how many there are in all."""
    return sql(
        "SELECT toUnixTimestamp64Micro(started_at), id, count() OVER () FROM sessions FINAL WHERE {own} AND {scope}"
        " ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}",
        own=target.sessions,
        scope=scope,
        count=count,
    )
