"""Which text a message has, told by a number: what points at it can tell whether it is still the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from agentstore.connection.sql import sql
from agentstore.errors import InvalidArgumentError
from agentstore.models import MessageVersion
from agentstore.protocols import Executor
from agentstore.read.conditions import text
from agentstore.read.floors import CONTENT
from agentstore.read.lanes import ReadLanes
from agentstore.read.messages import whole_number
from agentstore.read.threads import ONE_THREAD

MOST = 1000
# Of a row of messages. Texts stay on the server; where a statement reads them anyway, this adds next to nothing to it.
# ``hex`` leaves out bytes that are 0 in front.
VERSION = sql("leftPad(lower(hex(sipHash64(toString(role), content))), 16, '0')")


class VersionReads(ReadLanes):
    """The read about versions of messages."""

    async def message_versions(self, org_id: str, places: Iterable[tuple[str, int]]) -> list[MessageVersion]:
        """The versions of the messages at these places, each a session's id and an ordinal; 1,000 at most.

        In no order; where there is no message, none. Texts stay on the server. A version is the same for the same role
        and content, whenever and however often they were written.
        """
        pool, organisation = self._open_pool, text(org_id, "org_id")
        wanted = {(text(id, "session_id"), whole_number(ordinal, "ordinal")) for id, ordinal in places}
        if len(wanted) > MOST:
            raise InvalidArgumentError(f"places: expected {MOST} at most, got {len(wanted)}", field="places")
        return await versions_of(pool, organisation, wanted)


async def versions_of(executor: Executor, org_id: str, places: Collection[tuple[str, int]]) -> list[MessageVersion]:
    """The same, of places that are checked."""
    if not places:
        return []
    columns = await executor.fetch(
        sql(
            # The floors beside the messages, told by ordinals that no message has: asked within their condition they
            # take longer than all the rest. And messages first by the key alone: texts of those that only stand beside
            # these are not read.
            "SELECT toInt64(-1) AS ordinal, session_id, '' AS source_id, '' AS version, _version FROM session_floors"
            " FINAL WHERE scope = {scope} AND org_id = {org_id} AND session_id IN {ids} UNION ALL"
            " SELECT toInt64(ordinal), session_id, source_id, {version} AS version, _version FROM messages FINAL"
            " PREWHERE org_id = {org_id} AND (session_id, ordinal) IN {places}",
            scope=CONTENT,
            org_id=org_id,
            ids=tuple(sorted({id for id, _ in places})),
            version=VERSION,
            places=tuple(sorted(places)),
        ),
        ONE_THREAD,
    )
    rows = list(zip(*columns, strict=True))
    floors = {id: written for ordinal, id, _, _, written in rows if ordinal < 0}
    return [
        MessageVersion(id, ordinal, source_id, version)
        for ordinal, id, source_id, version, written in rows
        if ordinal >= 0 and written >= floors.get(id, 0)
    ]
