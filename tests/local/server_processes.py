"""What the tests of the server process share: stores that leave no process behind, and a client we did not write."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from clickhouse_driver import Client

from agentstore.local.client.acquire import acquire
from agentstore.local.directory.endpoint import Endpoint
from agentstore.local.directory.layout import resolve
from agentstore.local.directory.lock import is_held

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 30.0
IDLE_SECONDS = 20.0


def acquire_now(path: str | os.PathLike[str], start_timeout_seconds: float = 30.0) -> Endpoint:
    return asyncio.run(acquire(path, start_timeout_seconds=start_timeout_seconds, idle_timeout_seconds=IDLE_SECONDS))


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Look until ``condition`` holds; fail with ``what`` after a long while."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {DEADLINE_SECONDS:g} s: {what}"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_for_end(pid: int) -> None:
    wait_until(lambda: not is_running(pid), f"process {pid} has ended")


def processes_naming(text: str) -> list[int]:
    """Processes with ``text`` in their command line, but not this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if text.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def end_all_servers(under: Path) -> None:
    """Kill whatever a test left running in its own directory: its path is in the command line of each server."""
    needle = f"{os.path.realpath(under)}/"

    def kill_and_look() -> bool:
        left = processes_naming(needle)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    wait_until(kill_and_look, f"no process left in {under}")


def kill_server(store: Path, endpoint: Endpoint) -> None:
    """kill -9, and wait for the kernel to take the lock back."""
    os.kill(endpoint.pid, signal.SIGKILL)
    wait_for_end(endpoint.pid)
    wait_until(lambda: not is_held(resolve(store).server_lock), "the lock is free")


@contextmanager
def logged_in(endpoint: Endpoint) -> Iterator[Client]:
    client = Client(
        endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        settings={"max_threads": 1},
    )
    try:
        yield client
    finally:
        client.disconnect()


def start_python(
    *arguments: str, environment: Mapping[str, str] | None = None, own_session: bool = False
) -> subprocess.Popen[str]:
    """A Python process of its own, which sees the package and turns every warning into an error."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_session,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_ROOT), **(environment or {})},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a process that ends."""
    try:
        output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, output, errors


@contextmanager
def foreground(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``python -m agentstore.local`` and the line it announced itself with."""
    process = start_python("-m", "agentstore.local", *arguments, environment=environment)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def run_python(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    return finish(start_python(*arguments, environment=environment))
