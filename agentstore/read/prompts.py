"""What people said in a session, without what was answered."""

from __future__ import annotations

from agentstore.connection.sql import sql
from agentstore.models import Message
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import text
from agentstore.read.decoding import selection
from agentstore.read.floors import above_floor
from agentstore.read.lanes import ReadLanes
from agentstore.read.messages import constants, whole_number

_FIELDS = ("ordinal", "role", "timestamp", "content_length", "source_id")


class PromptReads(ReadLanes):
    """Reads of prompts."""

    async def session_prompts(self, org_id: str, session_id: str, *, max_characters: int = 200) -> list[Message]:
        """The messages with role "user" by ordinal, each with the first ``max_characters`` characters of its text.

        Only ordinal, role, content, timestamp, content_length and source_id are filled; content_length is that of the
        whole text. Of an unknown session there are none.
        """
        most = whole_number(max_characters, "max_characters")
        columns, time_columns = selection(_FIELDS)
        found = await self._open_pool.fetch(
            sql(
                "SELECT {columns}, substringUTF8(content, 1, {most}) FROM messages FINAL"
                " WHERE org_id = {org_id} AND session_id = {session_id} AND role = 'user' AND {seen} ORDER BY ordinal",
                columns=columns,
                most=most,
                org_id=text(org_id, "org_id"),
                session_id=text(session_id, "session_id"),
                seen=above_floor(org_id, session_id),
            )
        )
        kept = constants(Message, org_id, session_id)
        return await build_in_slices(Message, found, time_columns=time_columns, constants=kept)
