"""A local server in this process for the tests of the server itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest

from agentstore.local.server.server import LocalServer

PASSWORD = "sec'ret ☃"


class ServerThread:
    """A LocalServer on an event loop of its own, so that blocking clients can be tested against it."""

    def __init__(
        self,
        path: Path,
        *,
        new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
        **options: object,
    ) -> None:
        self.server = LocalServer(path, **options)  # type: ignore[arg-type]  # the tests choose freely
        self.loop = new_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="test-server")

    @property
    def port(self) -> int:
        return self.server.port

    def __enter__(self) -> ServerThread:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.server.aclose(grace_seconds=1), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """One server for a module: the engine opens one path in a process at a time."""
    with ServerThread(tmp_path_factory.mktemp("store") / "db", password=PASSWORD) as running:
        yield running
