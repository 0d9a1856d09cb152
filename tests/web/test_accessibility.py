"""Everybody can use the pages: axe finds nothing serious, the keyboard is enough, and so is a narrow window."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.cli.conftest import import_sample
from tests.cli.running import Cli
from tests.web.conftest import in_use, logged_in, run_aside
from tests.web.serving import Pages, served

TIDE = "/sessions/0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"
TITLE = "Fix the drifting tide clock"
PATHS = {
    "list": "/sessions?since=all",
    "list with filters": "/sessions?since=all&commits=1&text=tide",
    "list of nothing": "/sessions?text=nothing-like-this",
    "session": TIDE,
    "session with hits": f"{TIDE}?q=tide",
    "prompts": f"{TIDE}/prompts",
    "search": "/search?q=tide&since=all",
    "search of nothing": "/search?q=nothing-like-this",
    "search at its beginning": "/search",
    "overview": "/overview?since=all",
    "overview without a script": "/overview?since=all&panel=all",
    "commits": "/commits",
    "a commit": "/commits?q=4f9d2c7",
    "files": "/files",
    "a file": "/files?path=tideclock/",
    "pin": f"{TIDE}/pin?at=0",
    "purge": f"{TIDE}/purge",
    "text": f"{TIDE}/text?at=0&part=content",
    "not found": "/nowhere",
    "refused": "/sessions?since=soon",
}


def filled(page: Page, address: str) -> None:
    """Open a page, and wait until all its parts are there."""
    page.goto(address)
    expect(page.locator("[data-panel]")).to_have_count(0)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    expect(page.locator("[data-part]:not(details) .no-script")).to_have_count(0)


def unfolded(page: Page) -> None:
    page.locator("details").evaluate_all("all => { for (const one of all) one.open = true; }")
    for one in page.locator("details.subagent [data-into]").all():
        expect(one.locator(".message").first).to_be_attached()


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", PATHS)
def test_axe_finds_nothing_serious(browser: Browser, sample_pages: Pages, name: str, scheme: str) -> None:
    with in_use(browser):
        context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        page = logged_in(context, sample_pages)
        filled(page, sample_pages.address + PATHS[name])
        unfolded(page)
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((one) => one < 100)")
        assert dark is (scheme == "dark")
        assert serious(page) == []
        context.close()


def test_the_login_and_the_keys_are_fit_too(context: BrowserContext, sample_pages: Pages, page: Page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert serious(page) == []
    context.clear_cookies()
    page.goto(f"{sample_pages.address}/login?token=wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    assert serious(page) == []


@pytest.mark.parametrize("name", PATHS)
def test_a_narrow_window_does_not_scroll_sideways(page: Page, sample_pages: Pages, name: str) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    filled(page, sample_pages.address + PATHS[name])
    unfolded(page)
    wide = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((one) => one.getBoundingClientRect().right > 401)
            .map((one) => one.outerHTML.slice(0, 100))"""
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 400, wide[:5]


def test_the_first_stop_is_the_way_to_the_content(page: Page, sample_pages: Pages) -> None:
    page.goto(f"{sample_pages.address}/sessions?since=all")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="To the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("name", ["list", "session", "search", "overview", "commits", "files", "purge"])
def test_tab_goes_through_a_page_in_its_order_and_what_has_the_focus_is_seen(
    page: Page, sample_pages: Pages, name: str
) -> None:
    filled(page, sample_pages.address + PATHS[name])
    # From the beginning, also where a field has taken the focus.
    page.evaluate("() => { document.activeElement.blur(); document.body.prepend(document.createElement('i')); }")
    page.evaluate(
        """() => {
            const first = document.querySelector("body > i");
            first.tabIndex = -1;
            first.focus();
        }"""
    )
    for _ in range(25):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => {
                const one = document.activeElement;
                if (one === document.body) return null;
                const before = window.last;
                window.last = one;
                const style = getComputedStyle(one);
                return {
                    what: one.outerHTML.slice(0, 100),
                    follows: !before || (before.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING) > 0,
                    seen: one.getClientRects().length > 0 || one.localName === "a",
                    outlined: style.outlineStyle !== "none" || style.boxShadow !== "none",
                };
            }"""
        )
        if told is None:
            break
        assert told["follows"], told
        assert told["seen"], told
        assert told["outlined"], told


def focused_row(page: Page) -> int:
    index = page.evaluate(
        "[...document.querySelectorAll('[data-item]')].indexOf(document.activeElement.closest('[data-item]'))"
    )
    return int(index)


@pytest.mark.parametrize("name", ["list", "search"])
def test_keys_are_enough(page: Page, sample_pages: Pages, name: str) -> None:
    filled(page, sample_pages.address + PATHS[name])
    page.evaluate("document.activeElement.blur()")
    for key, at in (("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        assert focused_row(page) == at
        expect(page.locator("[data-item]").nth(at)).to_have_attribute("aria-selected", "true")
        expect(page.locator("[aria-selected=true]")).to_have_count(1)
    page.keyboard.press("/")
    field = page.locator("#q" if name == "search" else "#top-q")
    expect(field).to_be_focused()
    # What is typed is text, and no key.
    page.keyboard.type("jk?")
    expect(page.locator("#keys")).to_be_hidden()
    expect(field).to_have_value("jk?")
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    filled(page, sample_pages.address + PATHS[name])
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/sessions/.+"))
    # The script shows this: from then on there are keys.
    expect(page.locator("[data-theme-toggle]")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page).to_have_url(re.compile("/overview"))


@pytest.fixture(scope="module")
def own_pages(module_cli: Cli) -> Iterator[Pages]:
    run_aside(lambda: import_sample(module_cli.dsn))
    with served(module_cli) as pages:
        yield pages


def test_without_a_script_one_finds_reads_and_stars(browser: Browser, own_pages: Pages) -> None:
    with in_use(browser):
        context = browser.new_context(java_script_enabled=False)
        page = logged_in(context, own_pages)
        page.goto(f"{own_pages.address}/sessions?since=all")
        page.get_by_label("Title").fill("drifting")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("tr.row")).to_have_count(1)
        page.get_by_text(TITLE).click()
        expect(page.locator("h1")).to_have_text(TITLE)
        page.get_by_role("button", name="Star").click()
        expect(page.get_by_role("button", name="Starred")).to_have_attribute("aria-pressed", "true")
        page.goto(f"{own_pages.address}/sessions?since=all&starred=1")
        expect(page.locator("tr.row")).to_have_count(1)
        page.locator("#top-q").fill("lunar day")
        page.locator("#top-q").press("Enter")
        expect(page.locator(".hits mark").first).to_have_text("lunar day")
        page.locator(".hits a").first.click()
        expect(page.locator(".message mark").first).to_be_visible()
        page.goto(f"{own_pages.address}/overview?since=all")
        page.locator("main a", has_text="Show").first.click()
        expect(page.locator("main table:visible, main svg:visible").first).to_be_visible()
        expect(page.locator("[data-theme-toggle]")).to_be_hidden()
        context.close()


def test_the_theme_that_was_chosen_stays(page: Page, sample_pages: Pages) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(f"{sample_pages.address}/sessions?since=all")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.get_by_role("button", name="Dark or light").click()
    light = page.evaluate(colour)
    assert light != dark
    page.reload()
    assert page.evaluate(colour) == light
    page.emulate_media(color_scheme="light")
    assert page.evaluate(colour) == light
