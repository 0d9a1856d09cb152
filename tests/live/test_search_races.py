"""A search beside writes: its second statement, or its second page, sees what the first did not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, SearchQuery
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Columns
from agentstore.read.cursor import SearchKey
from agentstore.read.search import pages, words_search, words_sql
from agentstore.read.search.index_lookup import IndexLookup
from agentstore.read.search.results import RowsToOpen, open_rows
from agentstore.read.search.searched_tables import searched_tables
from agentstore.read.search.tokens import Term
from tests.builders import at, call, message, session
from tests.live.search_paths import force
from tests.live.test_rows_read import Recorder
from tests.live.test_search_index import has_indexes


async def test_a_row_that_was_replaced_since_its_key_was_read_is_left_out(
    store: AsyncClickHouseStore, org: str
) -> None:
    await store.write_session(
        org, session("s"), [message(0, "needle"), message(1, "needle")], [call(0, input_json="needle")]
    )
    keys: list[SearchKey] = [(None, "s", 0, 0, "", 0), (None, "s", 1, 0, "", 0), (None, "s", 0, 1, "", 0)]
    rows = RowsToOpen(org, [Term("needle")], sql("org_id = {org}", org=org), searched_tables("", ""), keys)
    assert len(await open_rows(store._open_pool, rows)) == 3
    await store.write_session(org, session("s"), [message(1, "needle")], replace=True)
    left = await open_rows(store._open_pool, rows)
    assert [found.ordinal for found in left.values()] == [1]


class Interrupted(Recorder):
    """Lets something happen before the first statement with this text."""

    def __init__(self, pool: Pool, before: str, happen: Callable[[], Awaitable[object]]) -> None:
        super().__init__(pool)
        self.before, self.happen = before, happen

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        if self.before in query.text and self.before:
            self.before = ""
            await self.happen()
        return await super().fetch(query, settings)


class Late(Recorder):
    """Lets something happen when the texts have been read and their sessions not yet."""

    def __init__(self, pool: Pool, happen: Callable[[], Awaitable[object]]) -> None:
        super().__init__(pool)
        self.happen, self.read = happen, asyncio.Event()

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        of_texts, of_sessions = "lengthUTF8" in query.text, "first_message" in query.text
        if of_sessions and not of_texts:
            await self.read.wait()
            await self.happen()
        columns = await super().fetch(query, settings)
        if of_texts and not of_sessions:
            self.read.set()
        return columns


async def test_a_replace_that_writes_the_same_again_hides_nothing(
    store: AsyncClickHouseStore, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    force("open", monkeypatch, most=0)
    rows = [message(0, "needle"), message(1, "needle")]

    async def write() -> None:
        await store.write_session(org, session("s"), rows, [call(0, input_json="needle")], replace=True)

    await write()
    executor = Late(store._open_pool, write)
    page = await pages.search(IndexLookup(executor), org, SearchQuery("needle"))
    assert executor.read.is_set() == await has_indexes(store)  # without, no rows are opened apart
    assert [(hit.ordinal, hit.role) for hit in page.results] == [(0, "user"), (0, "tool"), (1, "user")]


@pytest.mark.parametrize("path", ["sessions", "newest sessions first"])
async def test_a_session_that_got_an_earlier_start_in_between_is_found_once(
    store: AsyncClickHouseStore, org: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(4):
        await store.write_session(org, session(f"s{minute}", started_at=at(minute=minute)), [message(0, "needle")])
    force(path, monkeypatch, most=2)

    async def earlier() -> None:
        await store.write_session(org, session("s3", started_at=at(day=1)))

    # Before the statement that reads the older sessions: it goes on after the last of the newer ones.
    recorder = Interrupted(store._open_pool, "id < 's2'" if path != "sessions" else "(session_id = 's2'", earlier)
    page = await pages.search(IndexLookup(recorder), org, SearchQuery("needle", limit=4))
    assert recorder.before == ""
    assert [hit.session_id for hit in page.results] == ["s3", "s2", "s1", "s0"]
    assert (page.total, page.next_cursor) == (4, "")


@pytest.mark.parametrize("before", [9, 10])
async def test_rows_that_come_while_pages_are_walked_push_no_ranked_row_out(
    store: AsyncClickHouseStore, org: str, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words_sql, "RANKED", 10)
    monkeypatch.setattr(words_search, "RANKED", 10)
    await store.write_session(org, session("s"), [message(n, "word " * (20 - n)) for n in range(10, 10 + before)])
    walked, cursor = list[int](), ""
    while True:
        page = await store.search(org, SearchQuery("word", mode="words", limit=3, cursor=cursor))
        walked += [hit.ordinal for hit in page.results]
        cursor = page.next_cursor
        if not cursor:
            break
        # They are better than all others, and so come before the cursor; and they are newer.
        added = [message(n, "word " * 50) for n in range(5)]
        await store.write_session(org, session("s"), added)
    assert walked == list(range(10, 10 + before))
