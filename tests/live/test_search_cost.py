"""What a search costs, whatever is looked for: at most six statements, and texts read once and a half."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, Message, SearchQuery, Session, ToolCall
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Columns
from agentstore.read.conditions import EVERYTHING, session_conditions
from agentstore.read.search import pages, planner
from agentstore.read.search.index_lookup import IndexLookup
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.searched_tables import searched_tables
from agentstore.read.search.substring_sql import hits
from agentstore.read.search.tokens import Term
from tests.builders import at, call, message, session
from tests.live.conftest import drop, new_name
from tests.live.search_paths import PATHS, force
from tests.live.test_rows_read import Recorder
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

MOST_STATEMENTS = 6
# The rows of a page are opened once more, with the messages of its calls: two granules each, and its neighbour.
LIMIT = 2
SPARE_ROWS = LIMIT * 4 * 256
TEXTS = re.compile(r"\b(content|input_json|result_content) String\b")
# "delta" stands after "gamma" only, so that "alpha delta" is nowhere.
WORDS = ["alpha", "beta", "gamma", "dog", "house", "tree", "night", "paper", "river", "stone", "cloud", "apple"]
ROWS, ROWS_PER_SESSION, SMALL_ORGS = 40_000, 20, 300

# One in a thousand of the candidates of this needle holds it: all its trigrams are in every text.
HIDDEN = "gold silver"
NEEDLES = {
    "absent": "zzyzxnowhere",
    "absent, of common trigrams": "alpha delta",
    "a hit in a thousand candidates": HIDDEN,
    "rare": "quokkastorm",
    "medium": "wombat",
    "in every row": "alpha ",
    "two characters": "al",
    "two characters, absent": "zq",
    "one character, absent": "§",
}
FILTERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "user": {"user_id": "u7"},
    "role": {"role": "assistant"},
    "tool calls": {"role": "tool"},
    "tool": {"tool_name": "Grep"},
    "session": {"session_id": "s00042"},
}


def texts(rng: random.Random) -> Iterator[str]:
    for number in range(ROWS):
        words = rng.choices(WORDS, k=12)
        text = " ".join(["alpha dog", "gamma delta", "gold", "old silver", "ld silk", *words])
        if number % 1000 == 3:
            text += f" {HIDDEN}"
        if number % 4000 == 7:
            text += " quokkastorm"
        if number % 25 == 1:
            text += " wombat"
        yield text


def corpus() -> tuple[list[Session], list[Message], list[ToolCall]]:
    rng = random.Random(11)
    sessions, messages, calls = [], list[Message](), list[ToolCall]()
    for number, text in enumerate(texts(rng)):
        index, ordinal = divmod(number, ROWS_PER_SESSION)
        id = f"s{index * 7919 % 99_991:05}" if index != 42 else "s00042"
        if not ordinal:
            sessions.append(session(id, started_at=at(minute=index % 60, micro=index), user_id=f"u{index % 50}"))
        role = "user" if ordinal % 3 == 0 else "assistant"
        messages.append(message(ordinal, text, session_id=id, role=role))
        if ordinal % 4 == 0:
            name = "Grep" if ordinal % 8 == 0 else "Bash"
            calls.append(call(ordinal, session_id=id, tool_use_id="t", tool_name=name, input_json=text))
    return sessions, messages, calls


async def fill(server: Server, database: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=database) as store:
        await store.ensure_schema()
        await store.write_batch("huge", *corpus())
        small = [store.submit_batch(f"org{n}", [session("s")], [message(0, "alpha dog gamma delta", session_id="s")])
                 for n in range(SMALL_ORGS)]  # fmt: skip
        for receipt in small:
            await receipt
        for table in ("sessions", "messages", "tool_calls"):
            await store._open_pool.execute(Sql(f"OPTIMIZE TABLE {table} FINAL"))


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[str]:
    name = new_name()
    asyncio.run(fill(server, name))
    yield name
    asyncio.run(drop(server, name))


@pytest.fixture
async def pool(server: Server, database: str) -> AsyncIterator[Pool]:
    """Connected to it."""
    async with AsyncClickHouseStore(server.dsn, database=database) as store:
        yield store._open_pool


async def texts_read(recorder: Recorder) -> int:
    """Rows of texts that the statements read, over both tables."""
    rows = 0
    for statement in recorder.statements:
        plan = (await recorder.pool.fetch(sql("EXPLAIN header = 1 {statement}", statement=statement)))[0]
        if TEXTS.search("\n".join(plan)):
            one = Recorder(recorder.pool)
            one.statements = [statement]
            found = await one.rows()
            rows += found["messages"] + found["tool_calls"]
    return rows


def scan(org: str, query: SearchQuery) -> Sql:
    """One statement that finds the same hits in the plainest way."""
    sessions = session_conditions(org, equal={"user_id": query.user_id})
    if query.session_id:
        sessions = sql("{sessions} AND id = {id}", sessions=sessions, id=query.session_id)
    parsed = ParsedQuery(org, (Term(query.query),), sessions, searched_tables(query.role, query.tool_name))
    return hits(parsed, EVERYTHING, None, count=1001)


@pytest.mark.parametrize(
    ("needle", "filter"),
    [(needle, filter) for needle in NEEDLES for filter in ("nothing", "user", "tool")]
    + [(needle, filter) for needle in ("absent, of common trigrams", "medium", "in every row") for filter in FILTERS],
)
async def test_a_search_reads_its_texts_once_and_a_half_at_most(pool: Pool, needle: str, filter: str) -> None:
    query = SearchQuery(query=NEEDLES[needle], limit=LIMIT, **FILTERS[filter])
    plain = Recorder(pool)
    keys = await plain.fetch(scan("huge", query))
    every = await texts_read(plain)
    assert every
    recorder = Recorder(pool)
    page = await pages.search(IndexLookup(recorder), "huge", query)
    assert page.total == min(1000, len(keys[0]) if keys else 0)
    assert len(recorder.statements) <= MOST_STATEMENTS
    assert await texts_read(recorder) <= 1.5 * every + SPARE_ROWS
    if page.next_cursor:
        recorder = Recorder(pool)
        second = await pages.search(
            IndexLookup(recorder),
            "huge",
            SearchQuery(query.query, limit=LIMIT, cursor=page.next_cursor, **FILTERS[filter]),
        )
        assert second.results
        assert len(recorder.statements) <= MOST_STATEMENTS
        assert await texts_read(recorder) <= 1.5 * every + SPARE_ROWS


@pytest.mark.parametrize("needle", ["absent", "absent, of common trigrams", "in every row"])
async def test_a_small_organisation_does_not_read_the_texts_of_a_huge_one(pool: Pool, needle: str) -> None:
    recorder = Recorder(pool)
    page = await pages.search(IndexLookup(recorder), "org77", SearchQuery(NEEDLES[needle]))
    assert page.total == (needle == "in every row")
    assert len(recorder.statements) <= MOST_STATEMENTS
    assert await texts_read(recorder) <= SPARE_ROWS


async def test_an_absent_needle_touches_no_session_and_no_text(pool: Pool) -> None:
    recorder = Recorder(pool)
    await pages.search(IndexLookup(recorder), "huge", SearchQuery(NEEDLES["absent"]))
    assert not await texts_read(recorder)
    assert not (await recorder.rows())["sessions"]
    assert len(recorder.statements) == 2


@pytest.mark.parametrize("mode", ["substring", "words"])
@pytest.mark.parametrize("needle", ["alpha delta", HIDDEN, "wombat", "alpha"])
async def test_a_filter_that_leaves_no_session_costs_no_look_at_the_others(pool: Pool, needle: str, mode: str) -> None:
    recorder = Recorder(pool)
    page = await pages.search(IndexLookup(recorder), "huge", SearchQuery(needle, mode=mode, user_id="nobody"))
    assert page.total == 0
    assert len(recorder.statements) == 1
    found = await recorder.rows()
    assert found["messages"] + found["tool_calls"] == 0


@pytest.mark.parametrize("mode", ["substring", "words"])
async def test_where_the_newest_sessions_were_read_in_vain_twice_is_too_often(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    force("sessions", monkeypatch, most=2)
    monkeypatch.setattr(planner, "more_sessions", lambda *_, **__: 3)
    for role in ("", "tool"):
        recorder = Recorder(pool)
        page = await pages.search(IndexLookup(recorder), "huge", SearchQuery("wombat", mode=mode, role=role))
        assert page.total
        assert len(recorder.statements) <= MOST_STATEMENTS


async def test_one_session_is_looked_up(pool: Pool) -> None:
    recorder = Recorder(pool)
    page = await pages.search(IndexLookup(recorder), "huge", SearchQuery("alpha", session_id="s00042"))
    assert page.total == ROWS_PER_SESSION + ROWS_PER_SESSION // 4
    assert len(recorder.statements) == 2
    assert await texts_read(recorder) <= SPARE_ROWS


@pytest.mark.parametrize("terms", [1, 8, 64])
async def test_terms_without_hits_cost_one_look(pool: Pool, terms: int) -> None:
    recorder = Recorder(pool)
    words = " ".join(f"zzyzx{n}" for n in range(terms))
    assert (await pages.search(IndexLookup(recorder), "huge", SearchQuery(words, mode="words"))).total == 0
    assert len(recorder.statements) == 2
    assert not await texts_read(recorder)
    assert all(len(statement.text) < 2000 + 200 * terms for statement in recorder.statements)


@pytest.mark.parametrize("needle", NEEDLES)
async def test_words_send_few_statements_too(pool: Pool, needle: str) -> None:
    recorder = Recorder(pool)
    query = f'"{NEEDLES[needle]}"'
    page = await pages.search(IndexLookup(recorder), "huge", SearchQuery(query, mode="words"))
    found = await pages.search(IndexLookup(Recorder(pool)), "huge", SearchQuery(NEEDLES[needle]))
    assert (page.total, page.total_is_lower_bound) == (found.total, found.total_is_lower_bound)
    assert len(recorder.statements) <= MOST_STATEMENTS


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", ["substring", "words"])
async def test_no_way_of_a_search_sends_more_statements(
    pool: Pool, path: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(path, monkeypatch, most=2)
    cursor = ""
    for _ in range(2):
        recorder = Recorder(pool)
        query = SearchQuery("quokkastorm", mode=mode, limit=LIMIT, cursor=cursor)
        page = await pages.search(IndexLookup(recorder), "huge", query)
        assert len(page.results) == LIMIT
        assert len(recorder.statements) <= MOST_STATEMENTS
        cursor = page.next_cursor


class Weighed(Recorder):
    """Knows how many rows its longest answer had."""

    longest = 0

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        columns = await super().fetch(query, settings)
        self.longest = max(self.longest, *map(len, columns), 0)
        return columns


async def test_no_more_keys_travel_than_are_wanted(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    force("sessions", monkeypatch, most=ROWS_PER_SESSION * 4)
    recorder = Weighed(pool)
    page = await pages.search(IndexLookup(recorder), "huge", SearchQuery("alpha ", limit=LIMIT))
    assert (page.total, page.total_is_lower_bound) == (1000, True)
    assert recorder.longest <= pages.MOST_COUNTED + 1
