"""Ids, texts and ordinals that nobody expects, and that a store may hold."""

from __future__ import annotations

import asyncio
import html
import re
import shlex
import threading
from collections.abc import Iterator
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from agentstore import AsyncClickHouseStore
from agentstore.faces import telling
from agentstore.web.filters import LONGEST
from agentstore.web.links import id_in, session_path
from agentstore.web.marking import LARGEST_ORDINAL
from agentstore.web.pages.markdown import Lines, _written
from agentstore.web.templating import environment
from tests.builders import call, message, session
from tests.cli.running import Cli
from tests.web.conftest import logged_in
from tests.web.serving import Pages, served

# What an address, a page of ours, a pattern or a shell could take for something else.
IDS = [
    "costs",
    "a/b",
    "a%2Fb",
    "a?b#c",
    "…",
    "a\u200bb",
    "$(id)",
    "'\"<>&",
    "x" * 2000,
    ".",
    "..",
    "~.",
    "~~..",
    "...",
    "~",
]


@pytest.fixture(scope="module")
def pages(module_cli: Cli) -> Iterator[Pages]:
    async def write() -> None:
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await store.ensure_schema()
            await store.write_batch(
                "local",
                [session(id, display_name=f"number {n}", project_id=id, user_id=id) for n, id in enumerate(IDS)],
                [message(0, f"said in {n}", session_id=id) for n, id in enumerate(IDS)]
                + [message(LARGEST_ORDINAL, "the last one there can be", session_id="costs")],
                [call(0, session_id="costs", subagent_session_id="nowhere")],
            )

    asyncio.run(write())
    with served(module_cli) as pages:
        yield pages


@pytest.fixture(scope="module")
def client(pages: Pages) -> Iterator[httpx.Client]:
    with pages.client() as client:
        yield client


@pytest.mark.parametrize("id", IDS)
def test_any_id_has_its_pages(client: httpx.Client, id: str) -> None:
    number, path = IDS.index(id), session_path(id)
    page = client.get(path)
    assert f"number {number}</h1>" in page.text
    assert f"said in {number}" in page.text
    assert f"said in {number}" in client.get(f"{path}/prompts").text
    assert f"said in {number}" in client.get(f"{path}/markdown").text
    assert client.get(f"/api/v1{path}").json()["display_name"] == f"number {number}"


def test_addresses_are_those_that_a_browser_leaves_as_they_are(page: Page) -> None:
    for id in IDS:
        path = session_path(id)
        assert page.evaluate("(path) => new URL(path, 'http://x').pathname", path) == path
        assert id_in(path.removeprefix("/sessions/")) == id
        # Of usual ids they are what they always were.
        assert (path == f"/sessions/{quote(id, safe='')}") is (re.fullmatch(r"~*\.{1,2}", id) is None)


@pytest.mark.parametrize("path", ["/sessions/costs?q=", "/search?q="])
@pytest.mark.parametrize("part", [{}, {"x-part": "window"}])
def test_what_is_looked_for_is_bounded_and_not_cut(client: httpx.Client, path: str, part: dict[str, str]) -> None:
    assert client.get(path + "x" * LONGEST, headers=part).status_code == 200
    refused = client.get(path + "x" * (LONGEST + 1), headers={**part, "accept": "application/json"})
    assert refused.status_code == 400
    assert refused.json()["field"] == "q"


@pytest.mark.parametrize("path", ["/sessions/costs/text", "/sessions/costs/pin"])
def test_what_is_missing_in_an_address_is_named(client: httpx.Client, path: str) -> None:
    refused = client.get(path, headers={"accept": "application/json"})
    assert refused.status_code == 400
    assert (refused.json()["field"], refused.json()["detail"]) == ("at", "at is missing")


@pytest.mark.parametrize("id", [one for one in IDS if len(one) <= LONGEST])
def test_what_a_filter_is_set_to_comes_back_as_it_is(client: httpx.Client, id: str) -> None:
    page = client.get("/sessions", params={"since": "all", "project": id, "user": id}).text
    assert f"number {IDS.index(id)}<" in page
    chosen = [html.unescape(one) for one in re.findall(r'<option value="([^"]*)" selected', page)]
    assert chosen.count(id) == 2
    assert [html.unescape(one) for one in re.findall(r'data-cost="([^"]*)"', page)] == [id]


def test_a_link_to_the_last_ordinal_there_can_be(client: httpx.Client) -> None:
    page = client.get("/sessions/costs", params={"at": LARGEST_ORDINAL}).text
    assert "the last one there can be" in page
    assert "Gone:" not in page
    rest = client.get("/sessions/costs/text", params={"at": LARGEST_ORDINAL})
    assert "the last one there can be" in rest.text


def test_a_subagent_that_is_not_there_is_told_so(context: BrowserContext, pages: Pages) -> None:
    page = logged_in(context, pages)
    page.goto(f"{pages.address}/sessions/costs")
    page.locator("#m0 details.call summary").first.click()
    page.locator("#m0 details.subagent > summary").click()
    expect(page.locator("#m0 details.subagent [data-into]")).to_have_text(re.compile("not imported, or it was erased"))


def test_an_id_in_a_command_to_copy_is_one_word() -> None:
    for id in ("x; rm -rf ~", "$(id)", "it's"):
        said = environment().from_string("{{ id | shell_word }}").render(id=id)
        assert shlex.split(html.unescape(said)) == [id]
    source = environment().loader
    assert source is not None
    assert "--go-on {{ id | shell_word }}" in source.get_source(environment(), "purge_goes_on.html")[0]


async def test_a_long_message_is_written_beside_the_event_loop() -> None:
    class Watched(Lines):
        def line(self, *cells: str) -> None:
            threads.add(threading.get_ident())
            super().line(*cells)

    threads: set[int] = set()
    long = telling.Told(message(0, "a line\n" * 1000), [], [], [])
    await _written(Watched(), ZoneInfo("UTC"), long, telling.Detail())
    assert threads
    assert threading.get_ident() not in threads
