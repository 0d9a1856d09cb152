"""The file with the password, and the lock: what is believed, what is refused, and who holds what."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentstore.errors import ConfigError
from agentstore.local.directory.endpoint import Endpoint, Publication, read_endpoint
from agentstore.local.directory.lock import FileLock, is_held

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
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(take(until))
            for _ in range(3):
                group.create_task(ask(until))
        return taking.result()

    assert all(asyncio.run(both()))
