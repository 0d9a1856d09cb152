"""Search where the texts are indexed: the same answers as a plain scan, in every state of the parts, reading little."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, Message, SearchQuery, SessionDelete, ToolCall
from agentstore.connection.dial import dial
from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import session_conditions
from agentstore.read.search import parts
from agentstore.read.search.candidates_sql import look_up
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.read_settings import LOOK
from agentstore.read.search.searched_tables import searched_tables
from agentstore.read.search.tokens import Term
from agentstore.schema.plan import drop_database
from tests.builders import at, call, message, session
from tests.live.search_paths import PATHS, force
from tests.reference import first_containing, positions
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

# Letters that fold in all ways there are, so that short random words hit each other often.
LETTERS = "abAB ßẞσςΣǅдДＡａ日\U00010428İı.%"
SESSIONS, ROUNDS = 12, 3

FILTERS: list[dict[str, str]] = [
    {}, {}, {}, {"role": "tool"}, {"role": "user"}, {"role": "assistant"}, {"tool_name": "Grep"},
    {"role": "tool", "tool_name": "Bash"}, {"role": "user", "tool_name": "Bash"}, {"session_id": "s3"},
    {"session_id": "s4", "role": "tool"},
]  # fmt: skip

Hit = tuple[str, int, str]


def tool(ordinal: int) -> str:
    return ("Bash", "Grep")[ordinal % 2]


@pytest.fixture
async def own(server: Server) -> AsyncIterator[AsyncClickHouseStore]:
    """A store on a database of its own, whose parts can be merged without disturbing anybody."""
    name = f"agentstore_test_{uuid.uuid4().hex[:12]}"
    async with AsyncClickHouseStore(server.dsn, database=name) as store:
        await store.ensure_schema()
        yield store
    connection = await dial(store.options, "default")
    await connection.fetch(drop_database(name), {}, timeout=60)
    await connection.close()


class World:
    """What was written, kept plainly."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.messages: dict[tuple[str, int], str] = {}
        self.calls: dict[tuple[str, int], tuple[str, str]] = {}
        self.deleted: set[str] = set()

    def text(self) -> str:
        words = ["".join(self.rng.choices(LETTERS, k=self.rng.randrange(1, 8))) for _ in range(self.rng.randrange(8))]
        return " ".join(words) * self.rng.choice((1, 1, 40))

    async def change(self, store: AsyncClickHouseStore) -> None:
        """Write, rewrite, rewind and delete some sessions."""
        for id in self.rng.sample(range(SESSIONS), SESSIONS // 2):
            name = f"s{id}"
            replace = self.rng.random() < 0.5
            written = {n: self.text() for n in range(self.rng.randrange(6))}
            called = {n: (self.text(), self.text()) for n in range(self.rng.randrange(4))}
            if replace:
                self.messages = {key: text for key, text in self.messages.items() if key[0] != name}
                self.calls = {key: texts for key, texts in self.calls.items() if key[0] != name}
            self.messages |= {(name, n): text for n, text in written.items()}
            self.calls |= {(name, n): texts for n, texts in called.items()}
            rows: list[Message] = [message(n, text) for n, text in written.items()]
            calls: list[ToolCall] = [
                call(n, tool_use_id="t", tool_name=tool(n), input_json=given, result_content=result)
                for n, (given, result) in called.items()
            ]
            started = None if id == 3 else at(minute=id % 5)
            await store.write_session("o", session(name, started_at=started), rows, calls, replace=replace)
        marked = f"s{self.rng.randrange(SESSIONS)}"
        self.deleted.add(marked)
        await store.write_session_deletes("o", [SessionDelete(session_id=marked)])

    def expected(self, needle: str) -> list[Hit]:
        found = [(id, n, "user") for (id, n), text in self.messages.items() if positions(text, needle)]
        found += [(id, n, "tool") for (id, n), texts in self.calls.items() if first_containing(texts, needle)]
        found = [hit for hit in found if hit[0] not in self.deleted]
        found.sort(key=lambda hit: (hit[1], hit[2] == "tool"))
        found.sort(key=lambda hit: hit[0], reverse=True)
        return sorted(found, key=lambda hit: -1 if hit[0] == "s3" else int(hit[0][1:]) % 5, reverse=True)

    def filter(self) -> dict[str, str]:
        return self.rng.choice(FILTERS)

    def needle(self) -> str:
        sources = [text for text in (*self.messages.values(), *sum(self.calls.values(), ())) if text] or ["a"]
        source = self.rng.choice(sources)
        start = self.rng.randrange(len(source))
        return source[start : start + self.rng.choice((1, 2, 3, 3, 4, 5, 9, 60))].swapcase() or "a"


def kept(hit: Hit, filter: dict[str, str]) -> bool:
    """Whether the filter leaves a hit: messages are the user's, tool calls are of a tool named by their ordinal."""
    id, ordinal, role = hit
    named = "tool_name" not in filter or (role == "tool" and filter["tool_name"] == tool(ordinal))
    return named and filter.get("role", role) == role and filter.get("session_id", id) == id


async def has_indexes(store: AsyncClickHouseStore) -> bool:
    return parts.read_answer(await store._open_pool.fetch(parts.query())).has_indexes


async def walked(store: AsyncClickHouseStore, needle: str, limit: int, filter: dict[str, Any]) -> list[Hit]:
    found, cursor, total = list[Hit](), "", -1
    while True:
        page = await store.search("o", SearchQuery(query=needle, limit=limit, cursor=cursor, **filter))
        found += [(hit.session_id, hit.ordinal, hit.role) for hit in page.results]
        assert total in (-1, page.total)
        total, cursor = page.total, page.next_cursor
        if not cursor:
            assert total == len(found)
            return found


async def merge(store: AsyncClickHouseStore) -> None:
    for table in ("messages", "tool_calls"):
        await store._open_pool.execute(Sql(f"OPTIMIZE TABLE {table} FINAL"))


async def test_search_is_a_plain_scan_in_every_state_of_the_parts(own: AsyncClickHouseStore) -> None:
    world = seeded()
    for state in range(ROUNDS):
        await next_state(own, world, state)
        for _ in range(8):
            await compare(own, world, state)


async def test_every_way_of_a_search_is_a_plain_scan(
    own: AsyncClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = seeded()
    taken: Counter[str] = Counter()
    for state in range(ROUNDS):
        await next_state(own, world, state)
        # The needles drawn may all be short, or nowhere.
        sure = next(text for text in (*world.messages.values(), *sum(world.calls.values(), ())) if len(text) > 2)[:3]
        for path in PATHS:
            with monkeypatch.context() as forced:
                ways = force(path, forced, most=world.rng.choice((1, 4, 9)))
                for _ in range(2):
                    await compare(own, world, (state, path))
                assert await walked(own, sure, 1000, {}) == world.expected(sure), (state, path)
                taken += ways
    assert set(taken) == set(PATHS) or not await has_indexes(own)


def seeded() -> World:
    # Drawn here: a name drawn while collecting would be another one when the test is run alone.
    seed = random.randrange(10**6)
    print("seed", seed)
    return World(random.Random(seed))


async def next_state(store: AsyncClickHouseStore, world: World, state: int) -> None:
    await world.change(store)
    if state == 1:
        await merge(store)  # from here on some parts are indexed and newer ones are not


async def compare(store: AsyncClickHouseStore, world: World, state: object) -> None:
    needle, filter = world.needle(), world.filter()
    expected = [hit for hit in world.expected(needle) if kept(hit, filter)]
    found = await walked(store, needle, world.rng.choice((1, 3, 1000)), filter)
    assert found == expected, (state, needle, filter)


async def test_the_keys_of_a_look_are_rows(own: AsyncClickHouseStore) -> None:
    """In parts of every kind, with several calls to a message: columns that do not belong together are no row's."""
    pool, held = own._open_pool, set[tuple[object, ...]]()
    for state in range(6):
        written = [(f"s{state}{n}", n, f"t{n}-{index}", index) for n in range(3) for index in range(n + 1)]
        sessions = [session(id) for id in {id for id, *_ in written}]
        calls = [
            call(ordinal, session_id=id, tool_use_id=tool, call_index=index, result_content="an error")
            for id, ordinal, tool, index in written
        ]
        await own.write_batch("o", sessions, [], calls)
        held |= set(written)
        if state == 2:
            await merge(own)
        if not await has_indexes(own):
            pytest.skip("this server has no text indexes: nothing is looked at there")
        parsed = ParsedQuery("o", (Term("error"),), session_conditions("o"), searched_tables("", ""))
        tables = parts.read_answer(await pool.fetch(parts.query())).sizes
        query = look_up(parsed, parsed.tables[1], tables, keys=128, count=1000)
        ((_, found, *columns),) = zip(*await pool.fetch(query, LOOK), strict=True)
        assert found >= len(held)  # one that is merged just now may come twice
        assert set(zip(*columns, strict=True)) == held


async def test_a_rare_needle_reads_few_rows_and_an_absent_one_none(own: AsyncClickHouseStore) -> None:
    rows = 20_000
    texts = [message(n, f"{'filler ' * 20}{n}", session_id="s") for n in range(rows)]
    texts[777] = message(777, "here the Quokka sleeps", session_id="s")
    await own.write_batch("o", [session("s")], texts)
    await merge(own)
    pool = own._open_pool
    if not await has_indexes(own):
        pytest.skip("this server has no text indexes: search scans there")
    assert parts.read_answer(await pool.fetch(parts.query())).sizes["messages"].unindexed == ()
    for needle, most in (("quokka", 2), ("wombat", 0)):
        plan = await pool.fetch(
            sql(
                "EXPLAIN indexes = 1 SELECT ordinal FROM messages"
                " WHERE org_id = 'o' AND hasAllTokens(content, {needle})",
                needle=needle,
            )
        )
        granules = [line.split("Granules:")[1].strip() for line in plan[0] if "Granules:" in line]
        assert granules, plan
        assert int(granules[-1].split("/")[0]) <= most, granules
        page = await own.search("o", SearchQuery(query=needle))
        assert (page.total, [hit.ordinal for hit in page.results]) == ((1, [777]) if most else (0, []))
