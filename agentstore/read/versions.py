"""Which text a message has, told by a number: what points at it can tell whether it is still the same."""

from __future__ import annotations

from collections.abc import Iterable

from agentstore.connection.sql import sql
from agentstore.errors import InvalidArgumentError
from agentstore.models import MessageVersion
from agentstore.read.conditions import text
from agentstore.read.floors import above_floors
from agentstore.read.lanes import ReadLanes
from agentstore.read.messages import whole_number

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
        if not wanted:
            return []
        ids = tuple(sorted({id for id, _ in wanted}))
        columns = await pool.fetch(
            sql(
                # First by the key alone: texts of messages that only stand beside these are not read.
                "SELECT session_id, ordinal, source_id, {version} FROM messages FINAL"
                " PREWHERE org_id = {org_id} AND (session_id, ordinal) IN {places} WHERE {seen}",
                version=VERSION,
                org_id=organisation,
                places=tuple(sorted(wanted)),
                seen=above_floors(organisation, among=sql("session_id IN {ids}", ids=ids)),
            )
        )
        return [MessageVersion(*row) for row in zip(*columns, strict=True)]
