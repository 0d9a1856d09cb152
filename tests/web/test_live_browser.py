"""The event stream of a browser: it comes back from whatever happens to it."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Route, expect

from tests.web.conftest import logged_in
from tests.web.serving import Pages


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
