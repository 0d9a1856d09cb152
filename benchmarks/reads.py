"""Reads beside the plain SQL of ``baseline.py``: one run, one server, one corpus (see ``corpus.py``).

The plain SQL runs twice: over plain tables, as a first store has them, and over agentstore's own, which shows what is
owed to the tables and what to the queries.

python -m benchmarks.reads local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio
from functools import partial
from operator import methodcaller

from agentstore import SessionFilter
from agentstore.connection.sql import sql
from benchmarks.corpus import BIG_ORG
from benchmarks.sides import HEADER, Sides, open_sides
from benchmarks.timing import medians

_DEEP_PAGE = 100


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a loaded corpus")
    parser.add_argument("--database", default="corpus")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--merge", action="store_true", help="merge all parts first, which indexes them")
    options = parser.parse_args()
    async with open_sides(options.target, options.database, rounds=options.rounds, merge=options.merge) as sides:
        print(HEADER.format(what="read"))
        await _sessions(sides)
        await _analytics(sides)


async def _sessions(sides: Sides) -> None:
    store = sides.store
    page = await store.list_sessions(BIG_ORG)
    longest = max(page.sessions, key=lambda session: session.message_count).id
    deep = page
    for _ in range(_DEEP_PAGE - 2):
        if deep.next_cursor:
            deep = await store.list_sessions(BIG_ORG, SessionFilter(cursor=deep.next_cursor))
    far = SessionFilter(cursor=deep.next_cursor)
    skipped = 50 * (_DEEP_PAGE - 1)
    await sides.row(
        "get_session", lambda plain: plain.get_session(longest), lambda: store.get_session(BIG_ORG, longest), "≥ 1.3 ×"
    )
    await sides.row(
        "list_sessions, page 1", lambda plain: plain.list_sessions(), lambda: store.list_sessions(BIG_ORG), "≥ 3 ×"
    )
    await sides.row(
        f"list_sessions, page {_DEEP_PAGE}",
        lambda plain: plain.list_sessions(skip=skipped),
        lambda: store.list_sessions(BIG_ORG, far),
        "≥ 3 ×",
    )
    await sides.row(
        "get_session_messages",
        lambda plain: plain.get_session_messages(longest),
        lambda: store.get_session_messages(BIG_ORG, longest),
        "≥ 2 ×",
    )


async def _analytics(sides: Sides) -> None:
    # The plain SQL has methods of the same names.
    for name in (
        "usage_by_user",
        "activity_heatmap",
        "tool_usage_distribution",
        "daily_activity",
        "token_usage_by_model",
    ):
        await sides.row(name, methodcaller(name), partial(methodcaller(name, BIG_ORG), sides.store), "≥ 2 ×")
    await sides.row(
        "cost_by model", lambda plain: plain.cost_by(), lambda: sides.store.cost_by(BIG_ORG, "model"), "≥ 2 ×"
    )
    await _summary(sides)


async def _summary(sides: Sides) -> None:
    """The overview beside the slowest of its parts, and the engine's own floor: a statement that reads one row."""
    store = sides.store
    one, slowest, overview, nothing = await medians(
        lambda: sides.pool.fetch(sql("SELECT count() FROM session_facts WHERE org_id = ''")),
        lambda: store.cost_by(BIG_ORG, "model"),
        lambda: store.summary(BIG_ORG),
        lambda: sides.pool.fetch(sql("SELECT 1")),
        rounds=sides.rounds,
    )
    print(f"\nsummary: {overview * 1e3:,.1f} ms, {overview / slowest:,.2f} × cost_by ({slowest * 1e3:,.1f} ms), ≤ 2.5")
    print(f"SELECT 1: {nothing * 1e3:,.1f} ms; no row of a narrow table: {one * 1e3:,.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
