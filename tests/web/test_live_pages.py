"""Open pages show what is written while they are open, over one event stream of a browser."""

from __future__ import annotations

import datetime as dt
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from agentstore import AsyncClickHouseStore
from tests.builders import message, session
from tests.cli.running import Cli
from tests.cli.test_import_watch import watching
from tests.web.conftest import logged_in, run_aside
from tests.web.serving import SECONDS, Pages, served
from tests.web.talking import Talk

LONG = "The tide comes twice a day, and later each day than the day before. " * 20
AT_THE_END = "document.documentElement.scrollHeight - innerHeight - Math.round(scrollY) < 3"
TOP = "one => Math.round(one.getBoundingClientRect().top)"


@pytest.fixture(scope="module")
def watched(module_cli: Cli) -> Iterator[subprocess.Popen[str]]:
    """The importer that watches the home of the module."""
    Talk(module_cli.home, "first").ask("The very first")
    with watching(module_cli, "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


@pytest.fixture(scope="module")
def pages(module_cli: Cli, watched: subprocess.Popen[str]) -> Iterator[Pages]:
    with served(module_cli) as pages:
        yield pages


@pytest.fixture
def talk(module_cli: Cli) -> Talk:
    return Talk(module_cli.home)


@pytest.fixture
def tab(context: BrowserContext, pages: Pages) -> Page:
    return logged_in(context, pages)


class Streams:
    """The event streams that a browser has asked for and that are open still."""

    def __init__(self, context: BrowserContext) -> None:
        self.asked = 0
        self._open: list[Request] = []
        context.on("request", self._begins)
        for name in ("requestfinished", "requestfailed"):
            context.on(name, self._ends)

    def _begins(self, request: Request) -> None:
        if request.url.endswith("/live"):
            self.asked += 1
            self._open.append(request)

    def _ends(self, request: Request) -> None:
        if request in self._open:
            self._open.remove(request)

    @property
    def pages(self) -> list[Page]:
        """Whose they are."""
        return [one.frame.page for one in self._open if not one.frame.page.is_closed()]


def settled(page: Page) -> None:
    """The tab listens, or waits for its turn to: what is written from now on must reach it."""
    page.wait_for_function(
        """async () => {
            const { held, pending } = await navigator.locks.query();
            return [...held, ...pending].some((one) => one.name === "agentstore-live");
        }"""
    )


def test_new_sessions_appear_in_the_list_while_the_importer_watches(tab: Page, pages: Pages, talk: Talk) -> None:
    with tab.expect_response(f"{pages.address}/live"):
        tab.goto(f"{pages.address}/sessions")
    expect(tab.get_by_text("The very first")).to_be_visible()
    row = tab.locator(f'tr.row[data-session="{talk.id}"]')
    talk.ask("Why does the clock drift?")
    expect(row).to_contain_text("Why does the clock drift?")
    expect(row).to_have_class(re.compile("fresh"))
    expect(row.locator('[data-label="messages"]')).to_have_text("1")
    talk.answer("The moon comes later each day.")
    expect(row.locator('[data-label="messages"]')).to_have_text("2")
    expect(tab.locator("tr.row.fresh")).to_have_count(1)


def test_a_list_that_grows_lets_one_stay_where_one_is(tab: Page, pages: Pages, talk: Talk, module_cli: Cli) -> None:
    talk.ask("Which row was it?")
    row = tab.locator(f'tr.row[data-session="{talk.id}"]')
    expect(row).to_be_visible()
    tab.keyboard.press("j")
    while tab.evaluate("document.activeElement.closest('tr')?.dataset.session") != talk.id:
        tab.keyboard.press("j")
    talk.answer("This one.")
    expect(row.locator('[data-label="messages"]')).to_have_text("2")
    expect(row.locator("a.title")).to_be_focused()
    expect(row).to_have_attribute("aria-selected", "true")
    tab.keyboard.press("Enter")
    expect(tab.locator("h1")).to_have_text("Which row was it?")


def test_an_open_session_grows_and_is_followed_only_at_its_end(tab: Page, pages: Pages, talk: Talk) -> None:
    for number in range(12):
        talk.ask(f"Question {number}")
        talk.answer(f"{LONG} Answer {number}.")
    expect(tab.locator(f'tr.row[data-session="{talk.id}"]')).to_be_visible()
    tab.goto(f"{pages.address}/sessions/{talk.id}")
    expect(tab.locator("#m23")).to_be_attached()
    settled(tab)
    # At the end: it is followed.
    tab.evaluate("scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' })")
    talk.ask("One thing more")
    expect(tab.locator("#m24.fresh")).to_contain_text("One thing more")
    expect(tab.locator("#m24")).to_be_in_viewport()
    assert tab.evaluate(AT_THE_END)
    expect(tab.locator(".new-below")).to_be_hidden()
    # Further up: what is read stays where it is, and a button tells.
    read = tab.locator("#m5")
    read.evaluate("one => one.scrollIntoView({ behavior: 'instant' })")
    at = read.evaluate(TOP)
    talk.answer("And one more")
    expect(tab.locator(".new-below")).to_be_visible()
    expect(tab.locator("#m25.fresh")).to_be_attached()
    assert read.evaluate(TOP) == at
    assert not tab.evaluate(AT_THE_END)
    tab.get_by_role("button", name="New messages below").click()
    expect(tab.locator("#m25")).to_be_in_viewport()
    expect(tab.locator(".new-below")).to_be_hidden()
    expect(tab.locator("#m0")).to_be_attached()
    expect(tab.locator(".message.fresh")).to_have_count(2)


def test_seven_tabs_live_on_one_stream(context: BrowserContext, tab: Page, pages: Pages, module_cli: Cli) -> None:
    # The page that the login led to listens, too: it is left, and only what comes after it is counted.
    tab.goto("about:blank")
    streams = Streams(context)
    tabs = [tab]
    tab.goto(f"{pages.address}/sessions")
    settled(tab)
    for _ in range(6):
        tabs.append(context.new_page())
        tabs[-1].goto(f"{pages.address}/sessions")
        settled(tabs[-1])
    assert (streams.asked, streams.pages) == (1, [tab])
    write(module_cli, "seven", "Seen by all seven")
    for one in tabs:
        expect(one.get_by_text("Seen by all seven")).to_be_visible()
    # All of them can go somewhere; the one that listened hands on.
    for one in tabs:
        one.get_by_text("Seen by all seven").click()
        expect(one.locator("#m0")).to_contain_text("Seen by all seven")
        settled(one)
    write(module_cli, "seven", "Seen by all seven", "and this")
    for one in tabs:
        expect(one.locator("#m1")).to_contain_text("and this")
    assert len(streams.pages) == 1
    # The one that listens is closed, and what is written at that moment is not lost.
    streams.pages[0].close()
    left = [one for one in tabs if not one.is_closed()]
    assert len(left) == 6
    write(module_cli, "seven", "Seen by all seven", "and this", "to the last")
    for one in left:
        expect(one.locator("#m2")).to_contain_text("to the last")
    assert len(streams.pages) == 1
    assert streams.pages[0] in left


def test_what_is_written_before_the_stream_of_a_list_begins_is_shown(tab: Page, pages: Pages, module_cli: Cli) -> None:
    tab.goto("about:blank")  # so that nobody listens

    def late(route: Route) -> None:
        write(module_cli, "early", "Before the stream")
        route.continue_()

    tab.route("**/live", late)
    tab.goto(f"{pages.address}/sessions")
    expect(tab.get_by_text("Before the stream")).to_be_visible()


def test_rows_stay_in_place_where_nothing_was_written_meanwhile(tab: Page, pages: Pages, module_cli: Cli) -> None:
    """The list is asked for again when the stream has begun; a click must not meet another row by then."""
    write(module_cli, "there", "There already")
    tab.goto("about:blank")  # so that nobody listens

    def late(route: Route) -> None:
        tab.evaluate("document.querySelector('tr.row').dataset.mine = ''")
        # It has begun, and there is no news: what other tests wrote would be told by the real one.
        route.fulfill(content_type="text/event-stream", body="event: hello\ndata: {}\n\n")

    tab.route("**/live", late)
    with tab.expect_response(lambda answer: answer.request.headers.get("x-part") == "list") as asked:
        tab.goto(f"{pages.address}/sessions")
    asked.value.finished()
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(tab.locator("tr.row[data-mine]")).to_have_count(1)


def write(cli: Cli, id: str, *texts: str) -> None:
    """A session as it is after these prompts, through the library."""
    now = dt.datetime.now(dt.UTC)
    one = session(id, first_message=texts[0], started_at=now, ended_at=now, message_count=len(texts))
    messages = [message(number, text, timestamp=now) for number, text in enumerate(texts)]

    async def work() -> None:
        async with AsyncClickHouseStore(cli.dsn) as store:
            await store.write_session("local", one, messages)

    run_aside(work)


def test_the_back_button_comes_back_to_the_same_place(tab: Page, pages: Pages, module_cli: Cli) -> None:
    for number in range(40):
        Talk(module_cli.home, "many").ask(f"One of many, {number}")
    expect(tab.locator("tr.row", has_text="One of many")).to_have_count(40)
    tab.get_by_label("Title").fill("One of many")
    tab.get_by_label("Title").press("Enter")
    expect(tab.locator("tr.row")).to_have_count(40)
    filtered = tab.url
    assert "text=One+of+many" in filtered
    row = tab.locator("tr.row").nth(30)
    row.evaluate("one => one.scrollIntoView({ block: 'center', behavior: 'instant' })")
    at = tab.evaluate("Math.round(scrollY)")
    assert at > 500
    title = row.locator("a.title").inner_text()
    row.locator("a.title").click()
    expect(tab.locator("h1")).to_have_text(title)
    tab.go_back()
    expect(tab).to_have_url(filtered)
    expect(tab.get_by_label("Title")).to_have_value("One of many")
    expect(tab.locator("tr.row")).to_have_count(40)
    tab.wait_for_function("at => Math.abs(scrollY - at) < 30", arg=at)


@pytest.mark.parametrize("how", ["by a link", "by scrolling"])
def test_the_back_button_comes_back_to_the_message_that_was_read(tab: Page, pages: Pages, talk: Talk, how: str) -> None:
    for number in range(120):
        talk.ask(f"Question {number}")
        talk.answer(f"{LONG} Answer {number}.")
    expect(tab.locator(f'tr.row[data-session="{talk.id}"] [data-label="messages"]')).to_have_text("240")
    tab.goto(f"{pages.address}/sessions/{talk.id}")
    if how == "by a link":
        tab.get_by_label("About this session").get_by_text("Question 30", exact=True).click()
        read = tab.locator("#m60")
        expect(tab).to_have_url(re.compile("#m60$"))
    else:
        windows = tab.locator("#conversation > .window")
        for number in range(1, 4):
            tab.locator("#conversation .message").last.scroll_into_view_if_needed()
            expect(windows.nth(number)).to_be_attached()
        read = tab.locator("#conversation .message").nth(95)
        read = tab.locator(f"#{read.get_attribute('id')}")
        read.evaluate("one => one.scrollIntoView({ behavior: 'instant' })")
    expect(read).to_be_in_viewport()
    tab.get_by_role("link", name="Overview").evaluate("one => one.focus({ preventScroll: true })")
    at = read.evaluate(TOP)
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(re.compile("/overview"))
    tab.go_back()
    expect(read).to_be_in_viewport()
    tab.wait_for_function(
        "([one, at]) => Math.abs(one.getBoundingClientRect().top - at) < 5", arg=[read.element_handle(), at]
    )


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT"])
@pytest.mark.usefixtures("watched")
def test_streams_end_when_the_server_is_told_to(context: BrowserContext, module_cli: Cli, end: str) -> None:
    with served(module_cli) as pages:
        tab = logged_in(context, pages)
        other = context.new_page()
        other.goto(f"{pages.address}/sessions")
        settled(other)
        pages.process.send_signal(getattr(signal, end))
        assert pages.process.wait(SECONDS) == 0
        assert pages.process.stderr is not None
        assert pages.process.stderr.read() == ""
        # What is shown stays, and the page says that nobody answers.
        expect(tab.locator("tr.row").first).to_be_visible()
        for one in (tab, other):
            expect(one.locator("#away")).to_be_visible()
