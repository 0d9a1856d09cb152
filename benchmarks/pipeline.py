"""A worker's pipeline beside as many tasks that each await their writes: the same sessions, in turns.

python -m benchmarks.pipeline local:/tmp/pipeline
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import uuid

from agentstore import AsyncClickHouseStore, Message, Session, ToolCall
from benchmarks.timing import medians

_AT_ONCE = 64


def records(id: str) -> tuple[Session, list[Message], list[ToolCall]]:
    """A session of 20 messages and 10 tool calls."""
    messages = [Message(ordinal=n, role="user", content=f"message {n} of {id} " * 10) for n in range(20)]
    calls = [ToolCall(message_ordinal=n, tool_name="Bash", input_json='{"command":"ls"}') for n in range(0, 20, 2)]
    return Session(id=id, user_message_count=1), messages, calls


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="a DSN; the rows go into organisations of their own")
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    made = [records(f"s{n}") for n in range(options.sessions)]
    runs = (f"pipeline-{uuid.uuid4().hex[:8]}-{n}" for n in itertools.count())
    async with AsyncClickHouseStore(options.target) as store:
        await store.ensure_schema()

        async def tasks() -> object:
            org, waiting = next(runs), iter(made)

            async def work() -> None:
                for one in waiting:
                    await store.write_session(org, *one)

            return await asyncio.gather(*(work() for _ in range(_AT_ONCE)))

        async def pipeline() -> object:
            org = next(runs)
            async with store.pipeline(max_in_flight=_AT_ONCE) as under_way:
                for one in made:
                    await under_way.write_session(org, *one)
            return None

        by_tasks, by_pipeline = await medians(tasks, pipeline, rounds=options.rounds)
    print(f"{_AT_ONCE} tasks: {options.sessions / by_tasks:,.0f} sessions/s")
    print(f"pipeline: {options.sessions / by_pipeline:,.0f} sessions/s, {by_tasks / by_pipeline:.2f} ×, ≥ 0.9")


if __name__ == "__main__":
    asyncio.run(main())
