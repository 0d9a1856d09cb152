"""The event stream of a browser: it comes back from whatever happens to it."""

from __future__ import annotations

import contextlib

import httpx
from playwright.sync_api import BrowserContext, Page, Route, expect

from agentstore.web.live.streams import MOST
from tests.web.conftest import logged_in
from tests.web.serving import SECONDS, Pages


def test_a_stream_that_was_refused_is_asked_for_again(context: BrowserContext, sample_pages: Pages) -> None:
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.url)
        route.fulfill(status=503, body="Service Unavailable")

    page = logged_in(context, sample_pages)
    page.goto("about:blank")  # the page before may be about to ask
    page.route("**/live", refuse_once)
    # What was missed meanwhile is asked for: the list comes once more.
    with page.expect_response(lambda one: one.request.headers.get("x-part") == "list"):
        page.goto(f"{sample_pages.address}/sessions?since=all")
    assert len(refused) == 1
    expect(page.locator("tr.row").first).to_be_visible()


def said(page: Page, why: str) -> None:
    """Exactly this reason for not being live is shown."""
    expect(page.locator(f'[data-not-live="{why}"]')).to_be_visible()
    expect(page.locator("[data-not-live]:visible")).to_have_count(1)


def test_a_tab_too_many_says_so_and_goes_on(context: BrowserContext, sample_pages: Pages) -> None:
    page = logged_in(context, sample_pages)
    page.goto("about:blank")
    (cookie,) = [one for one in context.cookies() if one["name"] == sample_pages.cookie]
    with contextlib.ExitStack() as others, sample_pages.stranger(accept="*/*") as client:
        client.cookies.set(sample_pages.cookie, cookie["value"])
        held: list[httpx.Response] = []
        while not held or held[-1].status_code == 200:
            held.append(others.enter_context(client.stream("GET", "/live", timeout=SECONDS)))
        assert MOST - 1 <= len(held) - 1 <= MOST  # the one of the page before may not have ended yet
        page.goto(f"{sample_pages.address}/sessions?since=all")
        said(page, "full")
        # It is a page like others for all that.
        page.locator("tr.row a.title").first.click()
        expect(page.locator("#m0")).to_be_visible()
        said(page, "full")
    expect(page.locator("[data-not-live]:visible")).to_have_count(0)


def test_a_tab_whose_login_has_ended_says_so(context: BrowserContext, sample_pages: Pages) -> None:
    page = logged_in(context, sample_pages)
    page.goto("about:blank")
    page.route("**/live", lambda route: route.fulfill(status=401, body="{}"))
    page.goto(f"{sample_pages.address}/sessions?since=all")
    said(page, "out")
