"""A long session in parts (``agentstore/read/windows.py``), beside the cheapest statement there is and all of it.

Makes a session of 5,000 messages and 50 MB of text, and beside it others with as many messages, for the tables to have
more than it.

python -m benchmarks.windows local:/tmp/windows
"""

from __future__ import annotations

import argparse
import asyncio
import random

from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, Message, Session, SessionFilter, ToolCall
from agentstore.connection.dial import new_pool
from agentstore.connection.sql import sql
from benchmarks.timing import Run, medians

ORG, LONG, MESSAGES, OTHERS = "windows", "long", 5000, 500
_SUBAGENTS = 20
_CHARACTERS = 5000  # of a message, and of the call that every second one has
_WORDS = ("the", "quick", "brown", "fox", "def", "return", "self", "import", "class", "検索", "→", "None", "of", "all")


def transcript(rng: random.Random, id: str, messages: int, characters: int) -> tuple[list[Message], list[ToolCall]]:
    """Messages with texts of about so many characters; every second one has a tool call with a text twice as long."""

    def text(length: int) -> str:
        return " ".join(rng.choices(_WORDS, k=length // 5))

    said = [
        Message(
            ordinal=n,
            session_id=id,
            role="assistant" if n % 2 else "user",
            content=(content := text(characters)),
            content_length=len(content),
            model="claude-opus-4-5",
            output_tokens=100,
            source_id=f"{id}-{n}",
        )
        for n in range(messages)
    ]
    calls = [
        ToolCall(
            message_ordinal=n,
            session_id=id,
            tool_use_id=f"t{n}",
            tool_name="Bash",
            input_json="{}",
            result_content=(result := text(characters * 2)),
            result_content_length=len(result),
            is_error=not n % 50,
        )
        for n in range(0, messages, 2)
    ]
    return said, calls


async def fill(store: AsyncClickHouseStore) -> None:
    """Once."""
    await store.ensure_schema()
    if await store.get_sessions(ORG, [LONG]):
        return
    rng = random.Random(18)
    for n in range(OTHERS):
        id = f"other{n:03}"
        said, calls = transcript(rng, id, 100, 200)
        session = Session(id, user_message_count=1)
        if n < _SUBAGENTS:
            session = replace(session, parent_session_id=LONG, relationship_type="subagent")
        await store.write_session(ORG, session, said, calls)
    said, calls = transcript(rng, LONG, MESSAGES, _CHARACTERS)
    await store.write_session(ORG, Session(LONG, user_message_count=1), said, calls)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a store to fill")
    parser.add_argument("--database", default="windows")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    async with AsyncClickHouseStore(options.target, database=options.database) as store:
        await fill(store)
        pool = new_pool(store.options)
        try:
            ids = [one.id for one in (await store.list_sessions(ORG, SessionFilter(limit=50))).sessions]
            sides: dict[str, Run] = {
                "SELECT 1": lambda: pool.fetch(sql("SELECT 1")),
                "session_outline": lambda: store.session_outline(ORG, LONG),
                "session_window, the last 60 messages": lambda: store.session_window(
                    ORG, LONG, first_ordinal=MESSAGES - 60, last_ordinal=MESSAGES
                ),
                "session_window, 60 in the middle": lambda: store.session_window(
                    ORG, LONG, first_ordinal=2500, last_ordinal=2559
                ),
                "message_text": lambda: store.message_text(ORG, LONG, 2500),
                "get_session": lambda: store.get_session(ORG, LONG),
                "list_children": lambda: store.list_children(ORG, [LONG]),
                "session_files": lambda: store.session_files(ORG, LONG),
                "session_costs, it": lambda: store.session_costs(ORG, [LONG]),
                "session_costs, a list of 50": lambda: store.session_costs(ORG, ids),
                "cost_by session": lambda: store.cost_by(ORG, "session"),
                "list_git_links": lambda: store.list_git_links(ORG),
                "all its messages and calls": lambda: _whole(store),
            }
            times = await medians(*sides.values(), rounds=options.rounds)
        finally:
            await pool.aclose()
    print("| read | median |\n|---|---|")
    for name, seconds in zip(sides, times, strict=True):
        print(f"| {name} | {seconds * 1e3:,.1f} ms |")


async def _whole(store: AsyncClickHouseStore) -> None:
    await asyncio.gather(store.get_session_messages(ORG, LONG), store.get_session_tool_calls(ORG, LONG))


if __name__ == "__main__":
    asyncio.run(main())
