"""Commits, pull requests and files, and the sessions behind them, as they are sent."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import pytest

from agentstore import AsyncClickHouseStore
from agentstore.models import ProjectInfo
from agentstore.web.pages.files import Placed, placed_in, shorter
from tests.builders import commit, message, pull_request, session, touch
from tests.cli.running import Cli
from tests.web.attacks import ATTACKS
from tests.web.figures import Elements
from tests.web.serving import Pages, served

TIDE = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"
MANY = 130
PROJECTS = [
    ProjectInfo("p1", "clock", "/home/ada/clock"),
    ProjectInfo("p2", "inner", "/home/ada/clock/inner"),
    ProjectInfo("p3", "clock2", "/home/ada/clock2/"),
    ProjectInfo("p4", "nowhere", ""),
]


@pytest.fixture(scope="module")
def client(sample_pages: Pages) -> Iterator[httpx.Client]:
    with sample_pages.client() as client:
        yield client


def links_to(page: str, session_id: str) -> list[str]:
    """Where the page leads to messages of a session."""
    return [html.unescape(one) for one in re.findall(rf'href="(/sessions/{session_id}\?[^"]*)"', page)]


@pytest.mark.parametrize("what", ["4f9d2c7", "4F9D", "4f9d2c7" + "0" * 33, "  4f9d2c7  "])
def test_a_sha_finds_its_session(client: httpx.Client, what: str) -> None:
    answer = client.get("/commits", params={"q": what})
    assert answer.status_code == 200
    if not what.endswith("0"):
        assert "Fix the drifting tide clock" in answer.text
        [link] = links_to(answer.text, TIDE)
        assert client.get(link).status_code == 200
        assert re.search(r"at=\d+.*#m\d+$", link)


def test_a_pull_request_is_found_by_any_of_its_pages(client: httpx.Client, sample_cli: Cli) -> None:
    async def address() -> str:
        async with AsyncClickHouseStore(sample_cli.dsn) as store:
            page = await store.list_git_links("local")
        return next(one.pr_url for one in page.links if one.pr_url)

    url = asyncio.run(address())
    for typed in (url, f"{url}/files", f"{url}/commits/4f9d2c7", f"{url}#discussion_r1"):
        answer = client.get("/commits", params={"q": typed})
        assert "Fix the drifting tide clock" in answer.text, typed
        assert f'href="{url}"' in answer.text


def test_what_is_neither_says_what_it_should_be(client: httpx.Client) -> None:
    for typed in ("nothing", "abc", "<script>", "src/app.py", "x" * 3000):
        answer = client.get("/commits", params={"q": typed})
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert "<script>" not in answer.text
    answer = client.get("/commits", params={"q": "0123456789abcdef"})
    assert answer.status_code == 200
    assert "No session is known to have made" in answer.text


def test_the_latest_commits_are_listed_and_narrowed(client: httpx.Client, sample_cli: Cli) -> None:
    async def links() -> list[str]:
        async with AsyncClickHouseStore(sample_cli.dsn) as store:
            return [one.session_id for one in (await store.list_git_links("local")).links]

    expected = asyncio.run(links())
    told = re.findall(r'class="title" href="/sessions/([^?"]+)', client.get("/commits").text)
    assert [unquote(one) for one in told] == expected
    narrowed = client.get("/commits?agent=codex").text
    assert "brotzeit" in narrowed
    assert TIDE not in narrowed
    assert "Take the filters away" in client.get("/commits?agent=nobody").text


@pytest.mark.parametrize(
    ("path", "project"),
    [
        ("tideclock/hand.py", ""),
        ("./tideclock//hand.py", ""),
        ("/home/ada/tideclock/tideclock/hand.py", ""),
        ("tideclock/", ""),
        ("tideclock", ""),
        ("/home/ada/tideclock/", ""),
        ("", "7a7b151b42fa211d"),
    ],
)
def test_a_file_finds_the_sessions_that_touched_it(client: httpx.Client, path: str, project: str) -> None:
    answer = client.get("/files", params={"path": path, "project": project})
    assert answer.status_code == 200
    assert "Fix the drifting tide clock" in answer.text
    assert "edited" in answer.text
    links = links_to(answer.text, TIDE)
    assert links
    for link in links:
        assert client.get(link).status_code == 200


def test_only_what_was_done_with_it(client: httpx.Client) -> None:
    read = client.get("/files?path=tideclock/hand.py&did=read").text
    assert '<span class="verb">read</span>' in read
    assert '<span class="verb">edited</span>' not in read
    changed = client.get("/files?path=tideclock/hand.py&did=changed").text
    assert '<span class="verb">edited</span>' in changed
    assert '<span class="verb">read</span>' not in changed
    assert client.get("/files?path=x&did=nothing").status_code == 400


def test_what_nobody_touched_leads_on(client: httpx.Client) -> None:
    answer = client.get("/files?path=/somewhere/else/tideclock/hand.py&project=000e11e6d8327987").text
    assert "No session touched" in answer
    assert "tideclock%2Fhand.py" in answer
    assert "Look in all projects" in answer
    assert "Paste its path" in client.get("/files").text
    assert client.get("/files", params={"path": "x" * 5000}).status_code == 400


def test_where_a_typed_path_is() -> None:
    for typed, project, expected in (
        ("src/a.py", "", Placed("src/a.py")),
        ("./src/../src/a.py", "", Placed("src/a.py")),
        ("src/", "p1", Placed("src/", "p1")),
        ("src/.", "", Placed("src/")),
        (".", "p1", Placed("", "p1")),
        ("", "", Placed("")),
        ("/home/ada/clock/a.py", "", Placed("a.py", "p1")),
        ("/home/ada/clock/inner/a.py", "", Placed("a.py", "p2")),
        ("/home/ada/clock/inner/a.py", "p1", Placed("a.py", "p1")),
        ("/home/ada/clock2/b/", "", Placed("b/", "p3")),
        ("/home/ada/clock", "", Placed("", "p1")),
        ("/home/ada/clock3/a.py", "", Placed("/home/ada/clock3/a.py")),
        ("//home//ada/clock/a.py", "", Placed("a.py", "p1")),
        ("../a.py", "", Placed("../a.py")),
        ("/", "", Placed("/")),
    ):
        assert placed_in(typed, project, PROJECTS) == expected, typed
    assert shorter("/a/b/c/d.py") == ["b/c/d.py", "c/d.py", "d.py"]
    assert shorter("a/b/") == ["b/"]
    assert shorter("a") == []


@pytest.fixture(scope="module")
def hostile(module_cli: Cli) -> Iterator[httpx.Client]:
    """Pages of a store in which paths, titles and addresses are attacks, and there are more than one page has."""

    async def write() -> None:
        start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await store.ensure_schema()
            said = message(0, "commit it", session_id="late", timestamp=start)
            texts = [one[:1000] for one in ATTACKS.values()]
            await store.write_batch(
                "local",
                [
                    session(f"h{n}", first_message=one, project_id=one, project_name=one, user_name=one, user_id=one)
                    for n, one in enumerate(texts)
                ]
                + [session("many")],
            )
            await store.write_batch("local", [session("late")], [said])
            links = [pull_request(f"h{n}", one) for n, one in enumerate(texts)]
            links += [pull_request("many", "javascript:alert(1)"), pull_request("many", "data:text/html,x")]
            links += [commit("many", f"{n:040x}", detected_at=start + dt.timedelta(hours=n)) for n in range(MANY)]
            # A tool is done some time after it was called.
            done = start + dt.timedelta(seconds=3)
            links.append(commit("late", "e" * 40, message_ordinal=0, detected_at=done))
            await store.write_git_links("local", links)
            touches = [touch(f"h{n}", f"evil/{one}", touched_at=start) for n, one in enumerate(texts)]
            touches += [
                touch("many", "long.py", "read", message_ordinal=n, touched_at=start + dt.timedelta(hours=n))
                for n in range(2 * MANY)
            ]
            touches.append(touch("late", "late.py", message_ordinal=0, touched_at=done))
            await store.write_file_touches("local", touches)

    asyncio.run(write())
    with served(module_cli) as pages, pages.client() as client:
        yield client


def test_hostile_paths_and_addresses_are_text(hostile: httpx.Client) -> None:
    pages = [hostile.get(one).text for one in ("/files?path=evil/", "/files?path=evil")]
    pages += walked(hostile, "/commits")
    for page in pages:
        for tag, attributes in Elements(page).found:
            assert tag not in ("img", "iframe", "object", "embed", "style", "base", "video", "math", "marquee")
            assert not [one for one in attributes if one.startswith("on") or one == "style"], (tag, attributes)
            assert attributes.get("href", "/").startswith(("/", "#", "https://", "http://")), attributes
            assert not (tag == "script" and not attributes.get("src", "").startswith("/static/"))
    for text in ("<script>alert(1)</script>", "javascript:alert(1)"):
        found = hostile.get("/commits", params={"q": text})
        assert text not in found.text or "<" not in text


def walked(client: httpx.Client, address: str) -> list[str]:
    """The pages from the first to the last."""
    pages = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200
        pages.append(answer.text)
        following = re.search(r'rel="next" href="([^"]+)"', answer.text)
        address = html.unescape(following.group(1)) if following else ""
    return pages


def test_pages_of_commits_have_each_once(hostile: httpx.Client) -> None:
    pages = walked(hostile, "/commits")
    assert len(pages) > 2
    found = [one for page in pages for one in re.findall(r'q=([0-9]{6}[0-9a-f]{34})"', page)]
    assert found == [f"{n:040x}" for n in reversed(range(MANY))]


def test_pages_of_touches_go_on(hostile: httpx.Client) -> None:
    pages = walked(hostile, "/files?path=long.py")
    assert len(pages) == 2
    assert re.search(r"and \d+ more", pages[0])
    assert "Further on" in pages[1]
    for page in pages:
        assert links_to(page, "many")


@pytest.mark.parametrize("page", ["/commits", "/commits?q=eeeeee", "/files?path=late.py"])
def test_a_link_to_what_made_it_is_not_called_gone(hostile: httpx.Client, page: str) -> None:
    links = [link for one in walked(hostile, page) for link in links_to(one, "late") if "at=" in link]
    assert links
    for link in links:
        read = hostile.get(link).text
        assert 'id="m0"' in read
        assert "Gone:" not in read
        assert "Moved:" not in read
