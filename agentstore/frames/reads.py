"""``store.arrow``: reads that answer with Arrow, without a Struct for each row in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Unpack

import msgspec
import pyarrow as pa

from agentstore.connection.sql import valid_text
from agentstore.filters import AnalyticsKeywords, takes_analytics_keywords
from agentstore.frames.schemas import schema_of
from agentstore.frames.tables import Same, batch_of, to_arrow
from agentstore.models import (
    CostRow,
    DailyActivity,
    GitLink,
    HeatmapCell,
    Message,
    ModelTokenUsage,
    ProjectInfo,
    Session,
    SessionFilter,
    ToolCall,
    ToolUsageStat,
    UserInfo,
    UserUsage,
)
from agentstore.protocols import Columns
from agentstore.read.messages import MESSAGES, TOOL_CALLS, constants
from agentstore.read.sessions import all_values
from agentstore.read.slices import Sliced, slices

if TYPE_CHECKING:
    from agentstore.store import AsyncClickHouseStore

# Some milliseconds of the event loop.
_ROWS_AT_ONCE = 5_000


class ArrowReads:
    """The reads of a store under the same names, with the same arguments and errors.

    What is a list there is a ``pyarrow.Table`` here, with a column for each field of the Struct (``schema_of``); an
    iterator yields ``pyarrow.RecordBatch``, some megabytes of text or some hundreds of sessions each, whatever there is
    in all. ``polars_of`` and ``pandas_of`` make frames of tables.
    """

    def __init__(self, store: AsyncClickHouseStore) -> None:
        self._store = store

    # --- rows ---------------------------------------------------------------------------------------------------

    async def list_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> pa.Table:
        """One page of sessions, without cursor and total."""
        return to_arrow((await self._store.list_sessions(org_id, filter)).sessions, Session)

    def iter_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> AsyncIterator[pa.RecordBatch]:
        """All sessions that match, in the order of ``list_sessions``."""
        return _sessions(self._store, org_id, filter)

    async def get_session_messages(
        self,
        org_id: str,
        session_id: str,
        *,
        after_ordinal: int | None = None,
        before_ordinal: int | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """The messages of a session, by ordinal."""
        columns = await self._store._message_columns(org_id, session_id, after_ordinal, before_ordinal, limit)
        return await _table(Message, columns, constants(Message, org_id, session_id))

    async def get_session_tool_calls(
        self, org_id: str, session_id: str, *, after: tuple[int, str, int] | None = None, limit: int | None = None
    ) -> pa.Table:
        """The tool calls of a session, by their keys."""
        columns = await self._store._tool_call_columns(org_id, session_id, after, limit)
        return await _table(ToolCall, columns, constants(ToolCall, org_id, session_id))

    async def get_session_git_links(self, org_id: str, session_id: str) -> pa.Table:
        """The git links of a session."""
        return to_arrow(await self._store.get_session_git_links(org_id, session_id), GitLink)

    def iter_messages(self, org_id: str, session_id: str = "") -> AsyncIterator[pa.RecordBatch]:
        """All messages of a session, or ("") of the whole organisation, by session_id and ordinal."""
        return _rows(self._store, org_id, session_id, Message, MESSAGES)

    def iter_tool_calls(self, org_id: str, session_id: str = "") -> AsyncIterator[pa.RecordBatch]:
        """All tool calls of a session, or ("") of the whole organisation, by session_id and their keys."""
        return _rows(self._store, org_id, session_id, ToolCall, TOOL_CALLS)

    # --- who and what there is ----------------------------------------------------------------------------------

    async def list_users(self, org_id: str) -> pa.Table:
        """The users of browsable sessions."""
        return to_arrow(await self._store.list_users(org_id), UserInfo)

    async def list_projects(self, org_id: str) -> pa.Table:
        """The projects of browsable sessions."""
        return to_arrow(await self._store.list_projects(org_id), ProjectInfo)

    # --- analytics: few rows, whatever is counted ---------------------------------------------------------------

    @takes_analytics_keywords
    async def usage_by_user(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> pa.Table:
        """Sessions, messages, git links and tokens by user, agent and project."""
        return to_arrow(await self._store.usage_by_user(org_id, **keywords), UserUsage)

    @takes_analytics_keywords
    async def activity_heatmap(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> pa.Table:
        """Session starts by weekday and hour."""
        return to_arrow(await self._store.activity_heatmap(org_id, **keywords), HeatmapCell)

    @takes_analytics_keywords
    async def tool_usage_distribution(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> pa.Table:
        """The most used tools."""
        return to_arrow(await self._store.tool_usage_distribution(org_id, **keywords), ToolUsageStat)

    @takes_analytics_keywords
    async def daily_activity(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> pa.Table:
        """Sessions, messages and output tokens by day."""
        return to_arrow(await self._store.daily_activity(org_id, **keywords), DailyActivity)

    @takes_analytics_keywords
    async def token_usage_by_model(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> pa.Table:
        """Tokens by model."""
        return to_arrow(await self._store.token_usage_by_model(org_id, **keywords), ModelTokenUsage)

    @takes_analytics_keywords
    async def cost_by(
        self, org_id: str, key: str, *, limit: int = 100, **keywords: Unpack[AnalyticsKeywords]
    ) -> pa.Table:
        """The rows of a cost report; its total and its unpriced models are in ``store.cost_by``."""
        return to_arrow((await self._store.cost_by(org_id, key, limit=limit, **keywords)).rows, CostRow)


async def _sessions(
    store: AsyncClickHouseStore, org_id: str, filter: SessionFilter
) -> AsyncGenerator[pa.RecordBatch, None]:
    async with aclosing(all_values(store._heavy, org_id, filter)) as found:
        async for rows in found:
            if rows:
                yield batch_of(Session, list(zip(*rows, strict=True)))


async def _rows(
    store: AsyncClickHouseStore, org_id: str, session_id: str, record: type[msgspec.Struct], of: Sliced
) -> AsyncGenerator[pa.RecordBatch, None]:
    position = record.__struct_fields__.index("org_id")
    async with aclosing(slices(store._heavy, org_id, session_id, of)) as found:
        async for columns in found:
            yield batch_of(record, _with(columns, {position: valid_text(org_id)}))


async def _table(record: type[msgspec.Struct], columns: Columns, constants: dict[int, str]) -> pa.Table:
    """In slices, between which other tasks run: so a column of the table may also have more than two gigabytes."""
    count = len(columns[0]) if columns else 0
    batches = []
    for start in range(0, count, _ROWS_AT_ONCE):
        part = [column[start : start + _ROWS_AT_ONCE] for column in columns]
        batches.append(batch_of(record, _with(part, constants)))
        await asyncio.sleep(0)
    return pa.Table.from_batches(batches, schema_of(record))


def _with(columns: Columns, constants: dict[int, str]) -> list[Sequence[Any] | Same]:
    """The columns, and between them those that have one value."""
    found: list[Sequence[Any] | Same] = list(columns)
    for position, value in constants.items():
        found.insert(position, Same(value, len(columns[0])))
    return found
