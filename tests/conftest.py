"""Options of the test run, and the server all live tests run against."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import uvloop

import agentstore
from tests.long import function_of, long_ones
from tests.servers import Server, start_server

# Tests of sockets, deadlines, tasks and cancelling.
ABOUT_LOOPS = frozenset(
    f"test_{name}"
    for name in ("concurrency", "deadlines", "gone_callers", "hosts", "lanes", "life", "loop_end", "pool", "writer")
)
ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        choices=("local", "docker", "dsn"),
        default="dsn" if os.environ.get("AGENTSTORE_TEST_DSN") else "local",
        help="what the live tests run against: the local store, a container, or AGENTSTORE_TEST_DSN",
    )
    parser.addoption(
        "--all", action="store_true", help="also the tests that take long, where none is named (tests/long.py)"
    )
    parser.addoption("--every-loop", action="store_true", help="all live tests under asyncio's loop and under uvloop")


def pytest_configure() -> None:
    """Signals that a shell's background job or nohup ignores would be ignored by all processes that tests start."""
    for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, action)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without those that take long, unless they are asked for: by ``--all``, by a path or by a word of theirs."""
    is_named = config.args_source is pytest.Config.ArgsSource.ARGS or config.getoption("keyword")
    if is_named or config.getoption("all"):
        return
    long = long_ones()
    config.hook.pytest_deselected(items=[item for item in items if function_of(item.nodeid) in long])
    items[:] = [item for item in items if function_of(item.nodeid) not in long]


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"agentstore {agentstore.__version__}, live tests on: {config.getoption('--server')}"]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server for the whole run; skipped with the reason where there is none, failed where it is broken."""
    # A short path outside pytest's own: nothing of the store depends on it, and it goes away with the run.
    directory = Path(tempfile.mkdtemp(prefix="agentstore-test-"))
    found = start_server(request.config.getoption("--server"), directory)
    try:
        yield found
    finally:
        found.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def transcripts() -> Path:
    """Real transcripts, read where they lie."""
    directory = Path(os.environ.get("AGENTSTORE_TRANSCRIPTS", ROOT.parent / "shared" / "transcripts"))
    if not (directory / "MANIFEST.tsv").is_file():
        pytest.skip(f"no transcripts at {directory} (AGENTSTORE_TRANSCRIPTS names another place)")
    return directory


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """Live tests run under asyncio's own loop or under uvloop, the others under asyncio's.

    Under both where it is the loop that matters, and all of them with ``--every-loop``; the others take one, by name.
    """
    every: dict[str, Any] = {"asyncio": asyncio.SelectorEventLoop}
    path = Path(str(item.fspath))
    if "live" not in path.parts:
        return every
    every["uvloop"] = uvloop.new_event_loop
    mark = item.get_closest_marker("asyncio")
    is_chosen = mark is not None and "loop_factories" in mark.kwargs
    if is_chosen or path.stem in ABOUT_LOOPS or config.getoption("--every-loop"):
        return every
    name = ("asyncio", "uvloop")[crc32(f"{path.name}::{item.name}".encode()) % 2]
    return {name: every[name]}
