"""Stars, pins, hiding and purging: by forms and by the API, for sessions with any id, of two organisations."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from agentstore import AsyncClickHouseStore, Message, MessagePin, Session, SessionPage, SessionStar, ToolCall
from agentstore.web.pages.purge import name_to_type
from tests.cli.running import Cli
from tests.web.serving import Pages, served

API = "/api/v1/sessions"
HOSTILE = [
    "a/b",
    "a%2Fb",
    "a%252Fb",
    "../b",
    "a/../../b",
    "..%2f..%2fetc",
    "%",
    "100%25",
    "海/日本 語",
    "a?b=1#c",
    "a+b c&d",
    "'\"><script>alert(1)</script>",
    "a\\b",
    "{a}:b;c",
    "star",
    "x/star",
    "e\u0301😀",
]
BEGUN = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)
LARGE = 5_000_000


def session(id: str, title: str = "", **more: Any) -> Session:
    return Session(
        id=id, display_name=title, user_id="ada", started_at=BEGUN, message_count=1, user_message_count=1, **more
    )


def messages(id: str, *texts: str) -> list[Message]:
    return [
        Message(ordinal=n, session_id=id, role="user", content=text, content_length=len(text))
        for n, text in enumerate(texts)
    ]


async def write(dsn: str) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        for org in ("one", "two"):
            await store.write_batch(
                org,
                [session(id, f"{org}: {id}") for id in HOSTILE],
                [one for id in HOSTILE for one in messages(id, f"said in {org}", "and once more")],
            )
        large = [ToolCall(message_ordinal=n, session_id="large", tool_use_id=f"t{n}", result_content="y" * LARGE,
                          result_content_length=LARGE) for n in range(3)]  # fmt: skip
        await store.write_session("one", session("large"), messages("large", *["x" * LARGE] * 3), large)
        await store.write_session("one", session("kept", "Kept"), messages("kept", "hello"))
        await store.write_session("three", session("doomed", "The \u202e end  of it"), messages("doomed", "hello"))
        below = session("below", "Below", parent_session_id="doomed", relationship_type="subagent")
        await store.write_session("three", below, messages("below", "hello too"))


@pytest.fixture(scope="module")
def pages(module_cli: Cli) -> Iterator[Pages]:
    asyncio.run(write(module_cli.dsn))
    flags = ("--trust-proxy-header", "X-User", "--trust-proxy-org-header", "X-Org")
    with served(module_cli, *flags) as pages:
        yield pages


def viewer(pages: Pages, org: str, user: str = "ada") -> httpx.Client:
    return pages.stranger(**{"x-org": org, "x-user": user, "origin": pages.address})


@pytest.fixture(scope="module")
def one(pages: Pages) -> Iterator[httpx.Client]:
    with viewer(pages, "one") as client:
        yield client


@pytest.fixture(scope="module")
def two(pages: Pages) -> Iterator[httpx.Client]:
    with viewer(pages, "two") as client:
        yield client


def address(id: str, below: str = "", root: str = API) -> str:
    return f"{root}/{quote(id, safe='')}{below}"


def form(id: str, below: str) -> str:
    return address(id, below, "/sessions")


def listed(client: httpx.Client, **parameters: str) -> set[str]:
    answer = client.get(API, params={"limit": 1000, **parameters})
    return {one.id for one in msgspec.json.decode(answer.content, type=SessionPage).sessions}


def stars(client: httpx.Client, id: str) -> list[str]:
    answer = client.get(address(id, "/stars"))
    return [star.user_id for star in msgspec.json.decode(answer.content, type=list[SessionStar])]


def pins(client: httpx.Client, id: str) -> list[tuple[int, str, str]]:
    found = msgspec.json.decode(client.get(address(id, "/pins")).content, type=list[MessagePin])
    return [(pin.message_ordinal, pin.user_id, pin.note) for pin in found]


# --- ids of any characters, two organisations ------------------------------------------------------------------------


@pytest.mark.parametrize("id", HOSTILE)
def test_any_id_is_read_starred_pinned_and_hidden(one: httpx.Client, two: httpx.Client, id: str) -> None:
    assert msgspec.json.decode(one.get(address(id)).content, type=Session).display_name == f"one: {id}"
    assert msgspec.json.decode(two.get(address(id)).content, type=Session).display_name == f"two: {id}"
    assert one.get(address(id, "/messages")).json()[0]["content"] == "said in one"
    assert "said in one" in one.get(form(id, "/markdown")).text

    assert one.put(address(id, "/star")).status_code == 204
    assert (stars(one, id), stars(two, id)) == (["ada"], [])
    assert one.delete(address(id, "/star")).status_code == 204
    back = one.post(form(id, "/star"), data={"on": "1"})
    assert (back.status_code, back.headers["location"]) == (303, form(id, ""))
    assert stars(one, id) == ["ada"]
    assert one.post(form(id, "/star"), data={"on": ""}, headers={"x-part": "star"}).status_code == 204
    assert stars(one, id) == []

    assert one.put(address(id, "/pins/1"), json={"note": "it"}).status_code == 204
    assert (pins(one, id), pins(two, id)) == ([(1, "ada", "it")], [])
    assert one.delete(address(id, "/pins/1")).status_code == 204
    assert pins(one, id) == []

    assert one.put(address(id, "/hide")).status_code == 204
    assert id not in listed(one)
    assert id in listed(two)
    assert one.get(address(id)).status_code == 200
    assert one.post(form(id, "/hide"), data={"on": ""}).status_code == 303
    assert id in listed(one)


def test_each_link_of_the_list_leads_to_its_session(one: httpx.Client) -> None:
    found = one.get("/sessions?since=all").text
    links = re.findall(r'<a class="title" href="([^"]+)">', found)
    titles = {re.search(r"<h1>(.*?)</h1>", one.get(html.unescape(link)).text).group(1) for link in links}  # type: ignore[union-attr]
    assert len(links) == len(titles) == len(HOSTILE) + 2


def test_two_organisations_never_see_each_other(one: httpx.Client, two: httpx.Client) -> None:
    assert {"large", "kept"} <= listed(one)
    assert listed(two) == set(HOSTILE)
    for below in ("", "/messages", "/outline", "/tool-calls", "/git-links", "/files", "/children", "/stars", "/pins"):
        assert two.get(address("kept", below)).status_code == 404
    for below in ("/star", "/hide", "/pins/0"):
        assert two.put(address("kept", below)).status_code == 404
    for below in ("", "/markdown", "/markdown?at=0", "/pin?at=0", "/purge"):
        assert two.get(form("kept", below)).status_code == 404
    for below, sent in (("/star", {"on": "1"}), ("/hide", {"on": "1"}), ("/pin?at=0", {"note": "x"}),
                        ("/purge", {"title": "kept"})):  # fmt: skip
        assert two.post(form("kept", below), data=sent).status_code == 404
    assert two.get("/api/v1/search", params={"query": "said in one"}).json()["results"] == []
    assert len(two.get("/api/v1/search", params={"query": "said in two"}).json()["results"]) == len(HOSTILE)
    assert two.get("/api/v1/statistics/summary").json()["totals"]["session_count"] == len(HOSTILE)
    # Nor where a client says so.
    for client_says in ({"org": "one"}, {"org_id": "one"}):
        assert two.get(API, params=client_says).status_code == 400
        assert "one: " not in two.get("/sessions", params={**client_says, "since": "all"}).text
    assert (pins(one, "kept"), stars(one, "kept")) == ([], [])


def test_marks_are_those_of_who_puts_them(pages: Pages, one: httpx.Client) -> None:
    with viewer(pages, "one", "mei") as mei:
        for client in (one, mei):
            assert client.put(address("large", "/star")).status_code == 204
        assert sorted(stars(one, "large")) == ["ada", "mei"]
        assert listed(one, starred_by="mei") == {"large"}
        assert mei.put(address("large", "/pins/2"), json={"note": "mine"}).status_code == 204
        assert one.delete(address("large", "/pins/2")).status_code == 204
        assert pins(one, "large") == [(2, "mei", "mine")]
        for client in (one, mei):
            assert client.delete(address("large", "/star")).status_code == 204
        assert mei.delete(address("large", "/pins/2")).status_code == 204
    assert (stars(one, "large"), pins(one, "large")) == ([], [])


# --- pins by a form --------------------------------------------------------------------------------------------------


def test_a_message_is_pinned_with_a_note(one: httpx.Client) -> None:
    page = one.get(form("kept", "/pin?at=0"))
    assert "hello" in page.text
    assert "Take the pin off" not in page.text
    back = one.post(form("kept", "/pin?at=0"), data={"note": " <b>123</b> "})
    assert (back.status_code, back.headers["location"]) == (303, "/sessions/kept?at=0#m0")
    assert pins(one, "kept") == [(0, "ada", "<b>123</b>")]
    assert "&lt;b&gt;123&lt;/b&gt;" in one.get(form("kept", "")).text
    again = one.get(form("kept", "/pin?at=0")).text
    assert ">&lt;b&gt;123&lt;/b&gt;</textarea>" in again
    assert one.post(form("kept", "/pin?at=0"), data={"note": "42"}).status_code == 303
    assert pins(one, "kept") == [(0, "ada", "42")]
    assert one.post(form("kept", "/pin?at=0"), data={"off": "1"}).status_code == 303
    assert pins(one, "kept") == []


@pytest.mark.parametrize(
    ("below", "status"), [("/pin?at=7", 404), ("/pin?at=-1", 400), ("/pin?at=99999999999", 400), ("/pin", 400)]
)
def test_what_is_no_message_is_not_pinned(one: httpx.Client, below: str, status: int) -> None:
    assert one.get(form("kept", below)).status_code == status
    assert one.post(form("kept", below), data={"note": "x"}).status_code == status
    assert pins(one, "kept") == []


def test_a_note_has_an_end(one: httpx.Client) -> None:
    answer = one.put(address("kept", "/pins/0"), json={"note": "x" * 2001})
    assert (answer.status_code, answer.json()["field"]) == (400, "note")
    assert one.put(address("kept", "/pins/0"), json={"note": 1}).json()["field"] == "note"
    assert pins(one, "kept") == []


# --- large answers ---------------------------------------------------------------------------------------------------


def test_an_answer_has_an_end_and_the_next_goes_on(one: httpx.Client) -> None:
    first = one.get(address("large", "/messages")).json()
    assert [message["ordinal"] for message in first] == [0]
    rest = one.get(address("large", "/messages?after=0&limit=2")).json()
    assert [message["ordinal"] for message in rest] == [1]
    last = one.get(address("large", "/messages?before=3")).json()
    assert [message["ordinal"] for message in last] == [2]
    found, cursor = [], ""
    while True:
        page = one.get(address("large", "/tool-calls"), params={"cursor": cursor}).json()
        assert len(page["tool_calls"]) == 1
        found += [call["tool_use_id"] for call in page["tool_calls"]]
        if not (cursor := page["next_cursor"]):
            break
    assert found == ["t0", "t1", "t2"]


# --- erasing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "id", "typed"),
    [
        ("Fix it", "1", "Fix it"),
        ("  two  \t spaces ", "1", "two spaces"),
        ("", "a/b", "a/b"),
        ("\n", "a  b", "a b"),
        ("x" * 100, "1", "x" * 60),
        ("ab\u202ecd", "1", "ab<U+202E>cd"),
        ("cafe\u0301", "1", "caf\u00e9"),
        ("", "\u3000", "erase"),
    ],
)
def test_what_has_to_be_typed_can_be_typed(title: str, id: str, typed: str) -> None:
    assert name_to_type(session(id, title)) == typed


def test_a_session_is_erased_when_its_title_was_typed_and_else_not(pages: Pages) -> None:
    with viewer(pages, "three") as client:
        _erase(client)


def _erase(client: httpx.Client) -> None:
    client.put(address("doomed", "/star"))
    page = client.get(form("doomed", "/purge")).text
    for told in ("2 messages", "1 subagent", "Below", "The &lt;U+202E&gt; end of it"):
        assert told in page
    for wrong in ("", "the <U+202E> end of it", "doomed", "The end of it"):
        refused = client.post(form("doomed", "/purge"), data={"title": wrong})
        assert refused.status_code == 400
        assert "Nothing is erased" in refused.text
    assert client.get(address("doomed", "/messages")).json()[0]["content"] == "hello"
    assert stars(client, "doomed") == ["ada"]

    gone = client.post(form("doomed", "/purge"), data={"title": " The <U+202E> end  of it "})
    assert gone.status_code == 200
    for told in ("Erased", "2 messages", "<code>below</code>", "inactive parts", "Berlin"):
        assert told in gone.text
    for id in ("doomed", "below"):
        assert client.get(address(id)).status_code == 404
    assert client.post(form("doomed", "/purge"), data={"title": "doomed"}).status_code == 404
    assert listed(client) == set()
