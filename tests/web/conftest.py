"""Pages of the sample, and a browser: Debian's own, where there is one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.cli.conftest import long_cli, module_cli, own_cli, sample_cli
from tests.cli.running import Cli
from tests.web.serving import Pages, served

__all__ = ["long_cli", "module_cli", "own_cli", "sample_cli"]

T = TypeVar("T")
# How long what is expected may take: machines that run tests are busy.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)
# A name of this machine that to a browser is no loopback: there it tells a server less, as over any plain http.
PLAIN_HOST = "history.example"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def sample_pages(sample_cli: Cli) -> Iterator[Pages]:
    """The pages of the sample, for tests that change nothing."""
    with served(sample_cli) as pages:
        yield pages


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser without a window. Tests that need it are skipped where there is none."""
    path = os.environ.get("AGENTSTORE_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("no chromium here: apt install chromium")
    with sync_playwright() as playwright:
        # As root, and where /dev/shm is small: both are so in containers.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        asyncio._set_running_loop(None)
        yield browser
        with in_use(browser):
            browser.close()
        asyncio._set_running_loop(loop_of(browser))


def loop_of(browser: Browser) -> asyncio.AbstractEventLoop:
    """What the browser is driven by."""
    loop = browser._loop
    assert isinstance(loop, asyncio.AbstractEventLoop)
    return loop


@contextlib.contextmanager
def in_use(browser: Browser) -> Iterator[None]:
    """The loop that drives it runs beside our own frames for as long as the browser lives. Only in here it is the
    running one of this thread: other tests, and ``asyncio.run`` in fixtures, have loops of their own."""
    asyncio._set_running_loop(loop_of(browser))
    try:
        yield
    finally:
        asyncio._set_running_loop(None)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that was never here before."""
    with in_use(browser):
        context = browser.new_context(timezone_id="Europe/Berlin", viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        yield context
        context.close()


def run_aside(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """``asyncio.run`` in a thread of its own, for tests that use a browser."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


@pytest.fixture
def page(context: BrowserContext, sample_pages: Pages) -> Page:
    """A tab on the sample, logged in."""
    return logged_in(context, sample_pages)


def logged_in(context: BrowserContext, pages: Pages) -> Page:
    """A tab that has come in by the link."""
    page = context.new_page()
    page.goto(pages.link)
    pages.link = pages.next_link()
    return page
