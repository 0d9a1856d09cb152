"""What floors cost the reads: the same statements with and without asking for them, in turns, on one corpus.

Floors hide what a replace or a removal took away (``agentstore/read/floors.py``); they are swept away after about forty
minutes of life, so their number is that of the sessions replaced since. The benchmark sets so many on sessions of the
corpus, at version 1, which hides nothing: both sides return the same.

python -m benchmarks.floors local:/tmp/corpus --floors 0 500 5000
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from unittest import mock

from agentstore import AsyncClickHouseStore, SearchQuery, SessionFilter
from agentstore.connection.dial import new_pool
from agentstore.connection.pool import Pool
from agentstore.connection.sql import Sql, sql
from benchmarks.corpus import BIG_ORG, RARE
from benchmarks.search import NEEDLES
from benchmarks.timing import Run, medians


def _everything(*_: object, **__: object) -> Sql:
    return sql("1")


def _moments(org_id: str, sessions: Sql, also: Sql | None = None) -> Sql:
    return sql(
        "SELECT id, toUnixTimestamp64Micro(started_at) AS moment, 0 AS floor{also} FROM sessions FINAL"
        " WHERE {sessions}",
        sessions=sessions,
        also=sql(", {also}", also=also) if also else Sql(""),
    )


def _no_floor(org_id: str, among: Sql) -> Sql:
    return sql("toUInt64(0)")


def _calls(org_id: str, ids: tuple[str, ...], keys: Sql) -> Sql:
    return sql(
        "SELECT 'calls', session, min(_version), count(), '' FROM tool_call_facts FINAL"
        " WHERE org_id = {org_id} AND session IN {keys} GROUP BY session",
        org_id=org_id,
        keys=keys,
    )


# Where the statements ask for floors, and what stood there before there were any.
_BEFORE = {
    "agentstore.read.messages.above_floor": _everything,
    "agentstore.read.session_rows.floors_and_calls": _calls,
    "agentstore.read.search.results.moments": _moments,
    "agentstore.read.search.results.floor_of_row": _no_floor,
    "agentstore.read.search.substring_sql.moments": _moments,
    "agentstore.read.search.words_sql.moments": _moments,
    "agentstore.read.analytics.above_floors": _everything,
}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a loaded corpus")
    parser.add_argument("--database", default="corpus")
    parser.add_argument("--floors", type=int, nargs="+", default=[0, 500, 5000])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    async with AsyncClickHouseStore(options.target, database=options.database) as store:
        pool = new_pool(store.options)
        try:
            for count in options.floors:
                await _set_floors(pool, count)
                print(f"\n{count:,} floors\n\n| read | without | with | ratio |\n|---|---|---|---|")
                for name, run in (await _reads(store)).items():
                    without, asked = await medians(partial(_without_floors, run), run, rounds=options.rounds)
                    print(f"| {name} | {without * 1e3:.1f} ms | {asked * 1e3:.1f} ms | {asked / without:.2f} × |")
            await _set_floors(pool, 0)
        finally:
            await pool.aclose()


async def _without_floors(run: Run) -> object:
    patches = [mock.patch(name, before) for name, before in _BEFORE.items()]
    for patch in patches:
        patch.start()
    try:
        return await run()
    finally:
        for patch in patches:
            patch.stop()


async def _set_floors(pool: Pool, count: int) -> None:
    await pool.execute(sql("TRUNCATE TABLE session_floors"))
    if count:
        await pool.execute(
            sql(
                "INSERT INTO session_floors (org_id, scope, session_id, _version) SELECT org_id, scope, id, 1"
                " FROM (SELECT org_id, id FROM sessions FINAL WHERE org_id = {org} LIMIT {count}) AS s"
                " ARRAY JOIN ['content', 'marks'] AS scope",
                org=BIG_ORG,
                count=count,
            )
        )


async def _reads(store: AsyncClickHouseStore) -> dict[str, Callable[[], Awaitable[object]]]:
    page = await store.list_sessions(BIG_ORG)
    longest = max(page.sessions, key=lambda session: session.message_count).id

    def search(text: str) -> Callable[[], Awaitable[object]]:
        return lambda: store.search(BIG_ORG, SearchQuery(query=text))

    return {
        "list_sessions": lambda: store.list_sessions(BIG_ORG, SessionFilter()),
        "get_session": lambda: store.get_session(BIG_ORG, longest),
        "get_session_messages": lambda: store.get_session_messages(BIG_ORG, longest),
        "get_session_tool_calls": lambda: store.get_session_tool_calls(BIG_ORG, longest),
        **{f"search, {name}": search(needle) for name, (needle, _) in NEEDLES.items()},
        "search by words, rare": lambda: store.search(BIG_ORG, SearchQuery(query=RARE, mode="words")),
        "usage_by_user": lambda: store.usage_by_user(BIG_ORG),
        "tool_usage_distribution": lambda: store.tool_usage_distribution(BIG_ORG),
        "token_usage_by_model": lambda: store.token_usage_by_model(BIG_ORG),
    }


if __name__ == "__main__":
    asyncio.run(main())
