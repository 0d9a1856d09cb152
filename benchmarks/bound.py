"""Searches beside one statement that scans the same texts for the same page: none may take 1.5 × that and 30 ms more.

Needles of all kinds over texts that are hard on an index: short messages from a small vocabulary, in which every
trigram is common; a needle that one in a thousand of its candidates holds; and a small organisation beside it. With
``--corpus`` also over a loaded corpus of benchmarks.corpus, whose texts are long.

    python -m benchmarks.bound --messages 300000 local:/tmp/bound
    python -m benchmarks.bound --corpus corpus local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import random
from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import Any

from agentstore import AsyncClickHouseStore, Message, SearchQuery, Session, ToolCall
from agentstore.connection.dial import new_pool
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Columns
from agentstore.read.conditions import EVERYTHING, session_conditions
from agentstore.read.search import pages, words_sql
from agentstore.read.search.index_lookup import IndexLookup
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.read_settings import SCAN
from agentstore.read.search.results import RowsToOpen, open_rows
from agentstore.read.search.searched_tables import searched_tables
from agentstore.read.search.substring_sql import hits
from agentstore.read.search.tokens import Term, parse
from benchmarks.baseline import NO_CACHE
from benchmarks.corpus import BIG_ORG, MEDIUM, PHRASE, RARE
from benchmarks.plain_tables import merge_parts
from benchmarks.timing import medians

# "delta" stands after "gamma" only, so that "alpha delta" is nowhere.
_WORDS = [
    "alpha",
    "beta",
    "gamma",
    "dog",
    "house",
    "tree",
    "night",
    "paper",
    "river",
    "stone",
    "cloud",
    "apple",
    "music",
]
_PER_SESSION, _SMALL_ORGS, _ROWS_PER_WRITE = 20, 1000, 5000
_START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HIDDEN = "gold silver"
SHORT = {
    "absent": "zzyzxnowhere",
    "absent, of common trigrams": "alpha delta",
    "one in a thousand candidates": HIDDEN,
    "rare": "quokkastorm",
    "medium": "wombat",
    "in every row": "alpha ",
    "two characters": "al",
    "two characters, absent": "zq",
}
LONG = {
    "absent": "zzyzxnowhere",
    "absent, of common trigrams": "the in the in the in",
    "rare": RARE,
    "rare, pasted phrase": PHRASE,
    "medium": MEDIUM,
    "in nearly every row": "the",
    "one in ten": "undefined: st",
    "two characters": "st",
    "two characters, absent": "zj",
}
FILTERS: dict[str, dict[str, str]] = {
    "": {},
    "a user's": {"user_id": "u7"},
    "tool calls": {"role": "tool"},
    "one tool": {"tool_name": "Grep"},
    "by words": {"mode": "words"},
}


class Uncached:
    """An executor whose server answers nothing from memory, and which counts statements."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.statements = 0

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        self.statements += 1
        return await self._pool.fetch(query, {**(settings or {}), **NO_CACHE})

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        await self._pool.execute(query, settings, timeout_seconds=timeout_seconds)


async def scanned(executor: Uncached, org_id: str, query: SearchQuery) -> None:
    """One statement that finds the hits in the plainest way; and their page opened, as any search has to."""
    sessions = session_conditions(org_id, equal={"user_id": query.user_id})
    tables = searched_tables(query.role, query.tool_name)
    if query.mode == "words":
        parsed = ParsedQuery(org_id, parse(query.query), sessions, tables)
        columns = (await executor.fetch(words_sql.ranked(parsed, EVERYTHING, None, count=51), SCAN))[1:7]
    else:
        parsed = ParsedQuery(org_id, (Term(query.query),), sessions, tables)
        columns = await executor.fetch(hits(parsed, EVERYTHING, None, count=1001), SCAN)
    keys = list(zip(*columns, strict=True))[: query.limit]
    await open_rows(executor, RowsToOpen(org_id, parsed.terms, sql("org_id = {org_id}", org_id=org_id), tables, keys))


async def table(pool: Pool, org_id: str, needles: Mapping[str, str], rounds: int) -> None:
    """One line for each needle and filter."""
    print(f"\n| {org_id}: needle | filter | scan | search | ratio | statements | within |")
    print("|---|---|---|---|---|---|---|")
    executor, missed = Uncached(pool), 0
    for (name, needle), (filter, fields) in product(needles.items(), FILTERS.items()):
        query = SearchQuery(query=needle, **fields)  # type: ignore[arg-type]
        index_lookup = IndexLookup(executor)
        plainly, ours = await medians(
            partial(scanned, executor, org_id, query), partial(pages.search, index_lookup, org_id, query), rounds=rounds
        )
        executor.statements = 0
        await pages.search(index_lookup, org_id, query)
        within = ours <= 1.5 * plainly + 0.030
        missed += not within
        print(
            f"| {name} | {filter} | {plainly * 1e3:,.1f} ms | {ours * 1e3:,.1f} ms | {ours / plainly:.2f} × |"
            f" {executor.statements} | {'yes' if within else 'NO'} |",
            flush=True,
        )
    print(f"\n{missed} beyond the bound")


def _text(rng: random.Random, number: int) -> str:
    # Every trigram of the absent phrase and of the hidden one stands in every text.
    text = " ".join(["alpha dog", "gamma delta", "gold", "old silver", "ld silk", *rng.choices(_WORDS, k=7)])
    text += f" {HIDDEN}" if number % 1000 == 3 else ""
    text += " quokkastorm" if number % 10_000 == 7 else ""
    return text + (" wombat" if number % 100 == 1 else "")


async def fill(store: AsyncClickHouseStore, count: int) -> None:
    """Short messages and, for each fourth, a tool call with the same text; and a thousand small organisations."""
    rng = random.Random(11)
    sessions, messages, calls = [], list[Message](), list[ToolCall]()
    id = ""
    for number in range(count):
        index, ordinal = divmod(number, _PER_SESSION)
        if not ordinal:
            id = f"{rng.getrandbits(64):016x}"
            started = _START + dt.timedelta(minutes=index)
            sessions.append(Session(id=id, user_id=f"u{index % 50}", started_at=started, user_message_count=1))
        text = _text(rng, number)
        messages.append(Message(ordinal=ordinal, session_id=id, role="user", content=text))
        if ordinal % 4 == 0:
            name = "Grep" if ordinal % 8 == 0 else "Bash"
            calls.append(ToolCall(ordinal, session_id=id, tool_use_id="t", tool_name=name, result_content=text))
        if len(messages) >= _ROWS_PER_WRITE:
            await store.write_batch("huge", sessions, messages, calls)
            sessions, messages, calls = [], [], []
    await store.write_batch("huge", sessions, messages, calls)
    one = Session(id="s", started_at=_START, user_message_count=1)
    for number in range(_SMALL_ORGS):
        await store.submit_batch(f"org{number}", [one], [Message(0, session_id="s", role="user", content="alpha dog")])


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="a DSN, such as local:/tmp/bound")
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corpus", default="", help="the database of a loaded corpus, to ask that instead")
    options = parser.parse_args()
    database = options.corpus or "bound"
    async with AsyncClickHouseStore(options.target, database=database, query_timeout_seconds=3600) as store:
        pool = new_pool(store.options)
        try:
            if options.corpus:
                await table(pool, BIG_ORG, LONG, options.rounds)
                return
            await store.reset_database(store.options.database)
            await fill(store, options.messages)
            for name in ("sessions", "messages", "tool_calls"):
                await merge_parts(pool, name)
            await table(pool, "huge", SHORT, options.rounds)
            await table(pool, "org77", SHORT, options.rounds)
        finally:
            await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
