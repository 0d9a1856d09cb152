"""The edge: one native-protocol connection on top of asynch, the only module that imports it.

What asynch does differently from what the store needs is put right here, each with its reason: a ping before every
query, inserts encoded value by value, large results copied in one go, one packet read after an insert, errors of a
dozen unrelated types.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import struct
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import chain
from typing import Any

import anyio
import anyio.lowlevel
from asynch.errors import ClickHouseException, ServerException, UnexpectedPacketFromServerError
from asynch.proto.block import RowOrientedBlock
from asynch.proto.connection import Connection
from asynch.proto.context import ExecuteContext
from asynch.proto.protocol import ClientPacket, ServerPacket

from agentstore.connection.needs import Fitted
from agentstore.connection.sql import Sql
from agentstore.errors import (
    AgentStoreError,
    AuthenticationError,
    ConfigError,
    ConnectionFailedError,
    OperationTimeoutError,
    QueryError,
    SchemaError,
)
from agentstore.protocols import Columns

# Its warnings say what our errors say; without a handler Python would print them on the user's terminal.
logging.getLogger("asynch").addHandler(logging.NullHandler())

_AUTHENTICATION_CODES = frozenset({192, 193, 194, 516})
_ERROR_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)[^()]*(?:\(version [^)]*\)+)?\s*$")
# What a lost or torn connection looks like from inside the driver: besides OSError and its own errors, whatever its
# decoders raise when the bytes end early or make no sense.
_BROKEN = (
    OSError,
    EOFError,
    ClickHouseException,
    struct.error,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
    OverflowError,
    MemoryError,
)
# Large enough to keep the number of system calls small, small enough that the loop breathes between two of them.
_WRITE_SLICE = 256 * 1024
_PING_SECONDS = 5.0


class NativeConnection:
    """One connection to one database, used by one task at a time.

    After any error but a ``QueryError`` of a read, ``usable`` is False and the connection has to be closed: what the
    server may still send would be taken for the next answer.
    """

    def __init__(self, connection: _Wire) -> None:
        self._wire = connection
        self._last_used = time.monotonic()
        self.usable = True
        self.fitted = Fitted()
        """What its user's profile takes; see ``profile.py``."""

    @classmethod
    async def connect(
        cls,
        *,
        host: str,
        port: int,
        user: str,
        password: str,
        database: str,
        secure: bool,
        verify: bool,
        ca_certs: str,
        compression: str,
        connect_timeout: float,
    ) -> NativeConnection:
        """Connect and shake hands, or raise ``ConnectionFailedError`` / ``AuthenticationError``."""
        try:
            wire = _Wire(
                host=host,
                port=port,
                user=user,
                password=password,
                database=database,
                client_name="agentstore",
                secure=secure,
                verify=verify,
                ca_certs=ca_certs or None,
                compression=compression or False,
                # Deadlines are ours: a timer for each read would cost more than the read, and the driver's ``wait_for``
                # around a connect or ping loses, up to Python 3.11, a cancellation that comes as it succeeds.
                connect_timeout=None,
                send_receive_timeout=None,
                sync_request_timeout=None,
            )
        except (ImportError, ClickHouseException) as error:
            raise ConfigError(f"compression: {error}", hint="pip install 'agentstore[compression]'") from None
        connection = cls(wire)
        try:
            await connection._shake_hands(f"{host}:{port}", connect_timeout)
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def server_version(self) -> tuple[int, int, int]:
        """Major, minor and patch number of the server."""
        info = self._wire.server_info
        return info.version_major, info.version_minor, info.version_patch

    @property
    def idle_seconds(self) -> float:
        """How long ago the last answer was complete."""
        return time.monotonic() - self._last_used

    def is_alive(self) -> bool:
        """False where the other side is known to have closed. Costs no round trip, so True is no promise."""
        wire = self._wire
        if not (self.usable and wire.connected and not wire.is_query_executing):
            return False
        stream, transport = wire.reader.reader, wire.writer.writer.transport
        return not (stream.at_eof() or stream.exception() or transport.is_closing())

    async def ping(self) -> bool:
        """Whether the server answers. False also marks the connection unusable."""
        self.usable = False
        with contextlib.suppress(*_BROKEN), anyio.move_on_after(_PING_SECONDS):
            self.usable = bool(await self._wire.ping())
        return self.usable

    async def fetch(self, query: Sql, settings: Mapping[str, Any], timeout: float) -> Columns:
        """The result as columns, an empty list where there are no rows."""
        query_id = str(uuid.uuid4())
        async with self._guarded(query_id, timeout, keep_on_refusal=True):
            sent = self.fitted.settings(_sized(settings, query))
            columns = await self._wire.execute(query.text, columnar=True, settings=sent, query_id=query_id)
            return columns if isinstance(columns, list) else []

    async def insert(
        self,
        query: Sql,
        header: Sequence[tuple[str, str]],
        blocks: Sequence[bytes],
        settings: Mapping[str, Any],
        timeout: float,
    ) -> None:
        """One INSERT of encoded blocks; returns when the server has committed it."""
        query_id = str(uuid.uuid4())
        # A refused insert leaves blocks on the wire that the server may or may not read: never keep it.
        async with self._guarded(query_id, timeout, keep_on_refusal=False), _no_text_expected():
            sent = self.fitted.settings(settings)
            await self._wire.insert_blocks(query.text, header, blocks, sent, query_id)

    async def close(self) -> None:
        """Close the socket. Shielded from cancellation, never raises.

        Unsent bytes are dropped: waiting for them would be waiting for a peer that may have stalled. Nor is the stream
        waited for, because a wait that was cancelled once ends every later one as cancelled, in whatever task.
        """
        self.abort()
        await anyio.lowlevel.cancel_shielded_checkpoint()  # the turn of the loop in which the socket is closed

    def abort(self) -> None:
        """Drop the socket without waiting for anything. Never raises."""
        self.usable = False
        if self._wire.connected:
            with contextlib.suppress(*_BROKEN):
                self._wire.writer.writer.transport.abort()

    async def _shake_hands(self, where: str, timeout: float) -> None:
        try:
            with anyio.fail_after(timeout):
                await self._wire.connect()
        except TimeoutError as error:
            raise ConnectionFailedError(f"cannot reach {where}: no answer within {timeout:g} s") from error
        except ServerException as error:
            raise _refusal(where, error) from None
        except _BROKEN as error:
            reason = error.__cause__ or error
            raise ConnectionFailedError(f"cannot reach {where}: {reason}") from error

    @contextlib.asynccontextmanager
    async def _guarded(self, query_id: str, timeout: float, *, keep_on_refusal: bool) -> AsyncIterator[None]:
        self.usable = False
        try:
            with anyio.fail_after(timeout):
                yield
        except TimeoutError as error:
            late = OperationTimeoutError(f"no answer within {timeout:g} s", hint=f"query_id {query_id}")
            raise _unanswered(late) from error
        except ServerException as error:
            self.usable = keep_on_refusal
            raise to_query_error(error, query_id) from None
        except (AgentStoreError, UnicodeDecodeError):
            raise
        except _BROKEN as error:
            lost = ConnectionFailedError(f"the connection was lost: {error!r}", hint=f"query_id {query_id}")
            raise _unanswered(lost) from error
        else:
            self.usable = True
        finally:
            self._last_used = time.monotonic()


@contextlib.asynccontextmanager
async def _no_text_expected() -> AsyncIterator[None]:
    # In a read it means that the data is no text; in an insert that the stream is broken.
    try:
        yield
    except UnicodeDecodeError as error:
        raise ConnectionResetError(str(error)) from error


class _Wire(Connection):  # type: ignore[misc]  # asynch's compiled classes have no usable types
    """asynch's connection with the two paths replaced that cost or lose something."""

    async def force_connect(self) -> None:
        # The original pings before every query and reconnects silently; the pool knows which connections are fresh.
        await self.check_query_execution()
        if not self.connected:
            raise ConnectionResetError("not connected")

    async def receive_result(
        self, with_column_types: bool = False, progress: bool = False, columnar: bool = True
    ) -> Columns:
        # The original copies the whole result twice when it is complete, in one go. Only columns are ever asked for.
        blocks = []
        async for packet in self.packet_generator():
            block = getattr(packet, "block", None)
            if block is not None and block.num_rows:
                blocks.append(block.get_columns())
        return await _joined(blocks)

    async def insert_blocks(
        self,
        query: str,
        header: Sequence[tuple[str, str]],
        blocks: Sequence[bytes],
        settings: dict[str, Any],
        query_id: str,
    ) -> None:
        async with ExecuteContext(self, query, settings):
            await self.send_query(query, query_id=query_id)
            await self.send_external_tables(None)
            sample = await self.receive_sample_block()
            expected, got = [name for name, _ in header], [name for name, _ in sample.columns_with_types]
            if expected != got:
                raise SchemaError(f"the server expects the columns {got}, not {expected}")
            for block in blocks:
                await self._send_encoded(block)
            await self.send_block(RowOrientedBlock())
            await self._receive_end()

    async def _send_encoded(self, block: bytes) -> None:
        await self.writer.write_varint(ClientPacket.DATA)
        await self.writer.write_str("")
        if self.compressor_cls is not None:
            await self.block_writer.writer.write_bytes(block)
            await self.block_writer.finalize()
            return
        await self.writer.flush()
        stream, view = self.writer.writer, memoryview(block)
        for start in range(0, len(view), _WRITE_SLICE):
            stream.write(view[start : start + _WRITE_SLICE])
            await stream.drain()
            # drain() does not yield while the peer keeps up, and then one large block would hold the loop.
            await asyncio.sleep(0)

    async def _receive_end(self) -> None:
        # The original reads one packet and takes it for the end: a Progress before an Exception would hide a failure.
        while True:
            packet = await self._receive_packet()
            if packet.type == ServerPacket.END_OF_STREAM:
                return
            if packet.type == ServerPacket.EXCEPTION:
                raise packet.exception
            if packet.type == ServerPacket.DATA and packet.block.num_rows:
                raise UnexpectedPacketFromServerError("rows in answer to an INSERT")


async def _joined(blocks: list[list[Sequence[Any]]]) -> Columns:
    """The blocks' columns put together, one after the other: a large result must not hold the loop at its end."""
    columns: Columns = []
    for _ in range(len(blocks[0]) if blocks else 0):
        # Taken out of the blocks, so that these are not freed all at once either.
        columns.append(tuple(chain.from_iterable([block.pop(0) for block in blocks])))
        if len(blocks) > 1:
            await asyncio.sleep(0)
    return columns


def _unanswered(error: AgentStoreError) -> AgentStoreError:
    error.outcome_unknown = True
    return error


def to_query_error(error: ServerException, query_id: str = "") -> QueryError:
    """The server's exception in our tree, with its name taken from the end of its text."""
    text = str(error.message or "").strip()
    match = _ERROR_NAME.search(text)
    return QueryError(text, code=int(error.code or 0), name=match[1] if match else "", query_id=query_id)


def _refusal(where: str, error: ServerException) -> AgentStoreError:
    refused = to_query_error(error)
    if refused.code in _AUTHENTICATION_CODES:
        return AuthenticationError(f"{where} refused the user or the password (code {refused.code})")
    return refused


def _sized(settings: Mapping[str, Any], query: Sql) -> dict[str, Any]:
    """Settings that let the server parse this text: its default stops at 256 KiB, and a filter may be a pasted file."""
    size = len(query.text) * 4
    return dict(settings) if size < 200_000 else {**settings, "max_query_size": size + 1024}
