"""A local store that cannot be opened: the error names the reason, at once, and the next start is not in its way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentstore.errors import ConfigError, ConnectionFailedError, OperationTimeoutError
from agentstore.local.client.acquire import acquire, stop
from agentstore.local.directory.layout import resolve
from agentstore.local.directory.lock import FileLock, is_held
from tests.local.server_processes import (
    acquire_now,
    end_all_servers,
    is_running,
    logged_in,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """The path of a store that does not exist yet."""
    yield tmp_path / "store"
    end_all_servers(tmp_path)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


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
    with pytest.raises(
        ConnectionFailedError, match=r"the engine does not open the data: .*Cannot open file .*status.*Is a directory"
    ):
        acquire_now(store, start_timeout_seconds=600)
    assert not is_held(resolve(store).server_lock)
    (store / "data" / "status").rmdir()
    assert is_running(acquire_now(store).pid)


def test_a_place_where_the_server_cannot_say_where_it_is_is_reported(store: Path) -> None:
    (store / "server.json" / "in the way").mkdir(parents=True)
    (store / "server.lock").touch()
    with pytest.raises(ConnectionFailedError, match=r"cannot write .*server\.json: Is a directory"):
        acquire_now(store, start_timeout_seconds=600)


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
