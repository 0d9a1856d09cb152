"""What both kinds of search share where texts are scanned: the newest sessions, which are worth a look of their own."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Executor
from agentstore.read.search import planner
from agentstore.read.search.candidates import Target

# Settings of a look, which stops reading where it has enough. Of what it did not read the server's condition cache must
# not remember that nothing was there: a granule would be passed over by every search for the same.
LOOK = {"use_query_condition_cache": 0}
# Settings of a statement that reads texts. Granules are small, for single rows: blocks larger than the usual 1 MB, for
# the server compiles a regular expression once per block, which can take longer than its use; and threads that share
# fewer rows than usual, for these are long.
SCAN = {
    **LOOK,
    "preferred_block_size_bytes": 16 << 20,
    "max_block_size": 65_409,
    "merge_tree_min_rows_for_concurrent_read": 8192,
    "merge_tree_min_bytes_for_concurrent_read": 16 << 20,
}


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


async def count_sessions(executor: Executor, target: Target) -> int:
    """How many sessions are searched."""
    columns = await executor.fetch(sql("SELECT count() FROM sessions FINAL WHERE {own}", own=target.sessions))
    return int(columns[0][0])


def _newest(target: Target, scope: Sql, count: int) -> Sql:
    """Moment and id of the sessions, and how many there are in all."""
    return sql(
        "SELECT toUnixTimestamp64Micro(started_at), id, count() OVER () FROM sessions FINAL WHERE {own} AND {scope}"
        " ORDER BY started_at DESC NULLS LAST, id DESC LIMIT {count}",
        own=target.sessions,
        scope=scope,
        count=count,
    )
