"""Stars that change in place, and the page that erases: in a browser, with a script and without one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.cli.conftest import import_sample
from tests.cli.running import Cli
from tests.web.conftest import in_use, logged_in, run_aside
from tests.web.serving import Pages, served

TIDE = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"
TITLE = "Fix the drifting tide clock"


@pytest.fixture(scope="module")
def own_pages(module_cli: Cli) -> Iterator[Pages]:
    """The sample in a store that is written to."""
    asyncio.run(import_sample(module_cli.dsn))
    with served(module_cli) as pages:
        yield pages


def test_a_star_changes_in_place_and_stays(context: BrowserContext, own_pages: Pages) -> None:
    page = logged_in(context, own_pages)
    page.goto(f"{own_pages.address}/sessions/{TIDE}")
    star = page.locator("[data-star]")
    expect(star).to_have_attribute("aria-pressed", "false")
    page.evaluate("window.still = true")
    star.click()
    expect(star).to_have_text("★ Starred")
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(star).to_be_enabled()
    assert page.evaluate("window.still") is True
    page.reload()
    expect(star).to_have_text("★ Starred")
    page.keyboard.press("s")
    expect(star).to_have_text("☆ Star")
    expect(star).to_be_enabled()
    page.reload()
    expect(star).to_have_text("☆ Star")


def test_the_key_stars_the_chosen_row(context: BrowserContext, own_pages: Pages) -> None:
    page = logged_in(context, own_pages)
    page.goto(f"{own_pages.address}/sessions?since=all&text=drifting")
    row = page.locator("tr.row")
    expect(row).to_have_count(1)
    page.keyboard.press("s")
    expect(row.locator(".star")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(row.locator(".star")).to_have_count(1)
    page.goto(f"{own_pages.address}/sessions?since=all&starred=1")
    expect(page.locator("tr.row a.title")).to_contain_text(TITLE)
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(page.locator("tr.row .star")).to_have_count(0)


@pytest.mark.parametrize("script", [True, False])
def test_erasing_asks_for_the_title_and_then_does_it(browser: Browser, own_cli: Cli, script: bool) -> None:
    run_aside(lambda: import_sample(own_cli.dsn))
    with served(own_cli) as pages, in_use(browser):
        context = browser.new_context(java_script_enabled=script)
        context.set_default_timeout(15_000)
        page = logged_in(context, pages)
        page.goto(f"{pages.address}/sessions/{TIDE}")
        page.get_by_label("More").click()
        page.get_by_text("Erase for good").click()
        _erase(page, script)
        page.goto(f"{pages.address}/sessions?since=all")
        expect(page.locator("tr.row")).not_to_have_count(0)
        expect(page.get_by_text(TITLE)).to_have_count(0)
        context.close()


def _erase(page: Page, script: bool) -> None:
    expect(page.locator("h1")).to_have_text("Erase this session for good?")
    expect(page.locator("main")).to_contain_text("1 subagent")
    field = page.get_by_label("To confirm, type")
    field.fill("Fix the tide clock")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is erased")
    expect(field).to_have_value("Fix the tide clock")
    field.fill(TITLE)
    page.get_by_role("button", name="Erase for good").click()
    expect(page.locator("h1")).to_have_text("Erased", timeout=60_000)
    expect(page.locator("main")).to_contain_text("inactive parts")
