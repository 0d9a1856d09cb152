"""What people said in a session, without what was answered."""

from __future__ import annotations

from agentstore.connection.sql import sql
from agentstore.models import Prompt
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import text
from agentstore.read.floors import above_floor
from agentstore.read.lanes import ReadLanes
from agentstore.read.messages import whole_number
from agentstore.read.versions import VERSION

_TIME = Prompt.__struct_fields__.index("timestamp")


class PromptReads(ReadLanes):
    """Reads of prompts."""

    async def session_prompts(self, org_id: str, session_id: str, *, max_characters: int = 200) -> list[Prompt]:
        """The messages with role "user" by ordinal, each with the first ``max_characters`` characters of its text.

        Of an unknown session there are none. Texts of other messages are not sent.
        """
        columns = await self._open_pool.fetch(
            sql(
                "SELECT ordinal, toUnixTimestamp64Micro(timestamp), substringUTF8(content, 1, {most}),"
                " content_length, source_id, {version} FROM messages FINAL"
                " PREWHERE org_id = {org_id} AND session_id = {session_id}"
                " WHERE role = 'user' AND {seen} ORDER BY ordinal",
                version=VERSION,
                most=whole_number(max_characters, "max_characters"),
                org_id=text(org_id, "org_id"),
                session_id=text(session_id, "session_id"),
                seen=above_floor(org_id, session_id),
            )
        )
        return await build_in_slices(Prompt, columns, time_columns=[_TIME])
