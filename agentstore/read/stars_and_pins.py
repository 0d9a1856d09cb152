"""Stars, pins and deletion marks."""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.models import MessagePin, SessionDelete, SessionStar
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import text
from agentstore.read.floors import MARKS, above_floor, above_floors
from agentstore.read.lanes import ReadLanes


class MarkReads(ReadLanes):
    """Reads about what users set on sessions and messages."""

    async def list_session_stars(self, org_id: str, session_id: str = "") -> list[SessionStar]:
        """Stars of a session, or of the whole organisation, newest first."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT org_id, session_id, user_id, toUnixTimestamp64Micro(created_at) FROM session_stars FINAL"
                " WHERE org_id = {org_id} AND {scope} ORDER BY created_at DESC NULLS LAST, session_id, user_id",
                org_id=text(org_id, "org_id"),
                scope=_scope(org_id, session_id),
            )
        )
        return await build_in_slices(SessionStar, columns, time_columns=[3])

    async def list_message_pins(self, org_id: str, session_id: str = "") -> list[MessagePin]:
        """Pins of a session, or of the whole organisation, by message_ordinal, then newest first."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT org_id, session_id, message_ordinal, user_id, note, toUnixTimestamp64Micro(created_at)"
                " FROM message_pins FINAL WHERE org_id = {org_id} AND {scope}"
                " ORDER BY message_ordinal, created_at DESC NULLS LAST, session_id, user_id",
                org_id=text(org_id, "org_id"),
                scope=_scope(org_id, session_id),
            )
        )
        return await build_in_slices(MessagePin, columns, time_columns=[5])

    async def list_session_deletes(self, org_id: str) -> list[SessionDelete]:
        """Deletion marks of the organisation, newest first."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT org_id, session_id, user_id, toUnixTimestamp64Micro(created_at) FROM session_deletes FINAL"
                " WHERE org_id = {org_id} ORDER BY created_at DESC NULLS LAST, session_id",
                org_id=text(org_id, "org_id"),
            )
        )
        return await build_in_slices(SessionDelete, columns, time_columns=[3])


def _scope(org_id: str, session_id: str) -> Sql:
    if not text(session_id, "session_id"):
        return above_floors(org_id, MARKS)
    return sql("session_id = {id} AND {seen}", id=session_id, seen=above_floor(org_id, session_id, MARKS))
