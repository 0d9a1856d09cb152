"""Two organisations behind one proxy: neither sees anything of the other's, whatever is asked and however."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from agentstore import AsyncClickHouseStore
from agentstore.models import MessagePin, SessionStar
from agentstore.web.api.document import document
from tests.builders import at, call, commit, message, pull_request, session, touch
from tests.cli.running import Cli
from tests.web.conftest import in_use, run_aside
from tests.web.serving import SECONDS, Pages, served

FLAGS = ("--trust-proxy-header", "X-User", "--trust-proxy-org-header", "X-Org", "--allow-host", "history.example")
ORGS = ("alder", "birch")
# The same in both, as a session that two people have copies of.
SHARED = "shared-id"
SHA = "4f9d2c7aa"


def secret(org: str) -> str:
    """What only this organisation may read; it stands in everything of it."""
    return f"secretof{org}"


async def fill(dsn: str) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        for org in ORGS:
            await write(store, org, SHARED)
            await write(store, org, f"only-{org}")


async def write(store: AsyncClickHouseStore, org: str, id: str, count: int = 1) -> None:
    mine = secret(org)
    one = session(
        id, user_id=mine, user_name=mine, project_id=mine, project_name=mine, project_path=f"/home/{mine}",
        machine=mine, agent_type=f"agent-{mine}", git_branch=mine, first_message=mine, display_name=f"{mine} {id}",
        started_at=at(), ended_at=at(1), message_count=count, total_output_tokens=5,
    )  # fmt: skip
    messages = [
        message(number, f"needle {mine} {number}", model=mine, output_tokens=5, timestamp=at(0, number))
        for number in range(count)
    ]
    calls = [call(0, tool_name=mine, tool_use_id="a", input_json=json.dumps({"command": mine}), result_content=mine)]
    await store.write_session(org, one, messages, calls)
    await store.write_git_links(org, [commit(id, SHA), pull_request(id, f"https://x.example/{mine}/pull/1")])
    await store.write_file_touches(org, [touch(id, f"src/{mine}.py"), touch(id, "src/both.py")])
    await store.write_message_pins(org, [MessagePin(session_id=id, message_ordinal=0, user_id="mei", note=mine)])
    await store.write_session_stars(org, [SessionStar(session_id=id, user_id="mei")])


@pytest.fixture(scope="module")
def pages(module_cli: Cli) -> Iterator[Pages]:
    asyncio.run(fill(module_cli.dsn))
    with served(module_cli, *FLAGS) as pages:
        yield pages


def headers(org: str) -> dict[str, str]:
    """As the proxy has them. The user is called the same in both."""
    return {"x-user": "mei", "x-org": org, "host": "history.example"}


def client(pages: Pages, org: str, **more: str) -> httpx.Client:
    return pages.stranger(**headers(org), **more)


def paths(org: str) -> list[str]:
    """Pages, parts of pages and data: of what both have, and of what only ``org`` has, by every kind of address."""
    mine = quote(secret(org))
    found = [
        "/sessions?since=all", "/sessions?since=all&starred=1", "/sessions?since=all&hidden=1",
        "/search?q=needle&since=all",
        f"/sessions?since=all&project={mine}", f"/sessions?since=all&user={mine}", f"/sessions?since=all&branch={mine}",
        f"/sessions?since=all&agent=agent-{mine}", f"/sessions?since=all&text={mine}", f"/sessions?parent=only-{org}",
        "/search?q=needle&mode=words&since=all", f"/search?q={mine}&since=all", "/overview?since=all&panel=all",
        f"/overview?since=all&panel=all&project={mine}", "/commits", f"/commits?q={SHA}", "/files?path=src/",
        f"/commits?q={quote(f'https://x.example/{secret(org)}/pull/1', safe='')}", f"/files?path=src/{mine}.py",
        "/files?path=src/both.py", f"/files?project={mine}", f"/sessions/costs?id=only-{org}&id={SHARED}",
    ]  # fmt: skip
    for id in (SHARED, f"only-{org}"):
        found += [f"/sessions/{id}{end}" for end in (
            "", "?q=needle", "?at=0", "/prompts", "/files", "/links", "/spent", "/children", "/thread", "/pin?at=0",
            "/markdown", "/markdown?at=0", "/purge", "/text?at=0&part=content", "/text?at=0&tool=a&call=0&part=input",
        )]  # fmt: skip
    return [*found, *api(org)]


def api(org: str) -> list[str]:
    """All that programs can read."""
    found = []
    for path, methods in document("cookie")["paths"].items():
        if "get" not in methods:
            continue
        told = {"/search": "?query=needle", "/commits": f"?sha={SHA}", "/files/history": "?path=src/both.py"}
        query = next((value for end, value in told.items() if path.endswith(end)), "")
        found += [path.replace("{session_id}", id) + query for id in (SHARED, f"only-{org}")]
    assert len(found) > 30
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("own", ORGS)
def test_no_page_and_no_part_of_one_shows_anything_of_the_others(pages: Pages, own: str) -> None:
    other = next(org for org in ORGS if org != own)
    seen = 0
    with client(pages, own) as browser, client(pages, own, accept="application/json") as program:
        for path in (*paths(own), *paths(other)):
            parts = ["", "list"] if path.startswith("/sessions?") else [""]
            for part in [*parts, "window"] if path.endswith((SHARED, f"only-{other}")) else parts:
                asks = program if path.startswith("/api/") else browser
                answer = asks.get(path, headers={"x-part": part} if part else {})
                assert answer.status_code in (200, 400, 404), (path, answer.status_code, answer.text[:500])
                # What one has asked for oneself is said back, and no more of it.
                asked = secret(other) in path
                assert (f"needle {secret(other)}" if asked else secret(other)) not in answer.text, path
                assert f"{secret(other)} {SHARED}" not in answer.text, path
                seen += secret(own) in answer.text
    # The test would see it: what is one's own is there.
    assert seen > 100


@pytest.mark.parametrize("own", ORGS)
def test_a_guessed_address_is_of_nothing(pages: Pages, own: str) -> None:
    other = next(org for org in ORGS if org != own)
    with client(pages, own) as browser:
        for end in (
            "",
            "/prompts",
            "/files",
            "/links",
            "/spent",
            "/children",
            "/thread",
            "/pin?at=0",
            "/markdown",
            "/purge",
            "/text?at=0&part=content",
        ):
            there = browser.get(f"/sessions/only-{own}{end}")
            guessed = browser.get(f"/sessions/only-{other}{end}")
            never = browser.get(f"/sessions/only-nobody{end}")
            assert there.status_code == 200, end
            assert guessed.status_code == never.status_code == 404, end
            part = browser.get(f"/sessions/only-{other}{end}", headers={"x-part": "panel"})
            assert part.status_code == 404, end
            # Nothing tells one that somebody else has from one that nobody has.
            assert guessed.text.replace(other, "nobody") == never.text, end


@pytest.mark.parametrize("path", ["star", "hide", "pin?at=0", "purge"])
def test_nothing_of_the_others_is_changed(pages: Pages, module_cli: Cli, path: str) -> None:
    origin = {"origin": "http://history.example"}
    fields = {"on": "1", "note": "mine", "title": f"{secret('birch')} only-birch"}
    with client(pages, "alder", **origin) as browser:
        assert browser.post(f"/sessions/only-birch/{path}", data=fields).status_code == 404
    with client(pages, "birch") as browser:
        answer = browser.get("/sessions/only-birch")
        assert "Hidden from lists" not in answer.text
        assert "needle secretofbirch 0" in answer.text


def test_what_a_client_says_itself_is_not_believed(pages: Pages) -> None:
    """The organisation is what the proxy says, once."""
    with client(pages, "alder") as browser:
        for path in (
            "/sessions?since=all&org=birch",
            "/sessions?since=all&x-org=birch",
            "/sessions?org_id=birch",
        ):
            assert secret("birch") not in browser.get(path).text
        browser.cookies.set("x-org", "birch")
        browser.cookies.set("org", "birch")
        assert secret("birch") not in browser.get("/sessions?since=all").text
        twice = [*headers("alder").items(), ("X-Org", "birch")]
        answer = httpx.get(f"{pages.address}/sessions", headers=twice, trust_env=False)
        assert answer.status_code == 400


def news(pages: Pages, org: str, into: queue.Queue[str], ready: threading.Event) -> None:
    """Every line that the organisation's stream tells, until it ends."""
    with client(pages, org) as browser, browser.stream("GET", "/live", timeout=SECONDS) as stream:
        for line in stream.iter_lines():
            if line == "event: hello":
                ready.set()
            into.put(line)


def test_the_live_stream_tells_only_ones_own(module_cli: Cli) -> None:
    told: dict[str, queue.Queue[str]] = {org: queue.Queue() for org in ORGS}
    ready = {org: threading.Event() for org in ORGS}

    async def change(org: str, id: str, count: int) -> None:
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await write(store, org, id, count)

    asyncio.run(fill(module_cli.dsn))
    with served(module_cli, *FLAGS) as pages:
        threads = [threading.Thread(target=news, args=(pages, org, told[org], ready[org])) for org in ORGS]
        for one in threads:
            one.start()
        assert all(one.wait(SECONDS) for one in ready.values())
        asyncio.run(change("birch", "only-birch", 2))
        asyncio.run(change("alder", "only-alder", 2))
        lines: dict[str, list[str]] = {org: [] for org in ORGS}
        for org in ORGS:
            while not any(f"only-{org}" in line for line in lines[org]):
                lines[org].append(told[org].get(timeout=SECONDS))
        pages.stop()
        for one in threads:
            one.join(SECONDS)
    for org, other in (ORGS, ORGS[::-1]):
        while not told[org].empty():
            lines[org].append(told[org].get())
        assert not any(other in line for line in lines[org])


def test_two_browsers_side_by_side(browser: Browser, pages: Pages, module_cli: Cli) -> None:
    """Each sees its own list, live, and the other's sessions not even by their address."""

    async def change(org: str) -> None:
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await write(store, org, f"new-{org}")

    with in_use(browser):
        contexts = {
            org: browser.new_context(extra_http_headers={"x-user": "mei", "x-org": org}, base_url=pages.address)
            for org in ORGS
        }
        tabs = {org: one.new_page() for org, one in contexts.items()}
        for org, tab in tabs.items():
            with tab.expect_response("**/live"):
                tab.goto("/sessions?since=all")
            expect(tab.locator("footer")).to_contain_text(org)
            expect(tab.locator("tr.row")).not_to_have_count(0)
        for org in ORGS:
            run_aside(partial(change, org))
        for org, other in (ORGS, ORGS[::-1]):
            tab = tabs[org]
            expect(tab.get_by_text(f"{secret(org)} new-{org}")).to_be_visible()
            assert secret(other) not in tab.content()
            tab.goto(f"/sessions/new-{other}")
            expect(tab.locator("h1")).to_have_text("Not found")
        for one in contexts.values():
            one.close()


def test_two_tabs_of_one_browser_do_not_tell_each_other(context: BrowserContext, pages: Pages, module_cli: Cli) -> None:
    """Behind a proxy one browser may look at two organisations: what its tabs share is shared within each alone."""

    async def change() -> None:
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await write(store, "birch", "beside-birch")

    tabs = {org: context.new_page() for org in ORGS}
    for org, tab in tabs.items():
        tab.set_extra_http_headers({"x-user": "mei", "x-org": org})
        tab.add_init_script(
            """window.told = [];
            const original = BroadcastChannel;
            window.BroadcastChannel = class extends original {
                constructor(name) {
                    super(name);
                    this.addEventListener("message", (event) => window.told.push(...event.data.session_ids));
                }
            };"""
        )
        with tab.expect_response("**/live"):
            tab.goto(f"{pages.address}/sessions?since=all")
    run_aside(change)
    expect(tabs["birch"].get_by_text(f"{secret('birch')} beside-birch")).to_be_visible()
    assert tabs["alder"].evaluate("window.told") == []
