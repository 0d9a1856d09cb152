"""Pages of the sample, and a browser: Debian's own, where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.cli.conftest import long_cli, module_cli, own_cli, sample_cli
from tests.cli.running import Cli
from tests.web.serving import Pages, served

__all__ = ["long_cli", "module_cli", "own_cli", "sample_cli"]

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
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that was never here before."""
    context = browser.new_context(timezone_id="Europe/Berlin", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    yield context
    context.close()


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
