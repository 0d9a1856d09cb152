"""The client's side of ``local:PATH``: find the server that runs there, or start one, and share it.

The engine is never loaded here: a client holds nothing of the local store but an address and a password.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import threading
import time
from typing import NamedTuple

from agentstore.errors import ConfigError, ConnectionFailedError, OperationTimeoutError
from agentstore.local.client.launch import Launch
from agentstore.local.directory.endpoint import Endpoint, read_endpoint
from agentstore.local.directory.layout import StoreDirectory, prepare, resolve
from agentstore.local.directory.lock import FileLock, is_held
from agentstore.local.directory.log_file import log_tail

__all__ = ["Endpoint", "acquire", "running", "stop"]

DEFAULT_IDLE_SECONDS = 60.0
IDLE_VARIABLE = "AGENTSTORE_LOCAL_IDLE_SECONDS"
FSYNC_VARIABLE = "AGENTSTORE_LOCAL_FSYNC"
EXTERNAL_VARIABLE = "AGENTSTORE_LOCAL_ALLOW_EXTERNAL"
_POLL_SECONDS = 0.02


async def acquire(
    path: str | os.PathLike[str],
    *,
    start_timeout_seconds: float = 30.0,
    idle_timeout_seconds: float | None = None,
    fsync: bool | None = None,
) -> Endpoint:
    """The server that runs on ``path``, started if none does: one server, however many callers ask at once.

    The server was alive when this returned. It may end right after, idle or killed: a connection that is then refused,
    or closed before the login is answered, has done nothing, and the next call starts a new server, which has
    everything that the last one acknowledged. A login that is answered keeps a server from ending because it was idle.
    Call this before each new connection: while a server runs, it costs little more than reading a small file.

    A server started here ends by itself after ``idle_timeout_seconds`` without a connection (default: the environment
    variable ``AGENTSTORE_LOCAL_IDLE_SECONDS``, else 60). With ``fsync`` it answers an insert only once it would survive
    a power cut (default: the variable ``AGENTSTORE_LOCAL_FSYNC``, 0 or 1, else not); one that runs keeps its own.
    With the variable ``AGENTSTORE_LOCAL_ALLOW_EXTERNAL`` = 1 its statements may reach files and other hosts.
    Cancellation leaves a server that is being started to itself.

    Raises ``ConfigError`` for a path, a file or an installation that cannot be used, and
    ``ConnectionFailedError`` for a server that failed to start (with the end of its log) or is not there after
    ``start_timeout_seconds``.
    """
    external = _is_on(EXTERNAL_VARIABLE)
    settings = _Settings(
        _idle_seconds(idle_timeout_seconds), _is_on(FSYNC_VARIABLE) if fsync is None else fsync, external
    )
    directory, running = await asyncio.to_thread(_look, path)
    return running or await _start_or_wait(directory, settings, start_timeout_seconds)


def stop(path: str | os.PathLike[str], timeout_seconds: float = 10.0) -> bool:
    """Ask the server on ``path`` to end, and wait until it has let go of its data; False if none was running.

    Blocks. Queries under way get some seconds to finish. Raises ``OperationTimeoutError`` if it still runs after
    ``timeout_seconds``, ``ConfigError`` if its files cannot be used.
    """
    directory = resolve(path)
    deadline = time.monotonic() + timeout_seconds
    was_running, told = False, 0
    while is_held(directory.server_lock):
        was_running = True
        endpoint = find_running(directory)  # none yet while it starts, none any more while it ends
        # Each process once: a signal repeated while it ends would reach whatever has its number by then.
        if endpoint is not None and endpoint.pid != told:
            told = endpoint.pid
            with contextlib.suppress(ProcessLookupError):  # ended just now
                os.kill(told, signal.SIGTERM)
        if time.monotonic() > deadline:
            raise OperationTimeoutError(f"the local server on {directory.root} still runs after {timeout_seconds:g} s")
        time.sleep(_POLL_SECONDS)
    return was_running


def running(path: str | os.PathLike[str]) -> Endpoint | None:
    """The server that runs on ``path`` now; None if there is none, or it is starting or ending. None is started.

    Raises ``ConfigError`` if its files cannot be used.
    """
    return _look(path)[1]


def find_running(directory: StoreDirectory) -> Endpoint | None:
    """The endpoint of the server that is alive there now; None if there is none, or it is starting or ending."""
    # Without the first question, whatever a dead server's file has come to would be in the way of starting the next.
    return read_endpoint(directory.endpoint_file) if is_held(directory.server_lock) else None


def _look(path: str | os.PathLike[str]) -> tuple[StoreDirectory, Endpoint | None]:
    directory = resolve(path)
    return directory, find_running(directory)


async def _start_or_wait(directory: StoreDirectory, settings: _Settings, timeout_seconds: float) -> Endpoint:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    starter = _Starter(directory, settings)
    try:
        await asyncio.to_thread(prepare, directory)
        while True:
            endpoint = await asyncio.to_thread(starter.step)
            if endpoint is not None:
                return endpoint
            if loop.time() > deadline:
                raise starter.timed_out(timeout_seconds)
            # Polled, since neither a lock nor a file of another process tells when it changes.
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        # In a thread, because a step that was cancelled may still be running there and has to end first.
        await asyncio.shield(asyncio.to_thread(starter.close))


class _Settings(NamedTuple):
    """What a server is started with."""

    idle_seconds: float
    fsync: bool
    allow_external: bool


class _Starter:
    """One caller's way to a running server, in steps that never wait: start one, or watch somebody else do it."""

    def __init__(self, directory: StoreDirectory, settings: _Settings) -> None:
        self._directory = directory
        self._settings = settings
        self._turn: FileLock | None = None
        self._launch: Launch | None = None
        self._is_closed = False
        self._mutex = threading.Lock()

    def step(self) -> Endpoint | None:
        """Look, and do what is next; the endpoint once there is one. Raises what a failed start raises."""
        with self._mutex:
            # Looked for in each step, whoever starts it: the first server to be ready is as good as one's own.
            endpoint = find_running(self._directory)
            if endpoint is None and not self._is_closed:
                self._advance()
            return endpoint

    def close(self) -> None:
        """Let the next caller try. A server that is still starting goes on."""
        with self._mutex:
            # For a step that was cancelled and still runs in its thread: it must not take the turn after this.
            self._is_closed = True
            self._give_up_turn()

    def timed_out(self, seconds: float) -> ConnectionFailedError:
        if self._launch is None and is_held(self._directory.server_lock):
            return ConnectionFailedError(
                f"a server holds {self._directory.root}, but did not say within {seconds:g} s where it listens",
                hint="it may be starting, ending, or running in another container",
            )
        tail = log_tail(self._directory)
        return ConnectionFailedError(
            f"the local server on {self._directory.root} did not start within {seconds:g} s"
            + (f"\n{tail}" if tail else "")
        )

    def _advance(self) -> None:
        if self._launch is None:
            self._try_to_launch()
            return
        outcome = self._launch.poll()
        if outcome is None:
            return
        # As soon as it is known how the start ended, so that the next client may try.
        self._give_up_turn()
        if outcome.result == "failed":
            raise outcome.error(self._directory)

    def _try_to_launch(self) -> None:
        if is_held(self._directory.server_lock):
            return  # it is starting or ending; the file will appear, or the lock will be free
        self._turn = FileLock.take(self._directory.start_lock)
        # Ask again with the turn taken: whoever had it may have started a server meanwhile.
        if self._turn is None or is_held(self._directory.server_lock):
            self._give_up_turn()
            return
        idle_seconds, fsync, allow_external = self._settings
        self._launch = Launch(
            self._directory, idle_timeout_seconds=idle_seconds, fsync=fsync, allow_external=allow_external
        )

    def _give_up_turn(self) -> None:
        if self._launch is not None:
            self._launch.close()
            self._launch = None
        if self._turn is not None:
            self._turn.release()
            self._turn = None


def _is_on(variable: str) -> bool:
    text = os.environ.get(variable, "") or "0"
    if text not in ("0", "1"):
        raise ConfigError(f"{variable} must be 0 or 1, not {text!r}")
    return text == "1"


def _idle_seconds(given: float | None) -> float:
    text = os.environ.get(IDLE_VARIABLE, "") if given is None else str(given)
    try:
        seconds = float(text) if text else DEFAULT_IDLE_SECONDS
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        source = IDLE_VARIABLE if given is None else "idle_timeout_seconds"
        raise ConfigError(f"{source} must be a number of seconds above 0, not {text!r}")
    return seconds
