"""Writes: records are checked and encoded first, then committed table by table in the order of publication."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import anyio.lowlevel

from agentstore.connection.sql import Sql, sql
from agentstore.errors import AgentStoreError, InvalidArgumentError, WriteError
from agentstore.models import GitLink, Message, MessagePin, Session, SessionDelete, SessionStar, ToolCall
from agentstore.protocols import Executor
from agentstore.write.inserter import Batch, Inserter
from agentstore.write.normalize import number_calls, of_session
from agentstore.write.rows import MESSAGES, SESSIONS, TABLES, TOOL_CALLS, EncodedRows, Table, encode_rows

# Encoded at a time: small enough that the loop is free again within milliseconds.
_CHUNK_ROWS = 1000
# Session ids in one statement: far below the limits on a query's size.
_DELETE_CHUNK = 500


class Writer:
    """Turns records into committed rows. Concurrent calls are independent of each other."""

    def __init__(self, executor: Executor, inserter: Inserter) -> None:
        self._executor = executor
        self._inserter = inserter

    async def write_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message],
        tool_calls: Iterable[ToolCall],
        *,
        replace: bool,
    ) -> None:
        """See ``AsyncClickHouseStore.write_session``."""
        if not isinstance(session, Session):
            raise InvalidArgumentError(f"session: expected Session, got {type(session).__name__}", record="session")
        session_rows = encode_rows(SESSIONS, org_id, [session], name="session")
        message_list = of_session(messages, session.id, "messages")
        call_list = number_calls(of_session(tool_calls, session.id, "tool_calls"))
        message_rows = await self._encode(MESSAGES, org_id, message_list, "messages")
        call_rows = await self._encode(TOOL_CALLS, org_id, call_list, "tool_calls")
        if replace:
            message_rows += await self._tombstones(MESSAGES, org_id, session.id, message_list)
            call_rows += await self._tombstones(TOOL_CALLS, org_id, session.id, call_list)
        await self._commit(MESSAGES, org_id, message_list, message_rows)
        await self._commit(TOOL_CALLS, org_id, call_list, call_rows)
        await self._commit(SESSIONS, org_id, [session], [session_rows])

    async def write_batch(
        self, org_id: str, sessions: Iterable[Session], messages: Iterable[Message], tool_calls: Iterable[ToolCall]
    ) -> None:
        """See ``AsyncClickHouseStore.write_batch``."""
        session_list, message_list = list(sessions), list(messages)
        call_list = number_calls(list(tool_calls))
        session_rows = await self._encode(SESSIONS, org_id, session_list, "sessions")
        message_rows = await self._encode(MESSAGES, org_id, message_list, "messages")
        call_rows = await self._encode(TOOL_CALLS, org_id, call_list, "tool_calls")
        await self._commit(MESSAGES, org_id, message_list, message_rows)
        await self._commit(TOOL_CALLS, org_id, call_list, call_rows)
        await self._commit(SESSIONS, org_id, session_list, session_rows)

    async def write(
        self,
        table: Table,
        org_id: str,
        records: Iterable[GitLink] | Iterable[SessionStar] | Iterable[MessagePin] | Iterable[SessionDelete],
        *,
        name: str,
        remove: bool = False,
    ) -> None:
        """Write records of one table, or remove them by their keys."""
        found = list(records)
        rows = await self._encode(table, org_id, found, name, deleted=remove)
        await self._commit(table, org_id, found, rows)

    async def delete_sessions(self, org_id: str, session_ids: Iterable[str]) -> None:
        """See ``AsyncClickHouseStore.delete_sessions``."""
        if isinstance(session_ids, str):
            raise InvalidArgumentError("session_ids: expected several ids, got one str", field="session_ids")
        ids = list(session_ids)
        for index, session_id in enumerate(ids):
            if not isinstance(session_id, str) or not session_id:
                raise InvalidArgumentError(f"session_ids[{index}]: {session_id!r} is no id", field="session_ids")
        # The session first: from then on nothing leads to the rest, also if the rest fails and has to be repeated.
        for table in reversed(TABLES):
            for start in range(0, len(ids), _DELETE_CHUNK):
                await self._bury(table, org_id, ids[start : start + _DELETE_CHUNK])

    async def flush(self) -> None:
        """Returns when all that was accepted before it is committed: every write here waits for its own commit."""
        await anyio.lowlevel.checkpoint()

    async def _encode(
        self, table: Table, org_id: str, records: Sequence[Any], name: str, *, deleted: bool = False
    ) -> list[EncodedRows]:
        rows = []
        for start in range(0, len(records), _CHUNK_ROWS):
            chunk = records[start : start + _CHUNK_ROWS]
            rows.append(encode_rows(table, org_id, chunk, name=name, deleted=deleted, offset=start))
            await anyio.lowlevel.checkpoint()
        return rows

    async def _commit(self, table: Table, org_id: str, records: Sequence[Any], rows: Sequence[EncodedRows]) -> None:
        if not rows:
            return
        try:
            await self._inserter.insert(Batch.of(rows))
        except AgentStoreError as error:
            raise WriteError(
                f"{sum(part.row_count for part in rows)} rows of {table.name} are not known to be stored: {error}",
                table=table.name,
                keys=[table.key_of(org_id, record) for record in records],
                retriable=error.retriable,
            ) from error

    async def _tombstones(
        self, table: Table, org_id: str, session_id: str, mentioned: Sequence[Any]
    ) -> list[EncodedRows]:
        """Removal rows for what is stored of the session and not mentioned."""
        fields = table.key[1:]
        columns = await self._executor.fetch(
            sql(
                "SELECT {fields} FROM {table} FINAL WHERE org_id = {org_id} AND session_id = {session_id}",
                fields=Sql(", ".join(fields)),
                table=Sql(table.name),
                org_id=org_id,
                session_id=session_id,
            )
        )
        kept = {tuple(getattr(record, name) for name in fields) for record in mentioned}
        stale = [row for row in zip(*columns, strict=True) if row not in kept]
        records = [table.record(session_id=session_id, **dict(zip(fields, row, strict=True))) for row in stale]
        return await self._encode(table, org_id, records, table.name, deleted=True)

    async def _bury(self, table: Table, org_id: str, ids: Sequence[str]) -> None:
        session_field = table.key[0]
        key = Sql(", ".join(("org_id", *table.key)))
        await self._executor.execute(
            sql(
                "INSERT INTO {table} ({key}, _deleted) SELECT {key}, 1 FROM {table} FINAL"
                " WHERE org_id = {org_id} AND {session} IN {ids}",
                table=Sql(table.name),
                key=key,
                org_id=org_id,
                session=Sql(session_field),
                ids=tuple(ids),
            )
        )
