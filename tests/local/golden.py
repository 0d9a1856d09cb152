"""Conversations recorded from real clients, each packet as bytes with a readable twin.

`python -m tests.local.golden NAME…` records them anew into golden/NAME.txt: lines of `> bytes` (client) or `< bytes`
(server) in hexadecimal, each followed by `= what it says`.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from agentstore.local.protocol import packets as protocol
from agentstore.local.protocol.blocks import read_block
from agentstore.local.protocol.packets import ClientPacket, ServerPacket
from agentstore.local.protocol.wire import ByteBuffer, Reader, complete, read_text, read_uint, read_varint

FOLDER = Path(__file__).parent / "golden"
NAMES = ("asynch", "clickhouse_driver", "clickhouse_client_18", "clickhouse_client_18_insert")
LIMIT = 1 << 20
# The error comes last: clickhouse-driver drops the connection after one.
STATEMENTS = (
    "SELECT 1 AS one, 'ä' AS text",
    "CREATE TABLE golden (a UInt8, s String) ENGINE = Memory",
    "INSERT INTO golden (a, s) VALUES",
    "SELECT a, s FROM golden",
    "SELECT 1 WHERE 0",
    "DROP TABLE golden",
    "SELECT nosuch",
)


@dataclass(frozen=True)
class Packet:
    from_client: bool
    data: bytes
    twin: str


Read = Callable[[ByteBuffer, int], Reader[str]]


def load(name: str) -> list[Packet]:
    lines = (FOLDER / f"{name}.txt").read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    return [
        Packet(line[0] == ">", bytes.fromhex(line[2:]), twin.removeprefix("= "))
        for line, twin in zip(lines[::2], lines[1::2], strict=True)
    ]


def revision_of(packets: list[Packet]) -> int:
    buffer = ByteBuffer(packets[0].data[1:])
    return min(complete(protocol.read_hello(buffer)).revision, protocol.SERVER_REVISION)


def setting_kind(name: str) -> str | None:
    return {"max_block_size": "uint", "max_threads": "uint"}.get(name)


def read_client_packet(buffer: ByteBuffer, revision: int) -> Reader[str]:
    """What one packet from a client says."""
    kind = ClientPacket((yield from protocol.read_packet_type(buffer)))
    if kind is ClientPacket.HELLO:
        return repr((yield from protocol.read_hello(buffer)))
    if kind is ClientPacket.QUERY:
        return repr((yield from protocol.read_query(buffer, revision, LIMIT, setting_kind)))
    if kind in (ClientPacket.DATA, ClientPacket.SCALAR):
        name = yield from read_text(buffer, LIMIT)
        return f"{kind.name} {name!r} {(yield from read_block(buffer, LIMIT))!r}"
    return kind.name


def read_server_packet(buffer: ByteBuffer, revision: int) -> Reader[str]:
    """What one packet from the server says."""
    kind = ServerPacket((yield from read_varint(buffer)))
    if kind is ServerPacket.HELLO:
        return "HELLO " + (yield from _hello(buffer, revision))
    if kind is ServerPacket.DATA:
        name = yield from read_text(buffer, LIMIT)
        return f"DATA {name!r} {(yield from read_block(buffer, LIMIT))!r}"
    if kind is ServerPacket.EXCEPTION:
        code = yield from read_uint(buffer, 4)
        texts = []
        for _ in range(3):
            texts.append((yield from read_text(buffer, LIMIT)))  # noqa: PERF401 (a generator cannot be awaited in one)
        return f"EXCEPTION {code} {texts} nested={(yield from read_uint(buffer, 1))}"
    if kind is ServerPacket.TABLE_COLUMNS:
        name = yield from read_text(buffer, LIMIT)
        return f"TABLE_COLUMNS {name!r} {(yield from read_text(buffer, LIMIT))!r}"
    if kind is ServerPacket.PROGRESS:
        return f"PROGRESS {(yield from _varints(buffer, 5 if revision >= protocol.WRITE_INFO else 3))}"
    if kind is ServerPacket.PROFILE_INFO:
        counts = yield from _varints(buffer, 3)
        return f"PROFILE_INFO {counts} {(yield from _varints(buffer, 3))}"
    return kind.name


def _hello(buffer: ByteBuffer, revision: int) -> Reader[str]:
    name = yield from read_text(buffer, LIMIT)
    numbers = yield from _varints(buffer, 3)
    timezone = yield from read_text(buffer, LIMIT)
    display = (yield from read_text(buffer, LIMIT)) if revision >= protocol.DISPLAY_NAME else ""
    patch = (yield from _varints(buffer, 1)) if revision >= protocol.VERSION_PATCH else []
    return f"{name} {numbers} {timezone} {display!r} {patch}"


def _varints(buffer: ByteBuffer, count: int) -> Reader[list[int]]:
    values = []
    for _ in range(count):
        values.append((yield from read_varint(buffer)))  # noqa: PERF401 (a generator cannot be awaited in one)
    return values


def split(data: bytes, revision: int, read: Callable[[ByteBuffer, int], Reader[str]]) -> Iterator[tuple[bytes, str]]:
    """The packets in `data`, with their twins."""
    buffer = ByteBuffer(data)
    while buffer.unread:
        start = buffer.offset
        twin = complete(read(buffer, revision))
        yield data[start : buffer.offset], twin


# Recording.


class Recorder:
    """Passes one connection through and keeps what went by."""

    def __init__(self, port: int) -> None:
        self.sent = b""
        self.received = b""
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        with client, socket.create_connection(("127.0.0.1", self._server)) as server:
            back = threading.Thread(target=self._back, args=(server, client))
            back.start()
            while data := client.recv(65536):
                self.sent += data
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
            back.join()

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        while data := server.recv(65536):
            self.received += data
            client.sendall(data)

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


def talk_asynch(port: int) -> None:
    from asynch.proto.connection import Connection

    async def talk() -> None:
        client = Connection(host="127.0.0.1", port=port, user="golden", password="not secret")
        await client.connect()
        for sql in STATEMENTS:
            try:
                await client.execute(sql, *([[(1, "x"), (2, "y")]] if sql.startswith("INSERT") else []))
            except Exception as error:
                print(error)
        await client.disconnect()

    asyncio.run(talk())


def talk_clickhouse_driver(port: int) -> None:
    from clickhouse_driver import Client

    client = Client("127.0.0.1", port=port, user="golden", password="not secret", settings={"max_block_size": 1000})
    for sql in STATEMENTS:
        try:
            client.execute(sql, *([[(1, "x"), (2, "y")]] if sql.startswith("INSERT") else []))
        except Exception as error:
            print(error)
    client.disconnect()


def talk_clickhouse_client_18(port: int) -> None:
    run_clickhouse_client(port, "; ".join(s for s in STATEMENTS if "INSERT" not in s and "nosuch" not in s), "-n")


def talk_clickhouse_client_18_insert(port: int) -> None:
    run_clickhouse_client(port, "INSERT INTO standing (a, s) VALUES (1, 'x'), (2, 'y')")


def run_clickhouse_client(port: int, sql: str, *more: str) -> None:
    options = ["--user", "golden", "--password", "not secret", "--max_block_size", "1000", "--compression", "0"]
    subprocess.run(["clickhouse-client", "--port", str(port), *options, *more, "-q", sql], check=True)


def prepare(port: int) -> None:
    """What the recorded conversations expect to be there: a table with a default."""
    from clickhouse_driver import Client

    client = Client("127.0.0.1", port=port, user="golden", password="not secret")
    client.execute("CREATE TABLE standing (a UInt8, s String, d UInt8 DEFAULT a + 1) ENGINE = Memory")
    client.disconnect()


def record(name: str) -> None:
    from tests.local.conftest import ServerThread

    with (
        tempfile.TemporaryDirectory() as folder,
        ServerThread(Path(folder) / "db", user="golden", password="not secret") as server,
    ):
        prepare(server.port)
        recorder = Recorder(server.port)
        globals()[f"talk_{name}"](recorder.port)
        recorder.close()
    revision = revision_of([Packet(True, recorder.sent, "")])
    lines = [f"# {name}, speaking revision {revision}"]
    for mark, data, read in (("> ", recorder.sent, read_client_packet), ("< ", recorder.received, read_server_packet)):
        for packet, twin in split(data, revision, read):
            lines += [mark + packet.hex(" "), "= " + twin]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        record(chosen)
