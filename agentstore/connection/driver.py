"""The edge: one native-protocol connection on top of ``wire.py``, whose errors of a dozen types become ours here."""

from __future__ import annotations

import contextlib
import re
import struct
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import anyio
import anyio.lowlevel

from agentstore.connection.needs import Fitted
from agentstore.connection.peer import Peer, Watch
from agentstore.connection.sql import Sql
from agentstore.connection.wire import ClickHouseException, ServerException, Wire
from agentstore.errors import (
    AgentStoreError,
    AuthenticationError,
    ConfigError,
    ConnectionFailedError,
    OperationTimeoutError,
    QueryError,
)
from agentstore.protocols import Columns
from agentstore.settings import ConnectOptions, Host
from agentstore.telemetry.statements import Target, statement

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
# UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE: with read_your_writes one table takes one insert at a time, on all replicas.
_QUORUM_UNDER_WAY = 286
# How long an idle connection's ping is waited for: where there is another host to go to, and where there is none.
_PING_SECONDS, _PING_ALONE_SECONDS = 1.0, 5.0


class NativeConnection:
    """One connection to one database, used by one task at a time.

    After any error but a ``QueryError`` of a read, ``usable`` is False and the connection has to be closed: what the
    server may still send would be taken for the next answer.
    """

    def __init__(self, connection: Wire) -> None:
        self.peer: Peer | None = None
        self._wire = connection
        self._target = Target()
        self._given_up = False
        self._last_used = time.monotonic()
        self.usable = True
        self.fitted = Fitted()
        """What its user's profile takes; see ``profile.py``."""

    @classmethod
    async def connect(
        cls, options: ConnectOptions, host: Host, database: str, *, seconds: float, address: str = ""
    ) -> NativeConnection:
        """Connect and shake hands within so many seconds, or raise ``ConnectionFailedError`` / ``AuthenticationError``.

        ``host`` is where to, whatever hosts the options name; ``address`` the one of its addresses, "" any.
        """
        try:
            wire = Wire(
                host=host.name,
                port=host.port,
                user=options.user,
                password=options.password,
                database=database,
                client_name="agentstore",
                secure=options.secure,
                verify=options.verify,
                ca_certs=options.ca_certs or None,
                compression=options.compression or False,
                # Deadlines are ours: a timer for each read would cost more than the read, and the driver's ``wait_for``
                # around a connect or ping loses, up to Python 3.11, a cancellation that comes as it succeeds.
                connect_timeout=None,
                send_receive_timeout=None,
                sync_request_timeout=None,
            )
        except (ImportError, ClickHouseException) as error:
            raise ConfigError(f"compression: {error}", hint="pip install 'agentstore[compression]'") from None
        connection, wire.address = cls(wire), address
        connection._target = Target(host.name, host.port, database)
        try:
            await connection._shake_hands(_where(host, address), seconds)
        except BaseException:
            # Also where this is cancelled: no pool knows of the connection yet.
            connection.abort()
            raise
        return connection

    @property
    def idle_seconds(self) -> float:
        """How long ago the last answer was complete."""
        return time.monotonic() - self._last_used

    def is_alive(self) -> bool:
        """False where the other side is known to have closed. Costs no round trip, so True is no promise."""
        wire = self._wire
        if not (self.usable and wire.connected and not wire.is_query_executing):
            return False
        if self.peer is not None and not self.peer.is_trusted:
            return False  # its host failed others meanwhile: each idle connection would cost another failure
        stream, transport = wire.reader.reader, wire.writer.writer.transport
        return not (stream.at_eof() or stream.exception() or transport.is_closing())

    async def ping(self) -> bool:
        """Whether the server answers. False also marks the connection unusable."""
        # Until the answer is there: however this ends, the rest of it must not be taken for the answer to something
        # else.
        self.usable = False
        seconds = _PING_SECONDS if self.peer is not None and self.peer.has_others else _PING_ALONE_SECONDS
        with contextlib.suppress(*_BROKEN), anyio.move_on_after(seconds):
            self.usable = bool(await self._wire.ping())
        self._tell_peer(answered=self.usable)
        return self.usable

    async def fetch(self, query: Sql, settings: Mapping[str, Any], timeout: float) -> Columns:
        """The result as columns, an empty list where there are no rows."""
        query_id = str(uuid.uuid4())
        with statement(self._target, query.text, query_id):
            return await self._fetch(query, query_id, settings, timeout)

    async def _fetch(self, query: Sql, query_id: str, settings: Mapping[str, Any], timeout: float) -> Columns:
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
        with statement(self._target, query.text, query_id):
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
        # Until the answer is complete, so that a cancellation, too, leaves it unusable: what the server still sends
        # would be taken for the answer to the next statement.
        self.usable = False
        # It may have lain idle for minutes: silence is counted from the question on.
        self._wire.heard = time.monotonic()
        try:
            with anyio.fail_after(timeout):
                async with Watch(self.peer, lambda: self._wire.heard, self._give_up):
                    yield
        except TimeoutError as error:
            if error.errno is not None:  # the system's: TCP found nobody there any more
                raise self._lost(error, query_id) from error
            late = OperationTimeoutError(f"no answer within {timeout:g} s", hint=f"query_id {query_id}")
            raise _with_unknown_outcome(late) from error
        except ServerException as error:
            # The server ends a refused read with its exception: nothing else of it is on the way.
            self.usable = keep_on_refusal
            refused = to_query_error(error, query_id)
            # A replica that lost its keeper, is full or shuts down refuses inserts that another one takes.
            if keep_on_refusal or not refused.retriable or refused.code == _QUORUM_UNDER_WAY:
                self._tell_peer(answered=True)
            elif self.peer is not None:
                self.peer.refused()
            raise refused from None
        # Before `_BROKEN`, which holds ValueError: text that is not UTF-8 is no fault of the connection's, and the pool
        # reads it again as bytes.
        except (AgentStoreError, UnicodeDecodeError):
            raise
        except _BROKEN as error:
            raise self._lost(error, query_id) from error
        else:
            self.usable = True
            self._tell_peer(answered=True)
        finally:
            self._last_used = time.monotonic()

    def _lost(self, error: BaseException, query_id: str) -> AgentStoreError:
        self._tell_peer(answered=False)
        reason = "its host does not answer any more" if self._given_up else repr(error)
        lost = ConnectionFailedError(f"the connection was lost: {reason}", hint=f"query_id {query_id}")
        return _with_unknown_outcome(lost)

    def _tell_peer(self, *, answered: bool) -> None:
        if self.peer is not None:
            self.peer.answered() if answered else self.peer.lost()

    def _give_up(self) -> None:
        # Before the abort, which makes the wait for the answer fail: the error that follows is told by it.
        self._given_up = True
        self.abort()


@contextlib.asynccontextmanager
async def _no_text_expected() -> AsyncIterator[None]:
    # In a read it means that the data is no text; in an insert that the stream is broken.
    try:
        yield
    except UnicodeDecodeError as error:
        raise ConnectionResetError(str(error)) from error


def _where(host: Host, address: str) -> str:
    return str(host) if address in ("", host.name) else f"{host} ({address})"


def _with_unknown_outcome(error: AgentStoreError) -> AgentStoreError:
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
