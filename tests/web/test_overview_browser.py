"""Overview, commits and files in a browser: they fill by themselves, lead on, and are read by anybody."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.web.conftest import logged_in
from tests.web.serving import Pages

ALL = "since=all"
PATHS = (f"/overview?{ALL}", "/commits", "/files", "/files?path=tideclock/", "/commits?q=4f9d")


def filled(page: Page, address: str) -> None:
    """Open an overview, and wait for all of it."""
    page.goto(address)
    expect(page.locator("[data-panel]")).to_have_count(0)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def test_panels_fill_and_a_bar_leads_to_as_many_sessions(page: Page, sample_pages: Pages) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    filled(page, f"{sample_pages.address}/overview?since=2026-03-01&until=2026-03-08")
    assert said == []
    assert {one.split("/")[2] for one in asked} == {sample_pages.address.split("/")[2]}
    assert page.locator(".bars-names text").all_text_contents() == [f"{day} Mar" for day in range(1, 9)]
    # Days without a session are gaps, with their numbers on hover.
    assert page.locator(".bars-plot g title").first.text_content() == "Sun 1 Mar 2026: 0 sessions"
    bar = page.locator(".bars-plot a").first
    title = bar.locator("title").text_content() or ""
    told = re.search(r": (\d+) session", title)
    assert told
    bar.locator(".reach").click()
    expect(page.locator(".total")).to_have_text(re.compile(rf"^{told.group(1)} session"))
    expect(page.locator(".chips")).to_contain_text("begun in this time")
    page.go_back()
    cell = page.locator(".heat.wide a").first
    number = cell.inner_text()
    cell.click()
    expect(page.locator(".total")).to_have_text(re.compile(rf"^{number} session"))
    expect(page.locator(".chips")).to_contain_text(":00 to ")


def test_another_measure_comes_in_place_and_keeps_the_focus(page: Page, sample_pages: Pages) -> None:
    filled(page, f"{sample_pages.address}/overview?{ALL}")
    panel = page.get_by_role("region", name="Over time")
    panel.get_by_role("link", name="Cost").focus()
    page.keyboard.press("Enter")
    expect(panel.locator("[aria-current]")).to_have_text("Cost")
    expect(panel.locator("[aria-current]")).to_be_focused()
    expect(panel.locator(".bars-plot a title").first).to_contain_text("$")
    expect(page).to_have_url(re.compile(r"/overview\?since=all$"))
    panel.get_by_text("As a table").click()
    expect(panel.get_by_role("columnheader", name="Cost")).to_be_visible()


def test_bars_are_reached_by_keys_and_are_one_stop(page: Page, sample_pages: Pages) -> None:
    filled(page, f"{sample_pages.address}/overview?since=2026-03-01&until=2026-03-08")
    panel = page.get_by_role("region", name="Over time")
    bars = panel.get_by_role("group", name="Bars, one for each day").get_by_role("link")
    names = bars.evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")
    assert len(names) > 2
    assert all(re.fullmatch(r"\w{3} \d+ Mar 2026: \d+ sessions?", name) for name in names)
    panel.get_by_role("link", name="Cost").focus()
    page.keyboard.press("Tab")
    expect(bars.last).to_be_focused()
    # What has the focus is seen.
    assert bars.last.evaluate("(one) => getComputedStyle(one).outlineStyle") != "none"
    page.keyboard.press("ArrowRight")
    expect(bars.last).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(bars.nth(len(names) - 2)).to_be_focused()
    page.keyboard.press("Tab")
    expect(panel.get_by_text("As a table")).to_be_focused()
    # One comes back to where one was.
    page.keyboard.press("Shift+Tab")
    expect(bars.nth(len(names) - 2)).to_be_focused()
    page.keyboard.press("End")
    expect(bars.last).to_be_focused()
    page.keyboard.press("Home")
    expect(bars.first).to_be_focused()
    number = (names[0] or "").rpartition(": ")[2].split()[0]
    page.keyboard.press("Enter")
    expect(page.locator(".total")).to_have_text(re.compile(rf"^{number} session"))


def test_a_panel_that_fails_is_asked_for_again(page: Page, sample_pages: Pages) -> None:
    page.route("**/overview/tools*", lambda route: route.abort())
    page.goto(f"{sample_pages.address}/overview?{ALL}")
    panel = page.get_by_role("region", name="Tools")
    expect(panel.get_by_role("alert")).to_contain_text("It could not be loaded.")
    expect(page.get_by_role("region", name="Models").locator("tbody tr").first).to_be_visible()
    page.unroute("**/overview/tools*")
    panel.get_by_role("button", name="Try again").click()
    expect(panel.locator("tbody tr").first).to_be_visible()


def test_who_leaves_is_not_told_of_errors(page: Page, sample_pages: Pages) -> None:
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    for _ in range(3):
        page.goto(f"{sample_pages.address}/overview?{ALL}")
        page.goto(f"{sample_pages.address}/files")
    filled(page, f"{sample_pages.address}/overview?{ALL}")
    assert said == []


def test_without_a_script(browser: Browser, sample_pages: Pages, context: BrowserContext) -> None:
    logged_in(context, sample_pages)
    plain = browser.new_context(java_script_enabled=False)
    plain.add_cookies(context.cookies())  # type: ignore[arg-type]
    page = plain.new_page()
    page.goto(f"{sample_pages.address}/overview?{ALL}")
    page.get_by_role("region", name="Tools").get_by_role("link", name="Show").click()
    expect(page.get_by_role("region", name="Tools").locator("tbody tr").first).to_be_visible()
    page.get_by_role("link", name="Show all figures").click()
    expect(page.get_by_role("link", name="Show", exact=True)).to_have_count(0)
    page.get_by_role("region", name="Cost").get_by_role("link", name="Project").click()
    expect(page.get_by_role("region", name="Cost").locator("[aria-current]")).to_have_text("Project")
    page.goto(f"{sample_pages.address}/commits")
    page.get_by_label("A commit or a pull request").fill("4f9d2c7")
    page.get_by_role("button", name="Find").click()
    expect(page.locator(".found li")).to_have_count(1)
    page.goto(f"{sample_pages.address}/files")
    page.get_by_label("A file or a folder").fill("tideclock/hand.py")
    page.get_by_role("button", name="Find").click()
    page.locator(".did a", has_text="#").first.click()
    expect(page.locator("h1")).to_have_text("Fix the drifting tide clock")
    plain.close()


@pytest.mark.parametrize("path", PATHS)
def test_narrow_and_dark(page: Page, sample_pages: Pages, path: str) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.set_viewport_size({"width": 400, "height": 800})
    page.emulate_media(color_scheme="dark")
    filled(page, sample_pages.address + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert said == []
    if path.startswith("/overview"):
        expect(page.locator(".heat.narrow")).to_be_visible()
        expect(page.locator(".heat.wide")).to_be_hidden()
    # One heading of the first level, and none of the third without one of the second.
    levels = [int(one[1]) for one in page.locator("main :is(h1,h2,h3)").evaluate_all("all => all.map(e => e.tagName)")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(following <= one + 1 for one, following in itertools.pairwise(levels))
    # All tables have captions, all fields labels.
    assert page.locator("main table").count() == page.locator("main table > caption").count()
    unlabelled = "all => all.filter(e => e.type !== 'hidden' && !e.labels.length).length"
    assert page.locator("main :is(input, select)").evaluate_all(unlabelled) == 0
