"""The server process: in the foreground for a person, and the way it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from asyncio import Task
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clickhouse_driver.errors import NetworkError, ServerException

from agentstore.connection.dial import new_pool
from agentstore.connection.sql import sql
from agentstore.local.client.acquire import acquire, find_running, stop
from agentstore.local.directory.endpoint import Endpoint, Publication, read_endpoint
from agentstore.local.directory.layout import prepare, resolve
from agentstore.local.directory.lock import FileLock, is_held
from agentstore.local.directory.log_file import bound_log
from agentstore.local.process.lifetime import idle_seconds_left, withdraw_if_idle
from agentstore.local.server import server as server_module
from agentstore.local.server.channel import Channel
from agentstore.local.server.server import LocalServer
from agentstore.local.session.session import Session
from agentstore.settings import resolve_target
from tests.local.server_processes import (
    DEADLINE_SECONDS,
    end_all_servers,
    finish,
    foreground,
    is_running,
    logged_in,
    run_python,
    wait_for_end,
    wait_until,
)
from tests.local.talk import until

SERVE = ("-m", "agentstore.local", "--path")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """The path of a store that does not exist yet."""
    yield tmp_path / "store"
    end_all_servers(tmp_path)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


# --- in the foreground -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_foreground_server_says_where_it_is_and_ends_cleanly_on_a_signal(store: Path, number: int) -> None:
    port, home = free_port(), resolve(store)
    arguments = ["--path", str(store), "--port", str(port), "--user", "me"]
    with foreground(*arguments, environment={"AGENTSTORE_SERVE_PASSWORD": "open sesame"}) as (process, line):
        expected = f"agentstore local server on 127.0.0.1:{port}, user me, password in {home.endpoint_file}\n"
        assert line == expected
        endpoint = Endpoint("127.0.0.1", port, "me", "open sesame", process.pid)
        assert find_running(home) == endpoint
        with logged_in(endpoint) as client:
            assert client.execute("SELECT currentUser() != ''") == [(1,)]
            process.send_signal(number)
            code, output, errors = finish(process)
    assert (code, output) == (0, "")
    assert "open sesame" not in errors
    assert not home.endpoint_file.exists()
    assert not is_held(home.server_lock)


def test_a_client_of_the_path_joins_a_foreground_server(store: Path) -> None:
    with foreground("--path", str(store)) as (process, line):
        endpoint = asyncio.run(acquire(store))
        assert endpoint.pid == process.pid
        assert f"127.0.0.1:{endpoint.port}" in line
        assert endpoint.password not in line
        assert stop(store) is True
        assert finish(process)[0] == 0


def test_a_second_server_of_a_path_ends_with_its_own_exit_code(store: Path) -> None:
    with foreground("--path", str(store)) as (process, _):
        endpoint = find_running(resolve(store))
        code, output, errors = run_python(*SERVE, f"{store}/../{store.name}")
        assert (code, output) == (3, "")
        assert "another process already serves" in errors
        assert find_running(resolve(store)) == endpoint
        assert is_running(process.pid)


def test_no_password_means_none_on_loopback(store: Path) -> None:
    with foreground("--path", str(store), "--no-password") as (_, line):
        assert line.endswith(", user default, no password: open to all on this machine\n")
        endpoint = asyncio.run(acquire(store))
        assert endpoint.password == ""
        with logged_in(endpoint) as client:
            assert client.execute("SELECT 1") == [(1,)]


def test_a_wrong_password_is_refused(store: Path) -> None:
    with foreground("--path", str(store)):
        endpoint = asyncio.run(acquire(store))
        wrong = Endpoint(endpoint.host, endpoint.port, endpoint.user, "wrong", endpoint.pid)
        with logged_in(wrong) as client, pytest.raises(ServerException) as caught:
            client.execute("SELECT 1")
    assert caught.value.code == 516


@pytest.mark.parametrize(
    ("arguments", "environment", "reason"),
    [
        (["--no-password", "--host", "0.0.0.0"], {}, "password"),
        (["--no-password"], {"AGENTSTORE_SERVE_PASSWORD": "x"}, "contradicts --no-password"),
        ([], {"AGENTSTORE_SERVE_PASSWORD": ""}, "AGENTSTORE_SERVE_PASSWORD is empty"),
        (["--host", "192.0.2.1"], {}, "cannot listen on 192.0.2.1:0"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_exit_code_1(
    store: Path, arguments: list[str], environment: dict[str, str], reason: str
) -> None:
    code, output, errors = run_python(*SERVE, str(store), *arguments, environment=environment)
    assert (code, output) == (1, "")
    assert errors.startswith("agentstore: ")
    assert reason in errors
    assert len(errors.splitlines()) == 1


def test_a_port_in_use_is_named(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, errors = run_python(*SERVE, str(store), "--port", str(port))
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors
    assert not is_held(resolve(store).server_lock)


def test_a_foreground_server_with_an_idle_time_ends_by_itself(store: Path) -> None:
    code, output, _ = run_python(*SERVE, str(store), "--idle-timeout", "0.1", "--no-print")
    assert (code, output) == (0, "")
    assert not resolve(store).endpoint_file.exists()


# --- idle ------------------------------------------------------------------------------------------------------------


def test_an_unused_server_ends_by_itself_and_the_next_has_its_data(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTSTORE_LOCAL_IDLE_SECONDS", "2")
    first = asyncio.run(acquire(store))
    with logged_in(first) as client:
        client.execute("CREATE DATABASE d")
        client.execute("CREATE TABLE d.t (n UInt64) ENGINE = MergeTree ORDER BY n")
        client.execute("INSERT INTO d.t VALUES", [(1,), (2,)])
    wait_for_end(first.pid)
    assert not resolve(store).endpoint_file.exists()
    second = asyncio.run(acquire(store))
    assert second.pid != first.pid
    with logged_in(second) as client:
        assert client.execute("SELECT sum(n) FROM d.t") == [(3,)]


def test_a_server_with_a_connection_open_is_not_idle(store: Path) -> None:
    endpoint = asyncio.run(acquire(store, idle_timeout_seconds=1))
    with logged_in(endpoint) as client:
        for _ in range(3):
            client.execute("SELECT sleep(0.9)")
        assert find_running(resolve(store)) == endpoint
    wait_for_end(endpoint.pid)


def test_clients_of_a_server_that_keeps_ending_always_get_in(store: Path) -> None:
    """Each comes while the server before is on its way out: it is refused, cut off at the login, or served whole."""

    def get_in() -> Endpoint:
        for _ in range(20):
            endpoint = asyncio.run(acquire(store, idle_timeout_seconds=0.1))
            with logged_in(endpoint) as client:
                try:
                    client.connection.connect()
                except (NetworkError, EOFError, OSError):
                    continue
                assert client.execute("SELECT 1") == [(1,)]
                return endpoint
        pytest.fail("never got in")

    pids = set()
    for _ in range(40):
        pids.add(get_in().pid)
        if len(pids) == 4:
            return
        # Gone for good, or back again: a server that is asked at the last moment stays, and the next is the same one.
        wait_until(lambda: not resolve(store).endpoint_file.exists(), "the server is ending")
    pytest.fail(f"of 40 clients no four met different servers: {pids}")


@pytest.mark.parametrize(
    ("idle_since", "now", "expected"),
    [(None, 100.0, 60.0), (100.0, 100.0, 60.0), (100.0, 130.0, 30.0), (100.0, 160.0, 0.0)],
)
def test_the_time_left_counts_from_the_last_connection(idle_since: float | None, now: float, expected: float) -> None:
    assert idle_seconds_left(idle_since, now, 60.0) == expected


@pytest.mark.parametrize(("last_seen", "ends"), [([5.0, 5.0], True), ([5.0, None], False), ([5.0, 6.0], False)])
async def test_a_connection_at_the_last_moment_keeps_the_server(
    tmp_path: Path, last_seen: list[float | None], ends: bool
) -> None:
    endpoint = Endpoint("127.0.0.1", 9000, "default", "secret", os.getpid())
    publication = Publication(tmp_path / "server.json", endpoint)
    publication.publish()
    answers = iter(last_seen)
    try:
        assert await withdraw_if_idle(publication, lambda: next(answers)) is ends
        assert read_endpoint(tmp_path / "server.json") == (None if ends else endpoint)
    finally:
        publication.withdraw()


@pytest.mark.parametrize("moment", ["as it connects", "in its login"])
async def test_a_client_of_a_server_that_just_ends_is_served_by_the_next(
    store: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a statement that is sent once and never again: the server that ended has not read it."""
    home, loop, ending, has_begun = resolve(store), asyncio.get_running_loop(), list[Task[None]](), threading.Event()
    prepare(home)
    lock = FileLock.take(home.server_lock)
    assert lock is not None
    server = LocalServer(home.data, password="secret")
    await server.start()
    publication = Publication(home.endpoint_file, Endpoint("127.0.0.1", server.port, "default", "secret", os.getpid()))
    publication.publish()

    async def end() -> None:
        publication.withdraw()
        await server.aclose()
        lock.release()

    def begin_to_end() -> None:
        ending.append(loop.create_task(end()))
        loop.call_soon(has_begun.set)  # behind the first step of the task

    class Ending(Channel):
        def __init__(self, on_open: Callable[[Channel], None]) -> None:
            super().__init__(on_open)
            begin_to_end()

    def end_and_open(self: Session, database: str, begin: Callable[[Session, str], None] = Session.open) -> None:
        loop.call_soon_threadsafe(begin_to_end)
        assert has_begun.wait(DEADLINE_SECONDS)
        begin(self, database)

    pool = new_pool(resolve_target(f"local:{store}", {"database": "default"}))
    try:
        await pool.fetch(sql("SELECT 1"))  # of a connection made from now on nothing is asked before its statement
        await pool._close_all(pool._idle)
        await until(lambda: server.connection_count == 0)
        if moment == "as it connects":
            monkeypatch.setattr(server_module, "Channel", Ending)
        else:
            monkeypatch.setattr(Session, "open", end_and_open)
        await pool.execute(sql("CREATE TABLE t (n UInt8) ORDER BY n"))
        assert await pool.fetch(sql("SELECT count() FROM t")) == [(0,)]
        assert len(ending) == 1
    finally:
        await pool.aclose()
        await (ending[0] if ending else end())


# --- the log ---------------------------------------------------------------------------------------------------------


def test_the_log_is_of_the_last_start(store: Path) -> None:
    log = resolve(store).log_file
    first = asyncio.run(acquire(store, idle_timeout_seconds=20))
    os.kill(first.pid, signal.SIGTERM)
    wait_for_end(first.pid)
    assert f"pid {first.pid}" in log.read_text()
    second = asyncio.run(acquire(store, idle_timeout_seconds=20))
    text = log.read_text()
    assert f"pid {second.pid}" in text
    assert f"pid {first.pid}" not in text


def test_a_large_log_starts_over(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    bound_log(log)
    assert not log.exists()
    with log.open("ab", buffering=0) as server:
        server.write(b"x" * 1_000_000)
        bound_log(log)
        assert log.stat().st_size == 1_000_000
        server.write(b"x" * 1_000_000)
        bound_log(log)
        server.write(b"afterwards")
    assert log.read_bytes() == b"afterwards"
