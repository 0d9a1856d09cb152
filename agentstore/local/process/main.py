"""The entries of the server process: in the foreground for a person, detached for the clients of a path.

A foreground server runs until it is told to end. A detached one is started by ``local.client.launch``: it writes one
``Outcome`` to the pipe it was given, keeps a log in the store's directory, and ends when nobody is connected.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence

import msgspec

from agentstore.errors import AgentStoreError, ConfigError
from agentstore.local.directory.endpoint import Endpoint
from agentstore.local.directory.layout import StoreDirectory, prepare, resolve
from agentstore.local.directory.lock import FileLock
from agentstore.local.directory.outcome import Outcome
from agentstore.local.process.lifetime import Options, run
from agentstore.local.process.owner import become_owner

EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 3
PASSWORD_VARIABLE = "AGENTSTORE_SERVE_PASSWORD"

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


async def serve(
    path: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    user: str = "default",
    password: str | None = None,
    idle_timeout_seconds: float | None = None,
    announce: bool = True,
    fsync: bool = False,
    allow_external: bool = False,
) -> int:
    """Run the server on ``path`` until SIGTERM, SIGINT, SIGHUP or the idle timeout, then close it cleanly.

    Returns 0, or 3 at once if another process serves ``path`` already. Must run in the main thread, for the signals.
    A ``password`` of None means a generated one, found in ``PATH/server.json``; an empty one is refused off loopback.
    With ``fsync`` an INSERT is answered once it would survive a power cut. With ``allow_external`` statements may reach
    files, other hosts and programs, with all rights of this process; else they are refused.
    ``announce`` prints one line with the address, never the password. Raises ``ConfigError`` or
    ``ConnectionFailedError`` when the server cannot start.
    """
    directory = resolve(path)
    prepare(directory)
    lock = FileLock.take(directory.server_lock)
    if lock is None:
        return EXIT_ALREADY_RUNNING
    with lock:
        options = Options(host, port, user, password, idle_timeout_seconds, fsync, allow_external)
        await run(directory, options, on_ready=lambda endpoint: _announce(directory, endpoint) if announce else None)
    return 0


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m agentstore.local") -> int:
    """``python -m agentstore.local``; the exit code is 0, 1 for a failed start, 3 if the path is served already."""
    arguments = _parser(prog).parse_args(argv)
    if arguments.detached:
        return _run_detached(arguments)
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT)
    try:
        become_owner(resolve(arguments.path))
        code = asyncio.run(_serve_foreground(arguments))
    except AgentStoreError as error:
        print(f"agentstore: {error}", file=sys.stderr)
        return EXIT_FAILED
    if code == EXIT_ALREADY_RUNNING:
        print(f"agentstore: another process already serves {arguments.path}", file=sys.stderr)
    return code


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Serve a local store to any client of the ClickHouse native protocol. "
        f"The password is taken from {PASSWORD_VARIABLE}, else generated; it is found in PATH/server.json.",
    )
    parser.add_argument("--path", required=True, help="directory of the store, created if need be")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--user", default="default")
    parser.add_argument(
        "--no-password",
        action="store_true",
        help="let every user and program of this machine read, change and delete what is stored; loopback only",
    )
    parser.add_argument("--idle-timeout", type=float, metavar="SECONDS", help="end when unused for so long")
    parser.add_argument(
        "--print", action=argparse.BooleanOptionalAction, default=True, help="print the address once it runs"
    )
    parser.add_argument(
        "--fsync",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="answer an insert only once it would survive a power cut (default: as soon as the system has it)",
    )
    parser.add_argument(
        "--allow-external",
        action="store_true",
        help="let statements read and write files of this user, reach other hosts and run scripts, by file(), url(), "
        "remote() and the like (default: they are refused)",
    )
    parser.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    return parser


async def _serve_foreground(arguments: argparse.Namespace) -> int:
    return await serve(
        arguments.path,
        host=arguments.host,
        port=arguments.port,
        user=arguments.user,
        password=_given_password(arguments.no_password),
        idle_timeout_seconds=arguments.idle_timeout,
        announce=arguments.print,
        fsync=arguments.fsync,
        allow_external=arguments.allow_external,
    )


def _given_password(no_password: bool) -> str | None:
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is None:
        return "" if no_password else None
    if no_password:
        raise ConfigError(f"{PASSWORD_VARIABLE} is set, which contradicts --no-password")
    if not given:  # more likely a secret that failed to load than a wish for an open server
        raise ConfigError(f"{PASSWORD_VARIABLE} is empty", hint="unset it, or say --no-password")
    return given


def _announce(directory: StoreDirectory, endpoint: Endpoint) -> None:
    secret = (
        f"password in {directory.endpoint_file}" if endpoint.password else "no password: open to all on this machine"
    )
    print(
        f"agentstore local server on {endpoint.host}:{endpoint.port}, user {endpoint.user}, {secret}",
        flush=True,
    )


def _run_detached(arguments: argparse.Namespace) -> int:
    """The whole life of a background server; its starter hears of the outcome through the pipe at stdout."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a starter that blocks SIGTERM must not make us deaf to it
    os.umask(0o077)
    # Under a number of its own: stdout becomes the log, and the pipe has to be closed with the outcome.
    report = _Report(os.dup(1))
    try:
        directory = resolve(arguments.path)
        # Before the first file is made: root's files would lock the owner out.
        become_owner(directory)
        lock = FileLock.take(directory.server_lock)
        if lock is None:
            report.send(Outcome("taken"))
            return EXIT_ALREADY_RUNNING
        with lock:
            # Only with the lock: who lost the race must not cut off the log of the server that won it.
            _write_to_log(directory)
            options = Options(
                idle_timeout_seconds=arguments.idle_timeout,
                fsync=arguments.fsync,
                allow_external=arguments.allow_external,
            )
            asyncio.run(run(directory, options, on_ready=lambda _: report.send(Outcome("ready"))))
        return 0
    except AgentStoreError as error:
        logging.getLogger("agentstore.local").error("ends: %s", error, exc_info=error.__cause__)
        report.send(Outcome("failed", isinstance(error, ConfigError), error.message, error.hint))
        return EXIT_FAILED


class _Report:
    """The pipe to the starter, for one outcome: once sent, the pipe is closed, so that nobody waits for more."""

    def __init__(self, pipe: int) -> None:
        self._pipe: int | None = pipe

    def send(self, outcome: Outcome) -> None:
        if self._pipe is None:
            return
        with contextlib.suppress(BrokenPipeError):  # the starter was cancelled or killed; the server is for others too
            os.write(self._pipe, msgspec.json.encode(outcome) + b"\n")
        os.close(self._pipe)
        self._pipe = None


def _write_to_log(directory: StoreDirectory) -> None:
    """Send what Python and the engine write from now on to a fresh log file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        log = os.open(directory.log_file, flags, 0o600)
    except OSError as error:
        raise ConfigError(f"cannot write {directory.log_file}: {error.strerror}") from error
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT)
