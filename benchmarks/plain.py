"""What to compare with: the bare driver, three inserts for each session, over a pool of connections."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from asynch.proto.connection import Connection

from agentstore import ConnectOptions, Message, Session, ToolCall
from agentstore.models import Record

_TABLES: dict[type[Record], str] = {Message: "messages", ToolCall: "tool_calls", Session: "sessions"}
_DERIVED = {"commit_count", "tool_call_count", "copied_message_count", "origin_session_id"}


class PlainWriter:
    """A pool of ``size`` connections of the bare driver, and inserts of columns made from records."""

    def __init__(self, options: ConnectOptions, size: int) -> None:
        self._options = options
        self._size = size
        self._idle: asyncio.Queue[Any] = asyncio.Queue()

    async def __aenter__(self) -> PlainWriter:
        options = self._options
        for _ in range(self._size):
            connection: Any = Connection(
                host=options.host,
                port=options.native_port,
                user=options.user,
                password=options.password,
                database=options.database,
                secure=options.secure,
            )
            await connection.connect()
            self._idle.put_nowait(connection)
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._size:
            self._size -= 1
            await (await self._idle.get()).disconnect()

    async def write_session(self, session: Session, messages: Sequence[Message], calls: Sequence[ToolCall]) -> None:
        """Three inserts, the session last."""
        await self.insert(messages)
        await self.insert(calls)
        await self.insert([session])

    async def insert(self, records: Sequence[Any]) -> None:
        """One insert of records of one kind."""
        fields, columns = columns_of(records)
        await self.insert_columns(_TABLES[type(records[0])], fields, columns)

    async def insert_columns(self, table: str, fields: Sequence[str], columns: list[list[Any]]) -> None:
        """One insert of columns made beforehand."""
        connection = await self._idle.get()
        try:
            await connection.execute(f"INSERT INTO {table} ({', '.join(fields)}) VALUES", columns, columnar=True)
        finally:
            self._idle.put_nowait(connection)

    async def select(self, record: type[Record], session_id: str) -> Any:
        """All columns of a session's messages or tool calls."""
        connection = await self._idle.get()
        fields, table = ", ".join(record.__struct_fields__), _TABLES[record]
        try:
            return await connection.execute(
                f"SELECT {fields} FROM {table} FINAL WHERE session_id = '{session_id}'", columnar=True
            )
        finally:
            self._idle.put_nowait(connection)


def columns_of(records: Sequence[Any]) -> tuple[list[str], list[list[Any]]]:
    """Names and values of the columns."""
    fields = [name for name in records[0].__struct_fields__ if name not in _DERIVED]
    return fields, [[getattr(record, name) for record in records] for name in fields]
