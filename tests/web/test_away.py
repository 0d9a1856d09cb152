"""The store goes away and comes back: pages say so, and go on by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from agentstore import AsyncClickHouseStore
from agentstore.local.client.acquire import acquire
from agentstore.settings import resolve_target
from tests.builders import message, session
from tests.cli.conftest import import_sample
from tests.cli.running import Cli
from tests.live.relay import Relay
from tests.local.server_processes import processes_naming, wait_until
from tests.web.conftest import logged_in, run_aside
from tests.web.serving import SECONDS, Pages, served
from tests.web.test_live_pages import settled

TIDE = "/sessions/0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"
TITLE = "Fix the drifting tide clock"


class Network:
    """A relay to the local server, in a loop of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._relay = Relay(host, port)
        self._listener = self._run(asyncio.start_server(self._relay.serve, "127.0.0.1", 0))
        self.port: int = self._listener.sockets[0].getsockname()[1]

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def down(self) -> None:
        """Connections are cut, and new ones find nobody."""

        async def work() -> None:
            self._listener.close()
            await self._relay.cut()

        self._run(work())

    def up(self) -> None:
        """The same port answers again."""
        self._listener = self._run(asyncio.start_server(self._relay.serve, "127.0.0.1", self.port))

    def end(self) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()


@pytest.fixture(scope="module")
def remote(module_cli: Cli) -> Iterator[tuple[Network, Cli]]:
    """The sample behind a network that can be cut, and a command line that goes through it."""
    asyncio.run(import_sample(module_cli.dsn))
    found = asyncio.run(acquire(module_cli.home / "store", start_timeout_seconds=SECONDS, idle_timeout_seconds=600))
    database = resolve_target(module_cli.dsn, {}).database
    network = Network(found.host, found.port)
    dsn = f"clickhouse://{found.user}:{found.password}@127.0.0.1:{network.port}/{database}?connect_timeout_seconds=2"
    try:
        yield network, Cli(module_cli.home, dsn)
    finally:
        network.end()


@pytest.fixture(scope="module")
def remote_pages(remote: tuple[Network, Cli]) -> Iterator[Pages]:
    with served(remote[1]) as pages:
        yield pages


@contextlib.contextmanager
def cut(network: Network) -> Iterator[None]:
    network.down()
    try:
        yield
    finally:
        network.up()


def assert_says_so(page: Page) -> None:
    """A page of ours, with its style, and nothing of the inside."""
    expect(page.locator("h1")).to_be_visible()
    text = page.locator("body").inner_text()
    assert "tries again by itself" in text
    for inside in ("Traceback", 'File "', "agentstore/", "password", "clickhouse://", "Error("):
        assert inside not in text
    expect(page.locator("header nav")).to_be_visible()


@pytest.mark.parametrize("path", ["/sessions?since=all", TIDE, "/search?q=tide", "/commits", "/files?path=tideclock/"])
def test_a_page_says_that_the_store_is_away_and_comes_by_itself(
    context: BrowserContext, remote: tuple[Network, Cli], remote_pages: Pages, path: str
) -> None:
    page = logged_in(context, remote_pages)
    with cut(remote[0]):
        answer = page.goto(remote_pages.address + path)
        assert answer is not None
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert_says_so(page)
    # Nobody touches it.
    expect(page.get_by_text("tries again by itself")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("tide")


def test_open_pages_say_so_and_go_on(
    context: BrowserContext, remote: tuple[Network, Cli], remote_pages: Pages, module_cli: Cli
) -> None:
    reading = logged_in(context, remote_pages)
    reading.goto(remote_pages.address + TIDE)
    settled(reading)
    tabs = {"list": context.new_page(), "overview": context.new_page(), "search": context.new_page()}
    for name, path in (("list", "/sessions?since=all"), ("overview", "/overview"), ("search", "/search?q=tide")):
        tabs[name].goto(remote_pages.address + path)
        settled(tabs[name])
    with cut(remote[0]):
        for page in (reading, *tabs.values()):
            expect(page.locator("#away")).to_be_visible()
        # What is shown stays.
        expect(reading.locator("h1")).to_have_text(TITLE)
        expect(tabs["list"].get_by_text(TITLE)).to_be_visible()
        # A tab that is opened now says it as well, and a search says what it can.
        tabs["search"].locator("#q").fill("lunar")
        expect(tabs["search"].locator("#hits [role=alert]")).to_be_visible()
        run_aside(lambda: write(module_cli, "meanwhile", "Written while it was away"))
    for page in (reading, *tabs.values()):
        expect(page.locator("#away")).to_be_hidden()
    expect(tabs["list"].get_by_text("Written while it was away")).to_be_visible()
    tabs["search"].locator("#q").press("Enter")
    expect(tabs["search"].locator(".hits li").first).to_be_visible()


async def write(cli: Cli, id: str, text: str) -> None:
    async with AsyncClickHouseStore(cli.dsn) as store:
        one = session(id, first_message=text, message_count=1)
        await store.write_session("local", one, [message(0, text)])


def kill_store(home: Path) -> None:
    """kill -9 for the local server of this home, wherever it is in its life."""
    needle = f"{os.path.realpath(home)}/store"
    found = [
        pid for pid in processes_naming(needle) if b"agentstore.local" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert found
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(found) & set(processes_naming(needle)), "the store's server is gone")


def test_a_local_server_that_is_killed_is_started_again(context: BrowserContext, own_cli: Cli) -> None:
    run_aside(lambda: import_sample(own_cli.dsn))
    with served(own_cli) as pages:
        page = logged_in(context, pages)
        page.goto(f"{pages.address}/sessions?since=all")
        settled(page)
        for number in range(2):
            kill_store(own_cli.home)
            other = context.new_page()
            other.goto(pages.address + TIDE)
            # At once, or after it has said so.
            expect(other.locator("h1")).to_have_text(TITLE)
            run_aside(partial(write, own_cli, f"after-{number}", f"Written after kill {number}"))
            expect(page.get_by_text(f"Written after kill {number}")).to_be_visible()
            expect(page.locator("#away")).to_be_hidden()
        assert pages.stop() == 0
        assert pages.process.stderr is not None
        assert "Traceback" not in pages.process.stderr.read()


def test_pages_that_are_started_again_go_on_in_open_tabs(context: BrowserContext, own_cli: Cli) -> None:
    """``agentstore web`` itself ends and comes back on its port."""
    run_aside(lambda: import_sample(own_cli.dsn))
    with served(own_cli) as pages:
        port = pages.port
        page = logged_in(context, pages)
        page.goto(f"{pages.address}/sessions?since=all")
        settled(page)
        assert pages.stop() == 0
        expect(page.locator("#away")).to_be_visible()
    run_aside(lambda: write(own_cli, "meanwhile", "Written while nobody served"))
    with served(own_cli, port=port):
        expect(page.locator("#away")).to_be_hidden()
        expect(page.get_by_text("Written while nobody served")).to_be_visible()
