"""Finding, starting and sharing the server of a path: real server processes, ended after each test."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import uvloop

from agentstore.errors import ConnectionFailedError
from agentstore.local.client.acquire import acquire, stop
from agentstore.local.directory.endpoint import Endpoint, read_endpoint
from agentstore.local.directory.layout import resolve
from agentstore.local.directory.lock import FileLock
from tests.local.server_processes import (
    IDLE_SECONDS,
    acquire_now,
    end_all_servers,
    finish,
    is_running,
    kill_server,
    logged_in,
    processes_naming,
    run_python,
    start_python,
    wait_for_end,
    wait_until,
)

ACQUIRE = """
import asyncio, msgspec, sys
from agentstore.local.client.acquire import acquire
print(msgspec.json.encode(asyncio.run(acquire(sys.argv[1], idle_timeout_seconds=20))).decode(), flush=True)
assert not any(name.split(".")[0] == "chdb" for name in sys.modules), "the client loaded the engine"
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """The path of a store that does not exist yet."""
    yield tmp_path / "store"
    end_all_servers(tmp_path)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# --- sharing ---------------------------------------------------------------------------------------------------------


def test_a_second_caller_joins_the_server_of_the_first(store: Path) -> None:
    first = acquire_now(store)
    assert acquire_now(store) == first
    with logged_in(first) as client:
        assert client.execute("SELECT 6 * 7") == [(42,)]
    assert is_running(first.pid)


def test_eight_processes_at_once_get_one_server(store: Path) -> None:
    clients = [start_python("-c", ACQUIRE, str(store)) for _ in range(8)]
    results = [finish(client) for client in clients]
    assert [(code, errors) for code, _, errors in results] == [(0, "")] * 8
    endpoints = {msgspec.json.decode(output, type=Endpoint) for _, output, _ in results}
    assert len(endpoints) == 1
    assert processes_naming(str(store)) == [endpoints.pop().pid]


def test_many_tasks_in_several_loops_at_once_get_one_server(store: Path) -> None:
    async def many() -> list[Endpoint]:
        return await asyncio.gather(*(acquire(store, idle_timeout_seconds=IDLE_SECONDS) for _ in range(16)))

    def in_uvloop() -> list[Endpoint]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(many())

    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(in_uvloop), threads.submit(asyncio.run, many()), threads.submit(in_uvloop)]
        endpoints = {endpoint for future in running for endpoint in future.result()}
    assert processes_naming(str(store)) == [endpoint.pid for endpoint in endpoints]


def test_every_spelling_of_a_path_is_the_same_store(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "Grüße an 日本"
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    endpoint = acquire_now(store)
    spellings: list[str | Path] = [
        store.name,
        f"~/{store.name}",
        f"{link}/{store.name}/",
        f"{tmp_path}/nowhere/../{store.name}",
        link / store.name,
    ]
    assert {acquire_now(spelling) for spelling in spellings} == {endpoint}


def test_two_stores_are_two_servers(tmp_path: Path, store: Path) -> None:
    first, second = acquire_now(store), acquire_now(tmp_path / "other")
    assert first.pid != second.pid
    assert first.password != second.password


# --- lives and deaths ------------------------------------------------------------------------------------------------


def test_after_kill_9_a_new_server_has_every_acknowledged_row(store: Path) -> None:
    first = acquire_now(store)
    with logged_in(first) as client:
        client.execute("CREATE DATABASE d")
        client.execute("CREATE TABLE d.t (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
        for start in range(0, 5000, 1000):
            client.execute("INSERT INTO d.t VALUES", [(n, f"row {n}") for n in range(start, start + 1000)])
        kill_server(store, first)
    second = acquire_now(store)
    assert second.pid != first.pid
    assert second.password != first.password
    with logged_in(second) as client:
        assert client.execute("SELECT count(), sum(n), uniqExact(s) FROM d.t") == [(5000, sum(range(5000)), 5000)]


def test_a_server_that_was_stopped_is_started_anew(store: Path) -> None:
    first = acquire_now(store)
    assert stop(store) is True
    wait_for_end(first.pid)
    assert not resolve(store).endpoint_file.exists()
    assert stop(store) is False
    assert acquire_now(store).pid != first.pid


def test_a_stale_file_is_not_believed_and_its_port_hears_nothing(store: Path) -> None:
    first = acquire_now(store)
    kill_server(store, first)
    assert resolve(store).endpoint_file.exists()
    with socket.create_server(("127.0.0.1", first.port)) as stranger:
        stranger.setblocking(False)
        second = acquire_now(store)
        assert second.port != first.port
        with pytest.raises(BlockingIOError):
            stranger.accept()


def test_the_file_of_a_dead_server_is_not_believed_while_the_next_one_starts(store: Path) -> None:
    first = acquire_now(store)
    kill_server(store, first)
    home = resolve(store)
    lock = FileLock.take(home.server_lock)  # what a new server does first
    assert lock is not None
    with lock, pytest.raises(ConnectionFailedError, match=r"did not say within 0\.2 s where it listens"):
        acquire_now(store, start_timeout_seconds=0.2)
    assert home.endpoint_file.exists()


def test_a_caller_cancelled_in_the_middle_of_a_start_leaves_it_to_the_next(store: Path) -> None:
    home = resolve(store)

    async def cancel_one() -> None:
        task = asyncio.create_task(acquire(store, idle_timeout_seconds=IDLE_SECONDS))
        await asyncio.to_thread(wait_until, home.start_lock.exists, "the start has begun")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_one())
    endpoint = acquire_now(store)
    wait_until(lambda: processes_naming(str(store)) == [endpoint.pid], "one server is left")


def test_a_client_killed_in_the_middle_of_a_start_is_replaced_by_the_next(store: Path) -> None:
    home = resolve(store)
    client = start_python("-c", ACQUIRE, str(store))
    wait_until(home.start_lock.exists, "the start has begun")
    client.kill()
    finish(client)
    endpoint = acquire_now(store)
    wait_until(lambda: processes_naming(str(store)) == [endpoint.pid], "one server is left")


def test_a_client_leaves_no_child_no_warning_and_the_engine_unloaded(store: Path) -> None:
    code, output, errors = run_python("-c", ACQUIRE, str(store))
    assert (code, errors) == (0, "")
    endpoint = msgspec.json.decode(output, type=Endpoint)
    assert endpoint == acquire_now(store)
    status = Path(f"/proc/{endpoint.pid}/status").read_text()
    assert f"PPid:\t{os.getpid()}\n" not in status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_terminal_of_a_client_does_not_reach_the_server(store: Path, number: int) -> None:
    waiting = ACQUIRE + "sys.stdin.read()\n"
    client = start_python("-c", waiting, str(store), own_session=True)
    assert client.stdout is not None
    endpoint = msgspec.json.decode(client.stdout.readline(), type=Endpoint)
    os.killpg(client.pid, number)
    assert finish(client)[0] == -number
    os.kill(endpoint.pid, signal.SIGHUP)  # and one to itself is ignored
    assert acquire_now(store) == endpoint
    with logged_in(endpoint) as connection:
        assert connection.execute("SELECT 1") == [(1,)]


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_the_password_is_for_the_owner_only(store: Path) -> None:
    before = os.umask(0)
    try:
        endpoint = acquire_now(store)
    finally:
        os.umask(before)
    home = resolve(store)
    assert [mode(path) for path in (home.root, home.data)] == [0o700] * 2
    files = (home.endpoint_file, home.server_lock, home.start_lock, home.log_file)
    assert [mode(path) for path in files] == [0o600] * 4
    assert read_endpoint(home.endpoint_file) == endpoint


def test_the_password_is_in_no_command_line_environment_log_or_text(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTSTORE_SERVE_PASSWORD", "of-another-server")
    endpoint = acquire_now(store)
    secrets = [endpoint.password.encode(), b"of-another-server"]
    process = Path(f"/proc/{endpoint.pid}")
    places = [process / "cmdline", process / "environ", resolve(store).log_file]
    texts = [place.read_bytes() for place in places] + [repr(endpoint).encode(), str(endpoint).encode()]
    assert [secret for secret in secrets for text in texts if secret in text] == []
    assert all(endpoint.password not in str(value) for _, value in endpoint.__rich_repr__())
    assert len(endpoint.password) >= 32
