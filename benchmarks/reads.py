"""Reads beside the plain SQL of ``baseline.py``: one run, one server, one corpus (see ``corpus.py``).

python -m benchmarks.reads local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio

from agentstore import AsyncClickHouseStore, SessionFilter
from agentstore.connection.dial import new_pool
from benchmarks.baseline import Baseline
from benchmarks.corpus import BIG_ORG
from benchmarks.timing import Run, compare

_DEEP_PAGE = 100


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a loaded corpus")
    parser.add_argument("--database", default="corpus")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    async with AsyncClickHouseStore(options.target, database=options.database) as store:
        pool = new_pool(store.options)
        try:
            await _table(store, Baseline(pool, BIG_ORG), options.rounds)
        finally:
            await pool.aclose()


async def _table(store: AsyncClickHouseStore, baseline: Baseline, rounds: int) -> None:
    page = await store.list_sessions(BIG_ORG)
    longest = max(page.sessions, key=lambda session: session.message_count).id
    deep = page
    for _ in range(_DEEP_PAGE - 2):
        if deep.next_cursor:
            deep = await store.list_sessions(BIG_ORG, SessionFilter(cursor=deep.next_cursor))
    far = SessionFilter(cursor=deep.next_cursor)
    print(f"{page.total:,} sessions of {BIG_ORG!r}\n")
    print("| read | plain SQL | agentstore | faster | target |\n|---|---|---|---|---|")
    rows: list[tuple[str, Run, Run, str]] = [
        ("get_session", lambda: baseline.get_session(longest), lambda: store.get_session(BIG_ORG, longest), "5"),
        ("list_sessions, page 1", baseline.list_sessions, lambda: store.list_sessions(BIG_ORG), "3"),
        (
            f"list_sessions, page {_DEEP_PAGE}",
            lambda: baseline.list_sessions(skip=50 * (_DEEP_PAGE - 1)),
            lambda: store.list_sessions(BIG_ORG, far),
            "3",
        ),
        (
            "get_session_messages",
            lambda: baseline.get_session_messages(longest),
            lambda: store.get_session_messages(BIG_ORG, longest),
            "2",
        ),
        ("usage_by_user", baseline.usage_by_user, lambda: store.usage_by_user(BIG_ORG), "1.5"),
        ("activity_heatmap", baseline.activity_heatmap, lambda: store.activity_heatmap(BIG_ORG), "1.5"),
        (
            "tool_usage_distribution",
            baseline.tool_usage_distribution,
            lambda: store.tool_usage_distribution(BIG_ORG),
            "1.5",
        ),
        ("daily_activity", baseline.daily_activity, lambda: store.daily_activity(BIG_ORG), "1.5"),
        ("token_usage_by_model", baseline.token_usage_by_model, lambda: store.token_usage_by_model(BIG_ORG), "1.5"),
    ]
    for name, plain, ours, target in rows:
        print((await compare(name, plain, ours, rounds=rounds)).row(f"≥ {target} ×"), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
