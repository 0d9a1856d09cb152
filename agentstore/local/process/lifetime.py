"""The life of one local server, from an acquired lock to a clean end.

Order is everything here. The lock comes first and goes last, so at any moment one process at most speaks for the path.
The file that tells clients where to connect appears after the server listens and goes before it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from agentstore.errors import ConfigError, ConnectionFailedError
from agentstore.local.directory.endpoint import Endpoint, Publication
from agentstore.local.directory.layout import StoreDirectory
from agentstore.local.directory.log_file import bound_log
from agentstore.local.directory.outcome import INSTALL_HINT

if TYPE_CHECKING:
    from agentstore.local.server.server import LocalServer

logger = logging.getLogger("agentstore.local")

_LINGER_SECONDS = 0.1
_HOUSEKEEPING_SECONDS = 60.0


class Options(msgspec.Struct, frozen=True):
    """How to run the server; a ``password`` of None means a fresh one, no idle timeout means until told to end."""

    host: str = "127.0.0.1"
    port: int = 0
    user: str = "default"
    password: str | None = None
    idle_timeout_seconds: float | None = None
    fsync: bool = False
    allow_external: bool = False

    def __repr__(self) -> str:
        return f"Options(host={self.host!r}, port={self.port}, user={self.user!r})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("host", self.host), ("port", self.port), ("user", self.user)]


async def run(directory: StoreDirectory, options: Options, *, on_ready: Callable[[Endpoint], None]) -> None:
    """Serve ``directory``, whose server lock the caller holds, until a signal or the idle timeout.

    When this ends, by exception too, the endpoint file is gone, and the server and its engine are closed.
    """
    # Before the server is made, which takes its limit of connections from it.
    _raise_file_limit()
    # Before the start, which may take seconds: a signal meanwhile is remembered, and ends it cleanly afterwards.
    with _stop_signals() as stop:
        async with _listening(directory, options) as (server, endpoint):
            publication = Publication(directory.endpoint_file, endpoint)
            try:
                # Only now: who reads the file finds a server that listens.
                publication.publish()
                logger.info("listens on %s:%d, pid %d", options.host, endpoint.port, endpoint.pid)
                on_ready(endpoint)
                await _serve_until_end(directory, server, publication, options.idle_timeout_seconds, stop)
                logger.info("ends")
            finally:
                # Before the server closes: no client is sent to it any more while it ends what runs.
                publication.withdraw()


@contextlib.asynccontextmanager
async def _listening(directory: StoreDirectory, options: Options) -> AsyncIterator[tuple[LocalServer, Endpoint]]:
    """The running server and how to reach it; closed at the end."""
    _make_data_directory(directory)
    password = secrets.token_urlsafe(32) if options.password is None else options.password
    server = await _start(directory, options, password)
    try:
        endpoint = Endpoint(_reachable(options.host), server.port, options.user, password, os.getpid())
        yield server, endpoint
    finally:
        await server.aclose()


def _raise_file_limit() -> None:
    """As many open files as the system lets this process have: a store of many parts under many clients needs them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # some systems name a limit that they do not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _make_data_directory(directory: StoreDirectory) -> None:
    try:
        directory.data.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory.data} cannot be used as a directory: {error.strerror}") from error


async def _start(directory: StoreDirectory, options: Options, password: str) -> LocalServer:
    """Load the engine and listen; whatever goes wrong there becomes one error of ours."""
    server = _make_server(directory, options, password)
    try:
        await server.start()
    except Exception as error:
        raise ConnectionFailedError(_start_message(options, error)) from error
    return server


def _make_server(directory: StoreDirectory, options: Options, password: str) -> LocalServer:
    try:
        # Only now: the engine is 180 MB, and whoever lost the race for the lock must be able to leave without it.
        from agentstore.local.server.server import LocalServer

        return LocalServer(
            directory.data,
            host=options.host,
            port=options.port,
            user=options.user,
            password=password,
            fsync=options.fsync,
            allow_external=options.allow_external,
        )
    except ImportError as error:
        raise ConfigError(f"the engine cannot be loaded: {error}", hint=INSTALL_HINT) from error
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _start_message(options: Options, error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is None:  # of a socket, not of a file
        return f"cannot listen on {options.host}:{options.port}: {error.strerror or error}"
    return f"the engine does not open the data: {error}"


async def _serve_until_end(
    directory: StoreDirectory,
    server: LocalServer,
    publication: Publication,
    idle_timeout: float | None,
    stop: asyncio.Event,
) -> None:
    if idle_timeout is None:
        await stop.wait()
        return
    while not stop.is_set():
        bound_log(directory.log_file)
        remaining = idle_seconds_left(server.idle_since, asyncio.get_running_loop().time(), idle_timeout)
        if remaining <= 0:
            if await withdraw_if_idle(publication, lambda: server.idle_since):
                logger.info("had no connection for %g s", idle_timeout)
                return
            continue
        with contextlib.suppress(TimeoutError):
            # Also woken while the server is in use: the log is bounded here, and nowhere else.
            async with asyncio.timeout(min(remaining, _HOUSEKEEPING_SECONDS)):
                await stop.wait()


def idle_seconds_left(idle_since: float | None, now: float, timeout: float) -> float:
    """The time after which the server may be idle for ``timeout``; 0 or less if it is now."""
    return timeout if idle_since is None else idle_since + timeout - now


async def withdraw_if_idle(publication: Publication, idle_since: Callable[[], float | None]) -> bool:
    """Stop sending clients here; True if none came meanwhile, else all is as before.

    A client that read the file a moment ago gets this linger to come in. One that is later still is refused, or cut off
    before its login is answered, so nothing of it can be half done, and it asks for a server again.
    """
    # Nothing was awaited since the caller found the server idle, so this is a time: two Nones would be equal below, and
    # a server in use would end.
    seen = idle_since()
    publication.withdraw()
    await asyncio.sleep(_LINGER_SECONDS)
    # The same time, not just idle again: a client that came and went may be about to come back.
    if idle_since() == seen:
        return True
    publication.publish()
    return False


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM, SIGINT and SIGHUP set; a signal that is ignored (nohup, background) stays ignored."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    handled = [
        number
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    for number in handled:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _reachable(host: str) -> str:
    """The address under which clients on this machine reach a server bound to ``host``."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)
