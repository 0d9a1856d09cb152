"""Finding, starting and sharing the server of a path: real server processes, ended after each test."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import uvloop
from server_processes import (
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

from agentstore.errors import ConfigError, ConnectionFailedError, OperationTimeoutError
from agentstore.local.endpoint import Endpoint, Publication, read_endpoint
from agentstore.local.handle import acquire, stop
from agentstore.local.home import resolve
from agentstore.local.lock import FileLock, is_held

IDLE_SECONDS = 20.0

ACQUIRE = """
import asyncio, msgspec, sys
from agentstore.local.handle import acquire
print(msgspec.json.encode(asyncio.run(acquire(sys.argv[1], idle_timeout_seconds=20))).decode(), flush=True)
assert not any(name.split(".")[0] == "chdb" for name in sys.modules), "the client loaded the engine"
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """The path of a store that does not exist yet."""
    yield tmp_path / "store"
    end_all_servers(tmp_path)


def acquire_now(path: str | os.PathLike[str], start_timeout_seconds: float = 30.0) -> Endpoint:
    return asyncio.run(acquire(path, start_timeout_seconds=start_timeout_seconds, idle_timeout_seconds=IDLE_SECONDS))


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
    spellings = [
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
    client = start_python("-c", waiting, str(store), own_terminal_session=True)
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


SECRET = Endpoint("127.0.0.1", 9000, "default", "hunter2", os.getpid())


@contextmanager
def published(directory: Path) -> Iterator[Path]:
    publication = Publication(directory / "server.json", SECRET)
    publication.publish()
    try:
        yield directory / "server.json"
    finally:
        publication.withdraw()


def make_readable_by_others(file: Path) -> None:
    file.chmod(0o640)


def make_a_symlink(file: Path) -> None:
    file.rename(file.with_suffix(".real"))
    file.symlink_to(file.with_suffix(".real"))


def make_it_nonsense(file: Path) -> None:
    file.write_text('{"password": "hunter2"')


def make_it_name_every_process(file: Path) -> None:
    file.write_text(file.read_text().replace('"pid":', '"pid":-'))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (make_readable_by_others, "may be read or written by other users"),
        (make_a_symlink, "is a symbolic link"),
        (make_it_nonsense, "was not written by an agentstore server"),
        (make_it_name_every_process, "was not written by an agentstore server"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(tmp_path: Path, spoil: Callable[[Path], None], reason: str) -> None:
    with published(tmp_path) as file:
        spoil(file)
        with pytest.raises(ConfigError, match=reason) as caught:
            read_endpoint(file)
    assert SECRET.password not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    with published(tmp_path) as file:
        os.chown(file, 12345, 12345)
        with pytest.raises(ConfigError, match=r"belongs to another user \(uid 12345\)"):
            read_endpoint(file)


def test_the_file_is_believed_until_it_is_withdrawn(tmp_path: Path) -> None:
    with published(tmp_path) as file:
        assert read_endpoint(file) == SECRET
        text = file.read_bytes()
    assert not file.exists()
    file.write_bytes(text)
    file.chmod(0o600)
    assert read_endpoint(file) is None


def test_a_server_removes_its_own_file_only(tmp_path: Path) -> None:
    with published(tmp_path) as file:
        file.unlink()  # with its directory, say, by a person
        file.write_text("of another server")
    assert file.read_text() == "of another server"


def test_a_pipe_in_place_of_the_file_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "server.json", 0o600)
    assert read_endpoint(tmp_path / "server.json") is None


# --- failures --------------------------------------------------------------------------------------------------------


def a_file(store: Path) -> Path:
    store.write_text("")
    return store


def open_to_everybody(store: Path) -> Path:
    store.mkdir()
    store.chmod(0o777)
    return store


def full_of_other_things(store: Path) -> Path:
    store.mkdir()
    (store / "thesis.tex").write_text("")
    return store


def with_a_file_for_its_data(store: Path) -> Path:
    store.mkdir()
    (store / "server.lock").touch()
    (store / "data").write_text("")
    return store


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (a_file, "is a file"),
        (lambda store: a_file(store) / "below", "store is a file"),
        (open_to_everybody, "is writable by everybody"),
        (full_of_other_things, "is not empty and not a local store"),
        (with_a_file_for_its_data, "data cannot be used as a directory"),
        (lambda _: Path("/proc/agentstore"), "cannot hold a local store"),
        (lambda store: store / "what?", r"without '\?'"),
        (lambda store: store / "\udc80", "valid UTF-8"),
        (lambda store: store / "nul\0", "NUL"),
        (lambda _: "", "must not be empty"),
        (lambda _: "~nobody-of-that-name/x", "home directory"),
    ],
)
def test_a_path_that_cannot_be_used_is_a_config_error(
    store: Path, make: Callable[[Path], Path | str], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        acquire_now(make(store))


def test_a_fresh_volume_counts_as_empty(store: Path) -> None:
    (store / "lost+found").mkdir(parents=True)
    (store / ".gitkeep").touch()
    with logged_in(acquire_now(store)) as client:
        assert client.execute("SELECT 1") == [(1,)]


def test_data_that_the_engine_refuses_is_reported_with_its_words_and_at_once(store: Path) -> None:
    # At once: a wait for the start timeout would run into the time limit of a test.
    (store / "data" / "status").mkdir(parents=True)
    (store / "server.lock").touch()
    with pytest.raises(ConnectionFailedError, match=r"the engine does not open the data: .*DB::Exc"):
        acquire_now(store, start_timeout_seconds=600)
    assert not is_held(resolve(store).server_lock)
    (store / "data" / "status").rmdir()
    assert is_running(acquire_now(store).pid)


def test_a_process_that_dies_without_a_word_is_reported_with_what_it_wrote(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", str(store / "nowhere"))
    with pytest.raises(ConnectionFailedError, match=r"(?s)ended while it started\n.*encodings"):
        acquire_now(store, start_timeout_seconds=600)


def test_an_interpreter_that_cannot_be_run_is_reported(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(store / "python"))
    with pytest.raises(ConnectionFailedError, match=r"cannot start .*No such file"):
        acquire_now(store)


def test_without_the_engine_the_error_says_what_to_install(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chdb", None)  # what the import system calls not installed
    with pytest.raises(ConfigError, match=r"pip install 'agentstore\[local\]'"):
        acquire_now(store)


def test_a_client_without_the_engine_may_join(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = acquire_now(store)
    monkeypatch.setitem(sys.modules, "chdb", None)
    assert acquire_now(store) == endpoint


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
def test_an_idle_time_that_is_none_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    monkeypatch.setenv("AGENTSTORE_LOCAL_IDLE_SECONDS", seconds)
    with pytest.raises(ConfigError, match="AGENTSTORE_LOCAL_IDLE_SECONDS must be a number of seconds above 0"):
        asyncio.run(acquire(store))
    assert not store.exists()


def test_stop_gives_up_on_a_server_that_does_not_end(store: Path) -> None:
    store.mkdir()
    lock = FileLock.take(resolve(store).server_lock)
    assert lock is not None
    with lock, pytest.raises(OperationTimeoutError, match=r"still runs after 0\.1 s"):
        stop(store, timeout_seconds=0.1)


# --- the lock --------------------------------------------------------------------------------------------------------


def test_a_lock_has_one_holder_and_may_be_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    first = FileLock.take(path)
    assert first is not None
    assert is_held(path)
    assert FileLock.take(path) is None
    first.release()
    first.release()
    assert not is_held(path)
    with FileLock.take(path) or pytest.fail("the lock was released"):
        assert is_held(path)


def test_askers_never_make_a_taker_fail(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()

    async def ask(until: asyncio.Event) -> None:
        while not until.is_set():
            await asyncio.to_thread(is_held, path)

    async def take(until: asyncio.Event) -> list[bool]:
        taken = []
        for _ in range(200):
            lock = await asyncio.to_thread(FileLock.take, path)
            taken.append(lock is not None)
            if lock is not None:
                lock.release()
        until.set()
        return taken

    async def both() -> list[bool]:
        until = asyncio.Event()
        return (await asyncio.gather(take(until), *(ask(until) for _ in range(3))))[0]

    assert all(asyncio.run(both()))
