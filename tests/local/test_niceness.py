"""The engine's threads step back for the server's own, in a process of its own whose threads can be looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentstore.local.engine import niceness
from tests.local.server_processes import acquire_now, logged_in, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc/self/task here")


def how_nice(pid: int) -> list[int]:
    """How nice the threads of a process are."""
    return [os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in Path(f"/proc/{pid}/task").iterdir()]


def test_the_engine_s_threads_are_nicer_than_the_server_s(tmp_path: Path) -> None:
    endpoint = acquire_now(tmp_path / "store")
    before = os.getpriority(os.PRIO_PROCESS, endpoint.pid)
    with logged_in(endpoint) as client:

        def are_nice() -> bool:
            assert client.execute("SELECT sum(cityHash64(number)) FROM numbers_mt(1000000) SETTINGS max_threads = 4")
            return how_nice(endpoint.pid).count(niceness.NICENESS) >= 4

        wait_until(are_nice, "the threads of queries to be nice")
    assert os.getpriority(os.PRIO_PROCESS, endpoint.pid) == before  # the event loop's own thread
    assert how_nice(endpoint.pid).count(before) > 1


def test_the_server_s_own_threads_are_left_alone() -> None:
    looking = niceness.Niceness()
    before = os.getpriority(os.PRIO_PROCESS, 0)
    looking.look()
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
