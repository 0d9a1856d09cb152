"""Sessions made of attacks, on all pages that can show them: nothing runs, loads or goes elsewhere; all is read."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from msgspec.structs import replace
from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, expect

from agentstore import AsyncClickHouseStore, FileTouch, GitLink, Message, MessagePin, Session, ToolCall
from agentstore.web.links import session_path, with_query
from agentstore.web.rendering import visible
from tests.cli.running import Cli
from tests.web.attacks import ATTACKS
from tests.web.conftest import logged_in
from tests.web.serving import Pages, served

# What would take a browser minutes to draw is looked at in test_rendering_attacks.py.
SHORT = {name: text.replace("\x00", "") for name, text in ATTACKS.items() if len(text) < 1_000}
NAMES = list(SHORT)
BEGUN = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=1)
TALK = "the talk"
LOUD = '<img src=x onerror="window.pwned=1">\'"><script>window.pwned=1;alert(1)</script>\u202e</title></textarea>'
# A session of its own for each: titles, projects, users, agents, branches, machines and ids are attacks.
FIELDS = ("user_id", "user_name", "project_id", "project_name", "project_path", "machine", "agent_type", "git_branch")
TOOLS = ("Bash", "Read", "Edit", "Write", "Grep", "Task", "WebFetch", "TodoWrite", "")


PARTS = 4
_ASKED = (
    "/sessions?text", "/sessions?since=all&project", "/sessions?since=all&branch", "/sessions?user", "/sessions?agent",
    "/sessions?parent", "/sessions?since", "/sessions?until", "/sessions?cursor", "/search?q=x&tool", "/search?q",
    "/search?q=x&role", "/overview?project", "/overview?since", "/commits?q", "/files?path", "/files?project",
    "/files?did", "/login?next", f"{session_path(TALK)}?at", f"{session_path(TALK)}?at=3&source", "/search?q=x&mode",
    f"{session_path(TALK)}?q", f"{session_path(TALK)}/pin?at",
)  # fmt: skip
OTHERS = [
    "/overview?since=all", "/overview?since=all&panel=all", "/commits", "/commits?q=abcd", "/files?path=src/",
    *(f"{one}={quote(LOUD, safe='')}" for one in _ASKED),
    *(f"{one}/{quote(LOUD, safe='')}" for one in ("", "/sessions", "/overview", session_path(TALK), "/static/x")),
    f"{session_path(TALK)}/purge", f"{session_path(TALK)}/pin?at=3",
]  # fmt: skip


def titled(number: int, text: str) -> Session:
    others: dict[str, Any] = dict.fromkeys(FIELDS, text[:200] or "x")
    return Session(
        id=f"{number} {text[:150]}", first_message=text, display_name=text if number % 2 else "",
        started_at=BEGUN - dt.timedelta(seconds=number), ended_at=BEGUN, message_count=1, user_message_count=1,
        **others,
    )  # fmt: skip


def call(number: int, text: str) -> ToolCall:
    name = TOOLS[number % len(TOOLS)]
    given = {
        "command": text, "file_path": text, "path": text, "old_string": text, "new_string": text + "x", "url": text,
        "content": text, "pattern": text, "prompt": text, "todos": [{"content": text, "status": text}], text[:50]: text,
    }  # fmt: skip
    return ToolCall(
        message_ordinal=number, tool_use_id=text[:90], tool_name=name or text[:90], tool_category=name or text[:90],
        input_json=json.dumps(given), skill_name=text[:90], result_content=text, result_content_length=len(text),
        is_error=number % 3 == 0, subagent_session_id=f"1 {SHORT[NAMES[1]][:150]}" if name == "Task" else "",
    )  # fmt: skip


def said(number: int, text: str) -> Message:
    content = (
        text if number % 2 else f"{text}\n\n[Thinking]\n{text}\n[/Thinking]\n<system-reminder>{text}</system-reminder>"
    )
    return Message(
        ordinal=number, role="assistant" if number % 4 == 3 else "user" if number % 4 else text[:50] or "user",
        content=content, model=text[:90], source_id=text[:90], output_tokens=5, input_tokens=5,
        timestamp=BEGUN + dt.timedelta(seconds=number),
    )  # fmt: skip


async def fill(dsn: str) -> None:
    loudly: dict[str, Any] = {**dict.fromkeys(FIELDS, LOUD), "agent_type": "claude-code"}
    loud = Session(
        id=TALK, display_name=LOUD, first_message=LOUD, started_at=BEGUN, ended_at=BEGUN + dt.timedelta(minutes=5),
        message_count=len(SHORT), user_message_count=9, **loudly,
    )  # fmt: skip
    numbered = list(enumerate(SHORT.values()))
    others = [titled(number, text) for number, text in numbered]
    child = replace(others[0], id=f"child {LOUD}", parent_session_id=TALK, relationship_type="subagent")
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        await store.write_session("local", loud, [said(*one) for one in numbered], [call(*one) for one in numbered])
        await store.write_batch(
            "local",
            sessions=[*others, child],
            messages=[replace(said(0, text), session_id=f"{number} {text[:150]}") for number, text in numbered],
        )
        made = [
            *(GitLink(TALK, "pr", "high", message_ordinal=number, pr_url=text) for number, text in numbered if text),
            *(GitLink(TALK, "pr", "medium", pr_url=f"https://x.example/{text}") for _, text in numbered),
            *(GitLink(TALK, "commit", "high", commit_sha=f"abcd{text[:60]}") for _, text in numbered),
        ]
        await store.write_git_links("local", made)
        touches = [
            FileTouch(TALK, f"src/{text}", "edit", message_ordinal=number, tool_use_id=text[:90])
            for number, text in numbered
        ]
        await store.write_file_touches("local", touches)
        pins = [MessagePin(session_id=TALK, message_ordinal=n, user_id=t[:50] or "x", note=t) for n, t in numbered]
        await store.write_message_pins("local", pins)


@pytest.fixture(scope="module")
def pages(module_cli: Cli) -> Iterator[Pages]:
    asyncio.run(fill(module_cli.dsn))
    with served(module_cli) as pages:
        yield pages


class Watched:
    """A tab of which all is noted that must not happen."""

    def __init__(self, page: Page, pages: Pages) -> None:
        self.page = page
        self._ours = urlsplit(pages.address).netloc
        self.wrong: list[str] = []
        page.on("dialog", self._dialog)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"fails: {error}"))
        page.on("popup", lambda popup: self.wrong.append(f"opens: {popup.url}"))
        page.on("request", lambda request: self._asks(request.url))
        page.on("websocket", lambda socket: self.wrong.append(f"asks: {socket.url}"))

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append(f"says: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        # A page that is to be told as one of an error is told so here, too.
        if message.type in ("error", "warning") and "the server responded with a status of" not in message.text:
            self.wrong.append(f"complains: {message.text}")

    def _asks(self, address: str) -> None:
        if urlsplit(address).scheme != "http" or urlsplit(address).netloc != self._ours:
            self.wrong.append(f"asks: {address}")

    def check(self) -> None:
        """Nothing has happened, and nothing stands there that could."""
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        found = self.page.evaluate(LOOK)
        assert found == {"wrong": [], "pwned": "undefined", "hidden": "visible"}
        assert self.wrong == []


LOOK = r"""() => {
  const ours = /^\/static\/[0-9a-f]+\/[a-z]+\.(js|css|svg)$/;
  const wrong = [];
  const note = (element, why) => wrong.push(`${why}: ${element.outerHTML.slice(0, 200)}`);
  const never = "iframe, frame, object, embed, style, base, applet, img, picture, video, audio, source, portal, math," +
    " template, foreignObject, animate, set, use, marquee, noscript, textarea:not(#note), meta[http-equiv]," +
    " [style], [srcdoc], [srcset], [background], [formaction], [ping], [contenteditable], [hx-get], [is]";
  for (const one of document.querySelectorAll(never)) note(one, "must not be there");
  for (const one of document.querySelectorAll("*")) {
    if (one.localName.includes("-")) note(one, "an element of nobody");
    for (const { name, value } of one.attributes) {
      if (name.startsWith("on")) note(one, `attribute ${name}`);
      if (name === "src" && !ours.test(value)) note(one, "loads");
    }
  }
  for (const one of document.querySelectorAll("link")) if (!ours.test(one.getAttribute("href"))) note(one, "loads");
  for (const one of document.querySelectorAll("script")) if (!one.hasAttribute("src") || one.text) note(one, "inline");
  for (const one of document.querySelectorAll("form")) {
    if (new URL(one.action).origin !== location.origin && one.method !== "dialog") note(one, "sends away");
  }
  for (const one of document.querySelectorAll("a, area")) {
    const address = one.href.baseVal ?? one.href;
    if (!address && !one.hasAttribute("href")) continue;
    if (!URL.canParse(address, location.href)) continue; // leads nowhere
    const { protocol, origin } = new URL(address, location.href);
    if (!["http:", "https:", "mailto:"].includes(protocol)) note(one, "leads to");
    if (origin !== location.origin && !/noopener noreferrer nofollow/.test(one.rel)) note(one, "tells where from");
  }
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) wrong.push(`twice: ${id}`);
  const main = document.querySelector("main") ?? document.body;
  return { wrong, pwned: typeof window.pwned, hidden: main?.getClientRects().length ? "visible" : "hidden" };
}"""


@pytest.fixture
def watched(context: BrowserContext, pages: Pages) -> Watched:
    return Watched(logged_in(context, pages), pages)


def test_there_are_at_least_a_hundred() -> None:
    assert len(set(SHORT.values())) >= 150


def test_the_list_shows_them_as_titles(watched: Watched, pages: Pages) -> None:
    page = watched.page
    shown: set[str] = set()
    page.goto(f"{pages.address}/sessions")
    while True:
        watched.check()
        shown |= set(page.locator("tr.row a.title").all_text_contents())
        further = page.get_by_role("link", name="Older sessions")
        if not further.count():
            break
        further.click()
        expect(page.get_by_role("link", name="Latest")).to_be_visible()
    # As many as there are: none has closed the list, or swallowed another.
    assert len(shown) >= len(SHORT)
    assert {"<script>alert(1)</script>", LOUD.replace("\u202e", visible("\u202e"))} <= shown


def test_a_session_shows_them_as_texts(watched: Watched, pages: Pages) -> None:
    page = watched.page
    page.goto(pages.address + session_path(TALK))
    watched.check()
    last = page.locator(f"#m{len(SHORT) - 1}")
    while not last.count():
        windows = page.locator("#conversation > .window")
        number = windows.count()
        page.locator("#conversation .message").last.scroll_into_view_if_needed()
        expect(windows.nth(number)).to_be_attached()
    page.locator("details").evaluate_all("all => { for (const one of all) one.open = true; }")
    expect(page.locator("details.subagent [data-into] .message").first).to_be_attached()
    watched.check()
    expect(page.locator("h1")).to_contain_text("<script>window.pwned=1;alert(1)</script>")
    texts = page.locator("#conversation > .window > .message").all_text_contents()
    assert len(texts) == len(SHORT)
    for name in ("script", "img", "iframe", "svg", "style", "closing of everything", "jinja", "base", "form"):
        at = NAMES.index(name)
        assert visible(SHORT[name]) in texts[at], name
    side = page.get_by_label("About this session").text_content() or ""
    for text in (SHORT["img"], SHORT["iframe"], SHORT["closing of everything"]):
        assert f"src/{text}" in side
        assert text in side


@pytest.mark.parametrize("panel", ["prompts", "files", "links", "spent", "thread", "children"])
def test_its_panels_show_them(watched: Watched, pages: Pages, panel: str) -> None:
    watched.page.goto(f"{pages.address}{session_path(TALK)}/{panel}")
    watched.check()
    text = watched.page.locator("body").text_content() or ""
    assert panel == "spent" or "<script>" in text


@pytest.mark.parametrize("part", range(PARTS))
def test_a_session_of_each_is_opened_by_its_own_id(watched: Watched, pages: Pages, part: int) -> None:
    for at in range(part, len(NAMES), 2 * PARTS):
        id = f"{at} {SHORT[NAMES[at]][:150]}"
        path = session_path(id)
        watched.page.goto(pages.address + path)
        expect(watched.page.locator("body")).to_have_attribute("data-session", id)
        watched.check()
        further = ("/pin?at=0", "/purge", "/text?at=0&part=content")[at % 3]
        watched.page.goto(f"{pages.address}{path}{further}")
        watched.check()


@pytest.mark.parametrize("mode", ["substring", "words"])
@pytest.mark.parametrize("needle", ["alert(1)", "<script", "evil.example", "onerror=", '"><', "javascript:", "</"])
def test_hits_show_them_with_their_marks(watched: Watched, pages: Pages, needle: str, mode: str) -> None:
    page = watched.page
    page.goto(pages.address + with_query("/search", {"q": needle, "mode": mode, "since": "all"}))
    watched.check()
    hits = page.locator(".hits li")
    if mode == "substring":
        expect(hits.first).to_be_visible()
        assert {one.lower() for one in hits.first.locator("mark").all_text_contents()} == {needle}
    if hits.count():
        hits.first.locator("a").click()
        expect(page.locator("#find")).to_have_value(needle)
        watched.check()


def test_typing_them_shows_them_as_they_are(watched: Watched, pages: Pages) -> None:
    page = watched.page
    page.goto(f"{pages.address}/search")
    page.locator("#q").fill(LOUD)
    expect(page.locator("#hits .total")).to_be_visible()
    expect(page).to_have_title(LOUD + " · Search · agentstore")
    watched.check()


@pytest.mark.parametrize("part", range(PARTS))
def test_every_other_page_shows_them(watched: Watched, pages: Pages, part: int) -> None:
    for path in OTHERS[part::PARTS]:
        watched.page.goto(pages.address + path)
        expect(watched.page.locator("[data-panel]")).to_have_count(0)
        watched.check()


@pytest.mark.parametrize("next", [LOUD, "javascript:alert(1)", "//evil.example", '"><script>window.pwned=1</script>'])
def test_the_login_of_a_stranger_shows_them(context: BrowserContext, pages: Pages, next: str) -> None:
    watched = Watched(context.new_page(), pages)
    for query in (f"next={quote(next, safe='')}", f"next={quote(next, safe='')}&token={quote(next, safe='')}"):
        watched.page.goto(f"{pages.address}/login?{query}")
        watched.check()
    watched.page.goto(f"{pages.address}/{quote(next, safe='')}?{quote(next, safe='')}")
    expect(watched.page.get_by_label("Token")).to_be_visible()
    watched.check()
    watched.page.get_by_label("Token").fill(pages.link.rpartition("=")[2])
    watched.page.get_by_role("button", name="Log in").click()
    pages.link = pages.next_link()
    expect(watched.page.locator(".top")).to_be_visible()
    watched.check()


def test_markdown_and_json_are_no_pages(watched: Watched, pages: Pages) -> None:
    page = watched.page
    for path in (
        f"{session_path(TALK)}/markdown?at=3",
        "/api/v1/sessions",
        f"/api/v1/sessions/{quote(LOUD)}",
        "/health",
    ):
        answer = page.goto(pages.address + path)
        assert answer is not None
        assert "html" not in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert page.evaluate("typeof window.pwned") == "undefined"
    with page.expect_download() as download:
        page.goto(pages.address + session_path(TALK))
        page.get_by_role("link", name="Markdown", exact=True).click()
    assert "/" not in download.value.suggested_filename
    assert download.value.suggested_filename.endswith(".md")
    text = download.value.path().read_text()
    assert "<script>alert(1)</script>" in text
    assert "\u202e" not in text
    assert watched.wrong == []
