"""What the reads read: the tables, how many rows of them, and never a text that is not asked for.

The numbers are the server's own, of its plan for the statements that a read sends; they do not depend on its speed.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, SessionFilter
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Columns
from tests.builders import at, call, commit, message, session, touch
from tests.live.conftest import drop, new_name
from tests.reads import ReadsThrough
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

SESSIONS, MESSAGES = 6000, 5
# One granule for each of the parts there may be, and its neighbour, where a key's range begins.
FEW_SESSIONS, FEW_TEXTS, FEW_ROWS = 2 * 1024, 2 * 256, 2 * 32
# What an organisation has of sessions, in narrow copies (ddl/0011), and what is asked beside them.
NARROW = {"session_facts", "session_rows", "session_deletes", "session_floors", "model_prices"}
TEXTS = {"content", "input_json", "result_content", "token_usage"}

Read = Callable[[ReadsThrough], Awaitable[object]]


class Recorder:
    """Passes statements on, and keeps them."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.statements: list[Sql] = []

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        self.statements.append(query)
        return await self.pool.fetch(query, settings)

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        await self.pool.execute(query, settings, timeout_seconds=timeout_seconds)

    async def rows(self) -> Counter[str]:
        """Rows to read by table, over all statements."""
        found: Counter[str] = Counter()
        for statement in self.statements:
            columns = await self.pool.fetch(sql("EXPLAIN ESTIMATE {statement}", statement=statement))
            for _database, table, _parts, rows, _marks in zip(*columns, strict=True):
                found[table] += rows
        return found

    async def texts(self) -> set[str]:
        """The text columns that are read."""
        found = set()
        for statement in self.statements:
            plan = "\n".join((await self.pool.fetch(sql("EXPLAIN header = 1 {statement}", statement=statement)))[0])
            found |= TEXTS & set(re.findall(r"(?<!['\w])\w+", plan))
        return found


@pytest.fixture(scope="module")
def organisation(server: Server) -> Iterator[str]:
    """A database with many sessions of one organisation, merged."""
    name = new_name()
    asyncio.run(fill(server, name))
    yield name
    asyncio.run(drop(server, name))


@pytest.fixture
async def pool(server: Server, organisation: str) -> AsyncIterator[Pool]:
    """Connected to it."""
    async with AsyncClickHouseStore(server.dsn, database=organisation) as store:
        yield store._open_pool


async def fill(server: Server, database: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=database) as store:
        await store.ensure_schema()
        ids = [f"s{number:05}" for number in range(SESSIONS)]
        await store.write_git_links("o", [commit(id, f"{id[1:]}abcd") for id in ids])
        await store.write_file_touches("o", [touch(id, f"src/{id[:4]}.py") for id in ids])
        await store.write_batch(
            "o",
            [session(id, started_at=at(minute=number % 60)) for number, id in enumerate(ids)],
            [message(n, "text", session_id=id, output_tokens=1, model="m") for id in ids for n in range(MESSAGES)],
            [call(n, session_id=id, tool_use_id="t") for id in ids for n in range(MESSAGES)],
        )
        copies = ("session_facts", "session_rows", "message_facts", "tool_call_facts", "git_link_facts")
        for table in ("sessions", "messages", "tool_calls", "git_links", "file_touches", *copies):
            await store._open_pool.execute(Sql(f"OPTIMIZE TABLE {table} FINAL"))


ONE_SESSION: dict[str, tuple[Read, dict[str, int]]] = {
    "get_session": (
        lambda reads: reads.get_session("o", "s03000"),
        {"session_rows": FEW_ROWS, "git_link_facts": FEW_SESSIONS, "tool_call_facts": FEW_SESSIONS},
    ),
    "get_session_messages": (
        lambda reads: reads.get_session_messages("o", "s03000", after_ordinal=None, limit=None),
        {"messages": FEW_TEXTS},
    ),
    "get_session_tool_calls": (
        lambda reads: reads.get_session_tool_calls("o", "s03000"),
        {"tool_calls": FEW_TEXTS},
    ),
    "session_outline": (
        lambda reads: reads.session_outline("o", "s03000"),
        {"messages": FEW_TEXTS, "tool_calls": FEW_TEXTS},
    ),
    "session_window": (
        lambda reads: reads.session_window("o", "s03000", first_ordinal=1, last_ordinal=2),
        {"messages": FEW_TEXTS, "tool_calls": FEW_TEXTS},
    ),
    "message_text": (lambda reads: reads.message_text("o", "s03000", 2), {"messages": FEW_TEXTS}),
    "session_prompts": (lambda reads: reads.session_prompts("o", "s03000"), {"messages": FEW_TEXTS}),
    "session_costs": (
        lambda reads: reads.session_costs("o", ["s03000"]),
        {"session_facts": SESSIONS, "messages": FEW_TEXTS},
    ),
    "get_session_git_links": (
        lambda reads: reads.get_session_git_links("o", "s03000"),
        {"git_links": FEW_SESSIONS},
    ),
    "file_history": (
        lambda reads: reads.file_history("o", "src/s030.py", limit=1),
        {"file_touches": FEW_SESSIONS, "sessions": FEW_SESSIONS},
    ),
}
WHOLE_ORGANISATION: dict[str, tuple[Read, set[str]]] = {
    "list_sessions": (lambda reads: reads.list_sessions("o", SessionFilter()), {"git_link_facts", "tool_call_facts"}),
    "list_users": (lambda reads: reads.list_users("o"), set()),
    "list_projects": (lambda reads: reads.list_projects("o"), set()),
    "list_agents": (lambda reads: reads.list_agents("o"), set()),
    "lookup_git_links": (
        lambda reads: reads.lookup_git_links("o", sha="03000abcd", pr_url=""),
        {"git_links", "sessions"},
    ),
    "usage_by_user": (lambda reads: reads.usage_by_user("o"), {"git_link_facts"}),
    "activity_heatmap": (lambda reads: reads.activity_heatmap("o"), set()),
    "daily_activity": (lambda reads: reads.daily_activity("o"), set()),
    "tool_usage_distribution": (
        lambda reads: reads.tool_usage_distribution("o"),
        {"tool_call_facts"},
    ),
    "token_usage_by_model": (lambda reads: reads.token_usage_by_model("o"), {"message_facts"}),
    "cost_by": (lambda reads: reads.cost_by("o", "user"), {"message_facts"}),
    "summary": (lambda reads: reads.summary("o"), {"message_facts", "git_link_facts", "tool_call_facts"}),
}


@pytest.mark.parametrize("name", ONE_SESSION)
async def test_one_session_costs_what_it_is_and_not_its_organisation(pool: Pool, name: str) -> None:
    read, most = ONE_SESSION[name]
    # Once before: prices of models that nobody knows yet are learned, and then all is asked for a second time.
    await read(ReadsThrough(Recorder(pool)))
    recorder = Recorder(pool)
    assert await read(ReadsThrough(recorder))
    rows = await recorder.rows()
    assert rows.keys() == most.keys()
    assert all(0 < rows[table] <= most[table] for table in most), rows


@pytest.mark.parametrize("name", WHOLE_ORGANISATION)
async def test_an_organisation_costs_its_sessions_and_no_texts(pool: Pool, name: str) -> None:
    read, others = WHOLE_ORGANISATION[name]
    recorder = Recorder(pool)
    await read(ReadsThrough(recorder))
    assert (await recorder.rows()).keys() - NARROW == others
    assert await recorder.texts() == set()


async def test_messages_of_one_session_are_iterated_from_its_own_granules(pool: Pool) -> None:
    recorder = Recorder(pool)
    assert len([found async for found in ReadsThrough(recorder).iter_messages("o", "s03000")]) == MESSAGES
    assert 0 < (await recorder.rows())["messages"] <= FEW_TEXTS * len(recorder.statements)


async def test_the_recorder_sees_texts(pool: Pool) -> None:
    recorder = Recorder(pool)
    await ReadsThrough(recorder).get_session_messages("o", "s03000", after_ordinal=None, limit=None)
    assert await recorder.texts() == {"content", "token_usage"}


async def test_an_outline_reads_no_text(pool: Pool) -> None:
    recorder = Recorder(pool)
    assert len(await ReadsThrough(recorder).session_outline("o", "s03000")) == MESSAGES
    assert await recorder.texts() == set()


async def test_one_text_is_read_alone(pool: Pool) -> None:
    recorder = Recorder(pool)
    await ReadsThrough(recorder).message_text("o", "s03000", 2, part="input", tool_use_id="t", characters=1)
    assert await recorder.texts() == {"input_json"}
