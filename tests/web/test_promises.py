"""What the guide says that the pages never do, on all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from agentstore import AsyncClickHouseStore
from tests.builders import message, session
from tests.cli.running import Cli
from tests.web.conftest import logged_in, run_aside
from tests.web.foreign import Foreign, foreign_pages
from tests.web.serving import Pages, served
from tests.web.test_accessibility import PATHS, TIDE, filled, unfolded


def test_no_page_asks_anybody_else_for_anything(context: BrowserContext, sample_pages: Pages) -> None:
    asked: set[str] = set()
    # Of all tabs, and also what the policy then refuses.
    context.on("request", lambda request: asked.add(request.url))
    page = logged_in(context, sample_pages)
    page.on("websocket", lambda socket: asked.add(socket.url))
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    for path in PATHS.values():
        filled(page, sample_pages.address + path)
        unfolded(page)
    assert len(asked) > len(PATHS)
    assert {"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in asked} == {sample_pages.address}
    assert refused == []


_KEPT = """async () => ({
    local: Object.keys(localStorage).sort(),
    tab: [...new Set(Object.keys(sessionStorage).map((name) => name.replace(/:.*/s, "")))].sort(),
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
})"""


def test_a_browser_keeps_nothing_but_what_is_told(context: BrowserContext, sample_pages: Pages) -> None:
    cached: set[str] = set()

    def note(answer: Response) -> None:
        if "no-store" not in answer.headers.get("cache-control", ""):
            cached.add(re.sub("/static/[0-9a-f]+/", "/static/", urlsplit(answer.url).path))

    context.on("response", note)
    page = logged_in(context, sample_pages)
    page.get_by_role("button", name="Dark or light").click()
    for path in PATHS.values():
        filled(page, sample_pages.address + path)
    page.goto(f"{sample_pages.address}{TIDE}?at=3")
    page.goto(f"{sample_pages.address}/sessions?since=all")
    expect(page.locator("tr.row").first).to_be_visible()
    assert page.evaluate(_KEPT) == {
        # The theme, and when one was here last.
        "local": ["agentstore-theme", "agentstore-visit"],
        # Of a tab: the same, as it was when it was opened, and where one was in a session.
        "tab": ["agentstore-before", "agentstore-place"],
        "databases": [],
        "caches": [],
        "workers": 0,
    }
    cookies = {one.get("name", ""): one for one in context.cookies()}
    assert set(cookies) == {sample_pages.cookie, "agentstore_tz"}
    assert cookies[sample_pages.cookie].get("httpOnly") is True
    assert cached
    assert all(re.fullmatch(r"/static/\w+\.(css|js|svg)|/favicon\.ico", path) for path in cached), cached


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    with foreign_pages() as foreign:
        yield foreign


def test_a_link_of_a_transcript_does_not_say_where_it_comes_from(
    context: BrowserContext, module_cli: Cli, foreign: Foreign
) -> None:
    text = f"[the docs]({foreign.other_site}/docs)"

    async def write() -> None:
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await store.ensure_schema()
            await store.write_session("local", session("linked"), [message(0, text)])

    run_aside(write)
    with served(module_cli) as pages:
        page: Page = logged_in(context, pages)
        page.goto(f"{pages.address}/sessions/linked")
        assert foreign.asked == []
        page.get_by_role("link", name="the docs", exact=True).click()
        expect(page).to_have_url(f"{foreign.other_site}/docs")
    assert foreign.referrers["/docs"] == ""
