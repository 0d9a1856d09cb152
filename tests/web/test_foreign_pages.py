"""Pages of others in the same browser: their links lead to us, their forms and scripts change and learn nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.cli.running import Cli
from tests.web.conftest import PLAIN_HOST
from tests.web.foreign import Foreign, foreign_pages
from tests.web.serving import Pages, served

TIDE = "/sessions/0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"
TITLE = "Fix the drifting tide clock"


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    with foreign_pages() as foreign:
        yield foreign


def test_a_link_on_a_foreign_page_brings_who_is_logged_in_to_the_session(
    page: Page, sample_pages: Pages, foreign: Foreign
) -> None:
    foreign.html = f'<a href="{sample_pages.address}{TIDE}?at=3#m3">The session</a>'
    page.goto(foreign.other_site)
    page.get_by_text("The session").click()
    expect(page.locator("h1")).to_have_text(TITLE)
    expect(page).to_have_url(f"{sample_pages.address}{TIDE}?at=3#m3")
    expect(page.locator("#m3.here")).to_be_in_viewport()
    # The page in between is none to come back to.
    page.go_back()
    expect(page.get_by_text("The session")).to_be_visible()


def test_a_link_on_a_foreign_page_brings_who_is_not_to_the_login(
    context: BrowserContext, sample_pages: Pages, foreign: Foreign
) -> None:
    foreign.html = f'<a href="{sample_pages.address}{TIDE}">The session</a>'
    page = context.new_page()
    page.goto(foreign.other_site)
    page.get_by_text("The session").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.get_by_label("Token").fill(sample_pages.link.rpartition("=")[2])
    page.get_by_role("button", name="Log in").click()
    sample_pages.link = sample_pages.next_link()
    expect(page.locator("h1")).to_have_text(TITLE)


def test_forms_of_ours_are_taken_where_a_browser_says_less(
    context: BrowserContext, sample_cli: Cli, foreign: Foreign, tmp_path: Path
) -> None:
    """Over plain http to another host than loopback a browser does not say from what kind of site a request comes."""
    file = tmp_path / "token"
    file.write_text("a-token-of-sixteen-or-more")
    file.chmod(0o600)
    with served(sample_cli, "--token-file", str(file), "--allow-host", PLAIN_HOST) as pages:
        address = f"http://{PLAIN_HOST}:{pages.port}"
        page = context.new_page()
        page.goto(f"{address}{TIDE}")
        page.get_by_label("Token").fill("a-token-of-sixteen-or-more")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("h1")).to_have_text(TITLE)
        foreign.html = f'<form method="post" action="{address}/logout"><button>Win</button></form>'
        page.goto(foreign.other_site)
        page.get_by_role("button", name="Win").click()
        expect(page.locator("body")).to_contain_text("Not from a page of ours")
        page.goto(address + TIDE)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize("where", ["other_site", "same_site"])
@pytest.mark.parametrize(
    ("path", "field"), [(f"{TIDE}/star", "on"), (f"{TIDE}/hide", "on"), (f"{TIDE}/purge", "title"), ("/logout", "x")]
)
def test_a_form_on_a_foreign_page_changes_nothing(
    page: Page, sample_pages: Pages, foreign: Foreign, where: str, path: str, field: str
) -> None:
    value = TITLE if field == "title" else "1"
    action = f"{sample_pages.address}{path}"
    foreign.html = (
        f'<form method="post" action="{action}"><input name="{field}" value="{value}"><button>Win</button></form>'
    )
    page.goto(getattr(foreign, where))
    with page.expect_response(action) as answered:
        page.get_by_role("button", name="Win").click()
    assert answered.value.status == 403
    expect(page.locator("body")).to_contain_text("Not from a page of ours")
    page.goto(f"{sample_pages.address}{TIDE}")
    expect(page.locator("[data-star]")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_text("Hidden from lists")).to_have_count(0)


@pytest.mark.parametrize("path", ["/sessions", "//evil.example/x", "/a'b\"><script>/%22?x='\"><b>&y=%22", "/x/"])
def test_asking_once_more_stays_with_us(sample_pages: Pages, path: str) -> None:
    """It is asked by a page, and what stands in the address is text there."""
    with sample_pages.stranger(**{"sec-fetch-site": "cross-site"}) as client:
        answer = client.get(sample_pages.address + path)
    assert answer.status_code == 200
    assert re.findall("<([a-z]+)", answer.text) == ["html", "meta", "meta", "title"]
    address = re.search('refresh" content="0;url=([^"]*)"', answer.text)
    assert address is not None
    sent, mark, query = str(answer.request.url).partition("?")
    assert unescape(address.group(1)) == f"./{sent.rpartition('/')[2]}{mark}{query}"


@pytest.mark.parametrize("where", ["other_site", "same_site"])
def test_a_script_on_a_foreign_page_reads_and_frames_nothing(
    page: Page, sample_pages: Pages, foreign: Foreign, where: str
) -> None:
    foreign.html = f'<iframe src="{sample_pages.address}{TIDE}"></iframe><script src="/none.js"></script>'
    page.goto(getattr(foreign, where))
    read = """async ([address, mode]) => {
        try { return await (await fetch(address, { mode, credentials: "include" })).text(); }
        catch (error) { return `refused: ${error.name}`; }
    }"""
    for path in (TIDE, "/sessions?since=all", "/search?q=tide", "/api/v1/sessions", "/live", "/static/x/app.js"):
        address = f"{sample_pages.address}{path}"
        assert page.evaluate(read, [address, "cors"]) == "refused: TypeError"
        assert page.evaluate(read, [address, "no-cors"]) in ("", "refused: TypeError")
    assert page.frames[1].evaluate("document.body?.innerText ?? ''").count(TITLE) == 0


def test_what_a_foreign_page_may_embed_is_nothing(sample_pages: Pages) -> None:
    with sample_pages.client() as client:
        answers: list[httpx.Response] = [client.get(path) for path in (TIDE, "/static/x/app.js", "/favicon.ico")]
    assert [one.headers["cross-origin-resource-policy"] for one in answers] == ["same-origin"] * 3
    assert [one.headers["x-frame-options"] for one in answers] == ["DENY"] * 3
