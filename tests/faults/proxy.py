"""A TCP proxy between store and server that breaks the network on purpose.

It forwards bytes, and speaks just enough of the native protocol to see where an INSERT begins, where its data begin and
end, and to put an Exception in the place of the server's answer. What happens to a connection or an insert is asked of
two functions, so a test can script it or draw it from a seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

_INSERT = re.compile(rb"INSERT INTO `(\w+)`")
_TOKEN = re.compile(rb"insert_deduplication_token.{1,2}([0-9a-f]{32})", re.DOTALL)
# The empty block that ends the data of an insert: packet type, table name, block info, no columns, no rows.
_END_OF_DATA = b"\x02\x00\x01\x00\x02\xff\xff\xff\xff\x00\x00\x00"
# Refusals of the data themselves: a server says the same of the same data each time, whichever attempt comes first.
REFUSED_DATA = (27, 53, 117, 469)
_EXCEPTION = 2
_READ_BYTES = 64 * 1024


@dataclass(frozen=True)
class Fault:
    """What is done to one insert.

    * ``cut``: both sides are cut off after ``at_byte`` bytes of its data.
    * ``cut_answer``: the server commits, and both sides are cut off after ``at_byte`` bytes of its answer.
    * ``stall``: after ``at_byte`` bytes of its data nothing moves for ``seconds``.
    * ``stall_answer``: the server commits, and its answer is held back for ``seconds``.
    * ``slow``: every piece of its data is held back for ``seconds``.
    * ``late``: the network swallows its data: nothing moves for the client, however long it waits. All of it reaches
      the server ``seconds`` later, or with ``release_late``, on a connection that outlives the client's.
    * ``late_cut``: the same, and the client is cut off at once.
    * ``refuse``: the server never sees the data; the client is answered with ``code``. One of ``REFUSED_DATA`` is not
      said of data that have reached the server before: it would have said so then, or has committed them.
    * ``refuse_committed``: the server commits, and the client is answered with ``code``, one that says "unknown".
    """

    kind: Literal[
        "cut", "cut_answer", "stall", "stall_answer", "slow", "late", "late_cut", "refuse", "refuse_committed"
    ]
    at_byte: int = 0
    seconds: float = 0.0
    code: int = 0


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
OnInsert = Callable[[str], Fault | None]
OnConnect = Callable[[], Literal["", "refuse", "stall", "cut"]]


class Proxy:
    """Listens on a free port of the loopback and forwards to ``target``, which may change.

    ``on_connect`` says what becomes of a new connection, ``on_insert`` what becomes of an insert into a table.
    ``inserts`` and ``faults`` count what was seen and done. ``die()`` and ``hang()`` do to all connections what the end
    of its host would do, until ``heal()``. Several proxies stand for replicas if they lead to one server: then each but
    the first gets a ``twin``, since what one of them has seen of an insert the others' server knows too.
    """

    def __init__(self, target: tuple[str, int], twin: Proxy | None = None) -> None:
        self.target = target
        self.on_insert: OnInsert = lambda table: None
        self.on_connect: OnConnect = lambda: ""
        self.inserts: list[str] = []
        self.faults: list[Fault] = []
        self._complete: set[bytes] = twin._complete if twin else set()
        self._refused: set[bytes] = twin._refused if twin else set()
        self._moves = asyncio.Event()
        self._moves.set()
        self._late: set[asyncio.Task[None]] = set()
        self._release = asyncio.Event()
        self.delivered_late = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut_all()
        for late in self._late:
            late.cancel()
        while self._connections or self._late:
            await asyncio.wait(self._connections | self._late)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut_all(self) -> None:
        """Cut every connection there is."""
        for connection in self._connections:
            connection.cancel()

    def die(self) -> None:
        """As if its host were killed: all connections are cut, new ones refused."""
        self.on_connect = lambda: "refuse"
        self._moves.set()
        self.cut_all()

    def hang(self) -> None:
        """As if its host's processes were stopped: nothing moves, new connections are accepted and hear nothing."""
        self._moves.clear()

    @property
    def held_late(self) -> int:
        """How many inserts were swallowed and are not delivered yet."""
        return len(self._late)

    async def moves(self) -> None:
        """Returns when it does not hang."""
        await self._moves.wait()

    async def release_late(self) -> int:
        """Deliver what was swallowed and is not there yet; returns when the server has answered all of it, how many."""
        self._release.set()
        while self._late:
            await asyncio.wait(self._late)
        self._release.clear()
        return self.delivered_late

    def deliver_late(self, upstream: Stream, data: list[bytes], token: bytes, seconds: float) -> None:
        """Called by a connection that swallowed an insert: from here on ``upstream`` is the proxy's own."""
        task = asyncio.create_task(self._deliver_late(upstream, data, token, seconds))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _deliver_late(self, upstream: Stream, data: list[bytes], token: bytes, seconds: float) -> None:
        reader, writer = upstream
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._release.wait()
            if self.may_pass(token):
                with contextlib.suppress(OSError):  # a server that was killed meanwhile
                    await _send(writer, b"".join(data))
                    if await reader.read(_READ_BYTES):  # its answer: committed, or refused
                        self.delivered_late += 1
        finally:
            writer.transport.abort()

    def heal(self) -> None:
        """Forward everything from now on."""
        self.on_insert = lambda table: None
        self.on_connect = lambda: ""
        self._moves.set()

    def fault_of(self, table: str, token: bytes) -> Fault | None:
        """Called by a connection that saw an insert begin."""
        self.inserts.append(table)
        fault = self.on_insert(table)
        if fault is not None and fault.kind == "refuse" and fault.code in REFUSED_DATA:
            if token in self._complete:
                return None
            self._refused.add(token)
        if fault is not None:
            self.faults.append(fault)
        return fault

    def may_pass(self, token: bytes) -> bool:
        """Asked by a connection that has the end of an insert's data in its hands.

        Not data that were refused meanwhile: a server would refuse a delayed attempt like the one that overtook it.
        """
        if token in self._refused:
            return False
        self._complete.add(token)
        return True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        # Cancelled by cut_all; asyncio would report that as an error of the handler.
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await self._serve(reader, writer)
        writer.transport.abort()
        self._connections.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fate = self.on_connect()
        if fate == "refuse":
            return
        if fate == "" and not self._moves.is_set():
            fate = "stall"
        if fate == "cut":
            await reader.read(_READ_BYTES)  # its hello
            return
        if fate == "stall":
            while await reader.read(_READ_BYTES):
                pass
            return
        upstream = await asyncio.open_connection(*self.target)
        connection = _Connection(self, (reader, writer), upstream)
        try:
            await connection.run()
        finally:
            if not connection.gave_upstream_away:
                upstream[1].transport.abort()


class _Connection:
    """Both directions of one connection, and where the insert on it stands."""

    def __init__(self, proxy: Proxy, client: Stream, server: Stream) -> None:
        self.gave_upstream_away = False
        self._proxy = proxy
        self._client_reader, self._client = client
        self._server_reader, self._server = server
        self._phase: Literal["idle", "header", "data", "answer"] = "idle"
        self._fault: Fault | None = None
        self._token = b""
        self._tail = b""
        self._passed = 0
        self._swallowed: list[bytes] = []
        self._pumps: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Forward until one side ends, or a fault ends it."""
        self._pumps = pumps = [
            asyncio.create_task(self._pump(self._client_reader, self._from_client)),
            asyncio.create_task(self._pump(self._server_reader, self._from_server)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self.gave_upstream_away:  # that pump was ended for it; the other one waits for the client to give up
                await asyncio.wait(pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, forward: Callable[[bytes], Awaitable[bool]]) -> None:
        while data := await reader.read(_READ_BYTES):
            await self._proxy.moves()
            if await forward(data):
                return

    async def _from_client(self, data: bytes) -> bool:
        if self._phase in ("idle", "answer") and (found := _INSERT.search(data)):
            self._phase, self._passed, self._tail = "header", 0, b""
            token = _TOKEN.search(data)
            self._token = token[1] if token else b""
            self._fault = self._proxy.fault_of(found[1].decode(), self._token)
        elif self._phase == "data":
            return await self._data(data)
        await _send(self._server, data)
        return False

    async def _data(self, data: bytes) -> bool:
        """Pass on a piece of an insert's data; True where the connection ends."""
        self._tail = (self._tail + data)[-len(_END_OF_DATA) :]
        ended = self._tail == _END_OF_DATA
        fault, before = self._fault, self._passed
        self._passed += len(data)
        if ended:
            self._phase = "answer"
        if fault is not None and fault.kind == "refuse":
            if ended:
                await _send(self._client, exception_packet(fault.code))
            return ended
        if fault is not None and fault.kind in ("late", "late_cut"):
            return await self._swallow(data, fault, ended)
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind in ("cut", "stall") and (self._passed >= fault.at_byte or ended):
            # Never all of it: this is about data that are incomplete.
            first = max(0, min(fault.at_byte - before, len(data) - 1))
            await _send(self._server, data[:first])
            if fault.kind == "cut":
                return True
            await asyncio.sleep(fault.seconds)
            self._fault, data = None, data[first:]
        if ended and not self._proxy.may_pass(self._token):
            return True
        await _send(self._server, data)
        return False

    async def _swallow(self, data: bytes, fault: Fault, ended: bool) -> bool:
        """Keep a piece; at the end of the data they and the server's side are the proxy's, and the client is deaf."""
        self._swallowed.append(data)
        if not ended:
            return False
        self.gave_upstream_away = True
        self._pumps[1].cancel()  # two must not read one stream
        self._proxy.deliver_late((self._server_reader, self._server), self._swallowed, self._token, fault.seconds)
        while fault.kind == "late" and await self._client_reader.read(_READ_BYTES):
            pass
        return True

    async def _from_server(self, data: bytes) -> bool:
        if self._phase == "header":
            self._phase = "data"
        fault = self._fault
        if self._phase != "answer" or fault is None:
            await _send(self._client, data)
            return False
        if fault.kind == "stall_answer":
            await asyncio.sleep(fault.seconds)
            self._fault = None
        if fault.kind == "cut_answer":
            await _send(self._client, data[: fault.at_byte])
            return True
        if fault.kind == "refuse_committed":
            await _send(self._client, exception_packet(fault.code))
            return True
        await _send(self._client, data)
        return False


def exception_packet(code: int) -> bytes:
    """What a server sends where it fails."""
    text = f"Code: {code}. DB::Exception: said by the proxy. (PROXY_SAYS)"
    return bytes([_EXCEPTION]) + struct.pack("<i", code) + b"".join(map(_string, ("DB::Exception", text, ""))) + b"\x00"


def _string(text: str) -> bytes:
    raw = text.encode()
    assert len(raw) < 128  # one byte is enough for its length
    return bytes([len(raw)]) + raw


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
