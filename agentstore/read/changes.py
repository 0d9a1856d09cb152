"""Which sessions were written since a version: told again rather than missed."""

from __future__ import annotations

import asyncio
from typing import Any

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.errors import InvalidArgumentError
from agentstore.models import Changes
from agentstore.protocols import Executor
from agentstore.read.conditions import text
from agentstore.read.floors import COPIES, SUBAGENTS
from agentstore.read.horizon import Horizon
from agentstore.read.lanes import ReadLanes
from agentstore.write.clock import HIGHEST_TIME, local_nanoseconds
from agentstore.write.rows import SESSION_FLOORS, SESSIONS, TABLES, Table

# Where an organisation without sessions begins: before everything.
_FIRST = 1
# Said with the statement, for a user who may not change it: an error is better than removals that are missed.
_EVERY_VERSION = {"final": 0}
# As many bits of a checksum as go through JSON of any language.
_CHECKSUM_BITS = 2**53 - 1
# A few milliseconds of the loop.
_SESSIONS_AT_ONCE = 5_000


class ChangeReads(ReadLanes):
    """The read for who wants to hear of what is new."""

    # It remembers what time it was on the server.
    _horizon: Horizon | None = None

    async def changes(self, org_id: str, since: Changes | int | None = None) -> Changes:
        """The sessions of which something was written after ``since``: cheap enough to be asked each second.

        Without ``since`` (None or 0) it names no session and says where to begin: all that becomes visible after this
        call is told by a later one. What is there already lists tell, asked for after it. ``since`` is the last
        answer, or its ``version``.

        Anything counts: the session, its messages, tool calls, git links, stars and pins, deletion marks, also where
        they are written again as they were or are taken away; and what of it is another one's copy (``Session``),
        where that was decided again since the other one was written. **No change is missed**, whichever store wrote it
        and however late it arrives: the version returned lies 40 minutes behind, before all that may still be on its
        way.
        A change may be told more than once. Given the last answer it is told again only where it may have changed
        (rows were merged meanwhile, say); given a version, by each call for 40 minutes. Of 1, by all that is stored.

        A session in ``session_ids`` need not be readable yet: its messages are committed before itself. One with a
        deletion mark (``write_session_deletes``) is a changed one. Rows with a version ahead of the server's time are
        told by each call given a version, until that time has come.

        It costs as much as there is to tell: nothing new some milliseconds, but each row of the last 40 minutes is
        looked at by every call. After an import of 50,000 sessions that is a second or two for so long, and the last
        answer is megabytes: ask such an organisation less often.

        It relies on what the writers keep: that nothing is sent for longer than half an hour. Between replicas it holds
        up to ten minutes of lag and of difference between their clocks. A server's clock may be set at any time, but
        for what this store cannot have seen: set forward while rows were on their way, less than 40 minutes before it
        asked first; or back and forward again between two of its calls.
        """
        pool = self._open_pool
        horizon = self._horizon = self._horizon or Horizon()
        organisation, told = text(org_id, "org_id"), _told(since)
        begins = told.version == 0
        if begins:
            told = Changes(version=await _beginning(pool, horizon, organisation))
        elif horizon.reached(now=local_nanoseconds()) is None:
            await _beginning(pool, horizon, organisation)
        found = await _found(pool, horizon, organisation, told)
        return Changes(version=found.version, seen=found.seen) if begins else found


def _told(since: Any) -> Changes:
    """The last answer, or one that says no more than its version."""
    told = Changes(version=0 if since is None else since) if not isinstance(since, Changes) else since
    version = told.version
    if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version < HIGHEST_TIME:
        raise InvalidArgumentError(f"since: {version!r} is no answer of changes, nor a version of one", field="since")
    if not isinstance(told.seen, dict):
        raise InvalidArgumentError(f"since: seen is {type(told.seen).__name__}, not that of an answer", field="since")
    return told


async def _beginning(executor: Executor, horizon: Horizon, org_id: str) -> int:
    """A version before all that is not visible yet. The horizon knows the server's time afterwards.

    Not above what is stored: a writer draws versions above that, also where the server's clock was set back since.
    """
    columns = await executor.fetch(
        sql(
            "SELECT toUInt64(toUnixTimestamp64Nano(now64(9))), max(_version) FROM sessions"
            " WHERE org_id = {org_id} AND _version < {most}",
            org_id=org_id,
            most=HIGHEST_TIME,
        )
    )
    ((server,), (stored,)) = columns
    return max(_FIRST, min(horizon.learn(server, answered=local_nanoseconds()), int(stored)))


async def _found(executor: Executor, horizon: Horizon, org_id: str, told: Changes) -> Changes:
    # Decided before it is asked: what is seen by no part of the statement has arrived after this.
    reached = max(told.version, horizon.reached(now=local_nanoseconds()) or 0)
    columns = await executor.fetch(_written_since(org_id, told.version, reached), _EVERY_VERSION)
    answered = local_nanoseconds()
    newest, changed, gone, seen = 0, list[str](), list[str](), dict[str, int]()
    for number, (is_time, id, version, checksum, recent, recent_checksum, is_gone) in enumerate(
        zip(*columns, strict=True)
    ):
        if is_time:
            reached = min(reached, max(told.version, horizon.learn(version, answered=answered)))
            continue
        newest = max(newest, version)
        if recent:
            seen[id] = recent_checksum
        if told.seen.get(id) != checksum:
            (gone if is_gone else changed).append(id)
        if number % _SESSIONS_AT_ONCE == 0:
            await asyncio.sleep(0)
    # What was told and is not there any more: its rows are gone, marks of removal and all.
    changed += told.seen.keys() - {*columns[1]}
    # Not above what is stored, as in the beginning.
    version = max(told.version, min(reached, newest))
    return Changes(version=version, session_ids=sorted(changed), deleted_session_ids=sorted(gone), seen=seen)


def _written_since(org_id: str, version: int, reached: int) -> Sql:
    """The server's time (``is_time``), and each session with rows above ``version``.

    Of it: the newest version that is a time, a checksum of these rows, how many are above ``reached``, a checksum of
    those, and whether the session is gone.
    """
    return sql(
        "SELECT 1 AS is_time, '' AS id, toUInt64(toUnixTimestamp64Nano(now64(9))) AS newest, toUInt64(0) AS checksum,"
        " toUInt64(0) AS recent, toUInt64(0) AS recent_checksum, toUInt8(0) AS is_gone UNION ALL"
        " SELECT 0, id, maxIf(v, v < {most}), bitAnd(sum(checksum), {bits}), countIf(v > {reached}),"
        " bitAnd(sumIf(checksum, v > {reached}), {bits}),"
        " argMax(gone, said) FROM ({rows}) GROUP BY id",
        most=HIGHEST_TIME,
        bits=_CHECKSUM_BITS,
        reached=reached,
        rows=join(" UNION ALL ", [_rows(table, org_id, version) for table in TABLES]),
    )


def _rows(table: Table, org_id: str, version: int) -> Sql:
    """Rows of a table that are newer. ``said``: the version of a session's own row, which tells whether it is gone.

    Not FINAL: tombstones count, and so the index on ``_version`` leaves out most of the table. The checksum is of the
    key and the version: a row more makes another sum, also where it has the version of one that a merge took away.
    """
    is_session = table is SESSIONS
    return sql(
        "SELECT {id} AS id, _version AS v, cityHash64({name}, {key}, _version, _deleted) AS checksum,"
        " {said} AS said, {gone} AS gone FROM {table} WHERE org_id = {org_id} AND _version > {version}{more}",
        id=sql("id" if is_session else "session_id"),
        name=table.name,
        key=join(", ", map(identifier, table.key)),
        said=sql("_version" if is_session else "toUInt64(0)"),
        gone=sql("_deleted" if is_session else "toUInt8(0)"),
        table=identifier(table.name),
        org_id=org_id,
        version=version,
        # What was decided about a session that does not count, since another one was written, is no change of it: it
        # may be gone long ago.
        more=sql(" AND (counts OR scope NOT IN {decided})", decided=(COPIES, SUBAGENTS))
        if table is SESSION_FLOORS
        else sql(""),
    )
