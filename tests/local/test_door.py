"""Coming in: how many may, how they end their sending, who owns the files, and what is said where a start fails."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asynch.errors import ServerException

from agentstore.local.protocol.blocks import EMPTY_BLOCK
from agentstore.local.protocol.packets import ServerPacket
from agentstore.local.protocol.wire import text
from agentstore.local.server.server import LocalServer
from tests.local.server_processes import foreground, run_python
from tests.local.talk import HELLO, NO_TABLES, Raw, connected, execute, query_packet, served, uint8_block, until

SOMEBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with served(tmp_path, max_connections=3) as started:
        yield started


async def test_an_insert_whose_client_has_finished_sending_is_stored_and_answered(server: LocalServer) -> None:
    async with connected(server) as client:
        await execute(client, "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
        insert = query_packet("INSERT INTO t VALUES")
        end = b"\x02" + text("") + EMPTY_BLOCK
        raw = await Raw.connect(server, HELLO, insert, NO_TABLES, uint8_block("a", b"\x07\x08"), end)
        raw.writer.write_eof()
        assert (await raw.all())[-1] == ServerPacket.END_OF_STREAM
        assert await execute(client, "SELECT * FROM t ORDER BY a") == [(7,), (8,)]


async def test_a_machine_that_vanishes_is_noticed(server: LocalServer) -> None:
    async with connected(server):
        transport = next(iter(server._connections))._channel._transport
        assert transport is not None
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert not hasattr(socket, "TCP_KEEPIDLE") or sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


async def test_one_too_many_is_told_so_and_may_come_back(server: LocalServer) -> None:
    async with connected(server) as first, connected(server), connected(server):
        with pytest.raises(ServerException, match="Too many connections: 3 are open"):
            async with connected(server):
                pass
        assert await execute(first, "SELECT 1") == [(1,)]
    await until(lambda: not server._connections)
    async with connected(server) as late:
        assert await execute(late, "SELECT 1") == [(1,)]


RAISED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
from agentstore.local.process.lifetime import _raise_file_limit
from agentstore.local.server.server import _connections_allowed
_raise_file_limit()
print(resource.getrlimit(resource.RLIMIT_NOFILE), _connections_allowed())
"""


def test_the_server_takes_the_files_it_may_open_and_leaves_half_to_the_engine() -> None:
    assert run_python("-c", RAISED)[1].strip() == "(300, 300) 150"


# Root.


@needs_root
def test_a_server_that_root_starts_goes_on_as_the_owner_of_the_directory(tmp_path: Path) -> None:
    store = owned(tmp_path)
    with foreground("--path", str(store)) as (process, line):
        assert "listens" in line or "local server on" in line
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert f"Uid:\t{SOMEBODY}\t{SOMEBODY}\t{SOMEBODY}\t{SOMEBODY}" in status
        assert owners(store) == {(SOMEBODY, SOMEBODY)}


OPENED_BY_ROOT = """
import asyncio, sys
from agentstore import AsyncClickHouseStore
async def main():
    async with AsyncClickHouseStore("local:" + sys.argv[1]) as store:
        await store.ensure_schema()
        await store.list_sessions("org")
        print("read")
asyncio.run(main())
"""


@needs_root
def test_root_may_use_the_store_of_somebody_else_and_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    store = owned(tmp_path)
    code, output, errors = run_python(
        "-c", OPENED_BY_ROOT, str(store), environment={"AGENTSTORE_LOCAL_IDLE_SECONDS": "1"}
    )
    assert (code, output.strip()) == (0, "read"), errors
    assert owners(store) == {(SOMEBODY, SOMEBODY)}


@needs_root
def test_a_store_its_owner_cannot_reach_is_refused_with_the_reason(tmp_path: Path) -> None:
    store = owned(tmp_path)
    tmp_path.chmod(0o700)
    code, _, errors = run_python("-m", "agentstore.local", "--path", str(store))
    assert code == 1
    assert f"belongs to uid {SOMEBODY}" in errors
    assert owners(store) == {(SOMEBODY, SOMEBODY)}


def owned(tmp_path: Path) -> Path:
    """An empty directory of somebody's, which somebody can reach."""
    for parent in [tmp_path, *tmp_path.parents]:
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    store = tmp_path / "store"
    store.mkdir()
    os.chown(store, SOMEBODY, SOMEBODY)
    return store


def owners(store: Path) -> set[tuple[int, int]]:
    found = [store, *store.rglob("*")]
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in found}


# What is said.


def test_a_directory_for_temporary_files_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    code, _, errors = run_python(
        "-m", "agentstore.local", "--path", str(tmp_path / "store"), environment={"TMPDIR": "/proc"}
    )
    assert code == 1
    assert "The directory for temporary files, /proc (TMPDIR), cannot be written" in errors


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_port_that_is_none_is_said_to_be_none(tmp_path: Path, port: str) -> None:
    code, _, errors = run_python("-m", "agentstore.local", "--path", str(tmp_path / "store"), f"--port={port}")
    assert code == 1
    assert f"port {port} is not between 0 and 65535" in errors
    assert "engine" not in errors


def test_no_password_is_refused_where_other_machines_reach_and_said_where_not(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    code, _, errors = run_python("-m", "agentstore.local", "--path", path, "--no-password", "--host", "0.0.0.0")
    assert code == 1
    assert "needs a password" in errors
    with foreground("--path", path, "--no-password") as (_, line):
        assert "no password: open to all on this machine" in line
