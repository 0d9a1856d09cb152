"""Real transcripts in a real browser, in a narrow window: nothing breaks, nothing is asked of anybody else."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from agentstore import AsyncClickHouseStore
from agentstore.importers import Options, import_tree
from agentstore.importers.results import ImportResult
from agentstore.web.links import session_path
from tests.cli.running import Cli
from tests.web.conftest import logged_in, run_aside
from tests.web.serving import Pages, served

ROOT = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)
pytestmark = pytest.mark.skipif(not ROOT.exists(), reason=f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")
PANELS = ("prompts", "files", "spent", "children", "links", "text?at=0", "pin?at=0", "purge")
WIDTH = 400


def sample(folder: pathlib.Path) -> list[list[ImportResult]]:
    """Of one agent the two sessions with most messages and two others, each with its subagents."""
    found = [one for one in import_tree(folder, Options()) if one.sessions and one.messages and not one.piece]
    found.sort(key=lambda one: (-len(one.messages), one.file))
    chosen = [*found[:2], *found[2 :: max(1, len(found) // 2)][:2]]
    return [[one, *_below(one, found)] for one in chosen]


def _below(one: ImportResult, all: list[ImportResult]) -> list[ImportResult]:
    ids = {call.subagent_session_id for call in one.tool_calls} - {""}
    return [other for other in all if other is not one and other.sessions[0].id in ids]


@pytest.fixture(scope="module")
def chosen() -> list[list[list[ImportResult]]]:
    """By agent and session, the largest first."""
    return [found for one in sorted(ROOT.iterdir()) if one.is_dir() and (found := sample(one))]


@pytest.fixture(scope="module")
def pages(module_cli: Cli, chosen: list[list[list[ImportResult]]]) -> Iterator[Pages]:
    async def write() -> None:
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await store.ensure_schema()
            for one in (result for found in chosen for results in found for result in results):
                await store.write_batch("local", one.sessions, one.messages, one.tool_calls)
                await store.write_git_links("local", one.git_links)
                await store.write_file_touches("local", one.file_touches)

    run_aside(write)
    with served(module_cli) as pages:
        yield pages


class Looked:
    """A tab that looks at pages, and what went wrong on any of them."""

    def __init__(self, tab: Page, pages: Pages, known: set[str]) -> None:
        self.tab, self.address = tab, pages.address
        self._known = {f"{pages.address}{session_path(id)}/thread" for id in known}
        self.wrong: list[str] = []
        tab.set_viewport_size({"width": WIDTH, "height": 800})
        tab.on("console", lambda said: self._says(said.text, said.location["url"]))
        tab.on("pageerror", lambda error: self.wrong.append(f"{tab.url} failed: {error}"))
        tab.on("request", lambda asked: self._asks(asked.url))

    def _says(self, text: str, url: str) -> None:
        # A subagent whose transcript is not among these is said to be missing, of which a browser makes an error.
        if not url.endswith("/thread") or url in self._known or "404" not in text:
            self.wrong.append(f"{self.tab.url} said {text} of {url}")

    def _asks(self, url: str) -> None:
        if not url.startswith(f"{self.address}/"):
            self.wrong.append(f"{self.tab.url} asked for {url}")

    def at(self, path: str) -> None:
        """Opens a page, and all that is folded on it."""
        answer = self.tab.goto(f"{self.address}{path}")
        assert answer is not None
        assert answer.status == 200, path
        expect(self.tab.locator("[data-panel], [aria-busy=true], [data-part]:not(details) .no-script")).to_have_count(0)
        self.tab.locator("details").evaluate_all("all => { for (const one of all) one.open = true; }")
        expect(self.tab.locator("details.subagent [data-into]:empty")).to_have_count(0)
        assert self.tab.locator("h1").count() == 1, path
        assert self.tab.locator("h1").inner_text().strip(), path
        width = self.tab.evaluate("document.documentElement.scrollWidth")
        assert width == WIDTH, f"{path} is {width} wide"


def test_real_sessions_are_read_in_a_narrow_window(
    context: BrowserContext, pages: Pages, chosen: list[list[list[ImportResult]]]
) -> None:
    known = {one.sessions[0].id for found in chosen for results in found for one in results}
    looked = Looked(logged_in(context, pages), pages, known)
    looked.at("/sessions?since=all")
    listed = looked.tab.locator("tr.row").count()
    assert listed > len(chosen)
    for found in chosen:
        for results in found:
            path = session_path(results[0].sessions[0].id)
            looked.at(path)
            expect(looked.tab.locator(".message").first).to_be_attached()
            if results is found[0]:
                for name in PANELS:
                    looked.at(f"{path}/{name}")
                looked.at(f"{path}?q=the")
    looked.at("/search?since=all&q=the")
    assert looked.tab.locator(".hits mark").count() > 20
    looked.at("/search?since=all&role=tool&q=file")
    assert looked.tab.locator(".hits .name").count() > 5
    looked.at("/overview?since=all")
    assert looked.tab.locator(".bars-plot a").count() > 2
    looked.at("/commits")
    looked.at("/files?path=/")
    assert looked.wrong == []
