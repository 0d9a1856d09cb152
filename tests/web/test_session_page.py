"""A session's page in a browser: read, unfolded, searched, walked by keys, in a narrow window, without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.cli.long_session import ID as LONG
from tests.cli.running import Cli
from tests.web.conftest import logged_in
from tests.web.serving import Pages, served

TIDE = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"


@pytest.fixture(scope="module")
def long_pages(long_cli: Cli) -> Iterator[Pages]:
    with served(long_cli) as pages:
        yield pages


def test_a_session_is_read_as_one_wants_to(page: Page, sample_pages: Pages) -> None:
    page.goto(f"{sample_pages.address}/sessions/{TIDE}")
    expect(page.locator("h1")).to_have_text("Fix the drifting tide clock")
    # Tools and thinking are folded to a line, what went wrong is open.
    expect(page.locator("#m1 details.thinking .text")).to_be_hidden()
    grep = page.locator("#m1 details.call").first
    expect(grep.locator("summary")).to_contain_text("Grep")
    expect(grep.locator(".result")).to_be_hidden()
    grep.locator("summary").click()
    expect(grep.locator(".result")).to_be_visible()
    expect(page.locator("#m4 details.call .result")).to_be_visible()
    expect(page.locator("#m4 .state.bad")).to_have_text("failed")
    edit = page.locator("#m3 details.call")
    edit.locator("summary").click()
    expect(edit.locator(".diff .removed").first).to_be_visible()
    expect(edit.locator(".diff .added").first).to_be_visible()


def test_what_stands_beside_it_comes_by_itself(page: Page, sample_pages: Pages) -> None:
    page.goto(f"{sample_pages.address}/sessions/{TIDE}")
    side = page.get_by_label("About this session")
    expect(side.locator(".prompts li")).to_have_count(2)
    expect(side).to_contain_text("tideclock/hand.py")
    expect(side).to_contain_text("tideclock#17")
    expect(page.locator(".spent")).to_contain_text("at API prices")
    side.get_by_text("Wonderful, thank you").click()
    expect(page.locator("#m9.here")).to_be_in_viewport()
    expect(page).to_have_url(re.compile(r"#m9$"))


def test_in_a_narrow_window_the_conversation_comes_first(browser: Browser, page: Page, sample_pages: Pages) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(f"{sample_pages.address}/sessions/{TIDE}")
    side = page.get_by_label("About this session")
    expect(side.locator(".prompts")).to_be_attached()
    expect(side.locator(".prompts")).to_be_hidden()
    expect(page.locator("#m0")).to_be_in_viewport()
    side.get_by_text("Prompts, files and more").click()
    expect(side.locator(".prompts")).to_be_visible()
    # Where there is room it stands beside it, and needs no unfolding.
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(side.locator(".prompts")).to_be_visible()
    expect(side.get_by_text("Prompts, files and more")).to_be_hidden()
    plain = browser.new_context(java_script_enabled=False, viewport={"width": 400, "height": 800})
    try:
        bare = logged_in(plain, sample_pages)
        bare.goto(f"{sample_pages.address}/sessions/{TIDE}")
        last, below = bare.locator(".message").last.bounding_box(), bare.locator(".session-side").bounding_box()
        assert last is not None
        assert below is not None
        assert last["y"] + last["height"] <= below["y"]
        expect(bare.locator(".session-side").get_by_role("link", name="Show").first).to_be_visible()
    finally:
        plain.close()


def test_a_subagent_is_opened_in_place(page: Page, sample_pages: Pages) -> None:
    page.goto(f"{sample_pages.address}/sessions/{TIDE}")
    call = page.locator("#m2 details.call")
    call.locator("summary").first.click()
    call.locator("details.subagent > summary").click()
    inside = call.locator("details.subagent .message")
    expect(inside).to_have_count(3)
    expect(inside.first).to_contain_text("half a lunar day")


def test_found_text_is_marked_where_it_stands(page: Page, sample_pages: Pages) -> None:
    page.goto(f"{sample_pages.address}/search?q=44%2C714")
    page.locator(".hits a").first.click()
    expect(page).to_have_url(re.compile(r"/sessions/.+q=44"))
    expect(page.locator(".message.here mark, .message:target mark").first).to_be_visible()
    expect(page.locator("#find")).to_have_value("44,714")
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("mark")).to_have_count(0)


def test_what_tools_were_given_is_found_as_names_and_values(page: Page, sample_pages: Pages) -> None:
    page.goto(f"{sample_pages.address}/search?since=all&role=tool&q=harbours.toml")
    found = page.locator(".hits .snippet").first
    expect(found.locator(".name").first).to_have_text("file_path:")
    expect(found.locator("mark").first).to_have_text("harbours.toml")
    assert "{" not in found.inner_text()
    page.locator(".hits a").first.click()
    expect(page.locator(".hits-inside mark").first).to_have_text("harbours.toml")
    expect(page.locator(".hits-inside .name").first).to_be_visible()


def test_keys_go_from_prompt_to_prompt(page: Page, sample_pages: Pages) -> None:
    page.goto(f"{sample_pages.address}/sessions/{TIDE}")
    page.keyboard.press("n")
    expect(page.locator("#m9.here")).to_be_in_viewport()
    page.keyboard.press("p")
    expect(page.locator("#m0.here")).to_be_in_viewport()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_links_to_messages_say_when_they_no_longer_fit(page: Page, sample_pages: Pages) -> None:
    page.goto(f"{sample_pages.address}/sessions/{TIDE}")
    address = page.locator("#m3 .at").get_attribute("href")
    assert address is not None
    page.goto(sample_pages.address + address)
    expect(page.locator("#m3")).to_be_in_viewport()
    expect(page.get_by_text("Moved:")).to_have_count(0)
    page.goto(sample_pages.address + address.replace("at=3", "at=5"))
    expect(page.get_by_text("Moved: the message that this link means is")).to_be_visible()
    page.goto(f"{sample_pages.address}/sessions/{TIDE}?at=3&source=nobody-has-this")
    expect(page.get_by_text("Gone: the message that this link means")).to_be_visible()


def test_a_long_session_comes_in_windows_in_both_directions(context: BrowserContext, long_pages: Pages) -> None:
    page = logged_in(context, long_pages)
    page.goto(f"{long_pages.address}/sessions/{LONG}?at=600#m600")
    expect(page.locator("#m600")).to_be_in_viewport()
    # What is above grows without moving what is looked at.
    first = page.locator("#conversation .message").first.get_attribute("id")
    page.locator(f"#{first}").scroll_into_view_if_needed()
    expect(page.locator("#conversation > .window").nth(1)).to_be_attached()
    expect(page.locator(f"#{first}")).to_be_in_viewport()
    page.locator("#conversation .message").last.scroll_into_view_if_needed()
    expect(page.locator("#conversation > .window").nth(2)).to_be_attached()
    numbers = page.locator("#conversation .message").evaluate_all("all => all.map(one => Number(one.dataset.ordinal))")
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert 600 in numbers
    assert len(numbers) < 600


def test_long_texts_are_cut_and_the_rest_comes_on_demand(context: BrowserContext, long_pages: Pages) -> None:
    page = logged_in(context, long_pages)
    page.goto(f"{long_pages.address}/sessions/{LONG}")
    call = page.locator("details.call").first
    call.locator("summary").click()
    result = call.locator(".result")
    expect(result.locator(".more")).to_be_visible()
    assert result.inner_text().count("The tide comes twice") == 20
    result.locator(".more").click()
    expect(result.locator(".more")).to_have_count(0)
    assert result.inner_text().count("The tide comes twice") > 60


def test_without_a_script_everything_can_be_read(
    browser: Browser, context: BrowserContext, sample_pages: Pages, long_pages: Pages
) -> None:
    for pages, path in ((sample_pages, f"/sessions/{TIDE}"), (long_pages, f"/sessions/{LONG}")):
        plain = browser.new_context(java_script_enabled=False)
        try:
            page = logged_in(plain, pages)
            page.goto(pages.address + path)
            expect(page.locator("#m0")).to_be_visible()
            if path.endswith(LONG):
                page.get_by_role("link", name="Later messages").click()
                expect(page.locator("#m0")).to_have_count(0)
                page.get_by_role("link", name="Earlier messages").click()
                expect(page.locator("#m0")).to_be_visible()
            else:
                page.locator("#m1 details.call summary").first.click()
                page.get_by_label("About this session").get_by_role("link", name="Show").first.click()
                expect(page.locator("h1")).to_have_text("Prompts")
        finally:
            plain.close()


@pytest.mark.parametrize("path", ["/sessions?since=all", f"/sessions/{TIDE}", "/search?q=tide"])
def test_a_narrow_window_does_not_scroll_sideways(context: BrowserContext, sample_pages: Pages, path: str) -> None:
    page = logged_in(context, sample_pages)
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(sample_pages.address + path)
    assert page.evaluate("document.documentElement.scrollWidth") == 400
