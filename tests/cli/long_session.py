"""A session of 5,000 messages, half of them with a tool call."""

from __future__ import annotations

import datetime as dt

from agentstore import AsyncClickHouseStore, GitLink, Message, Session, ToolCall

LONG = 5000
ID = "long-0001"
BEGUN = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)
# Of each message and of each result: forty megabytes in all.
SIZE = 5_000
LINE = "The tide comes twice a day, and later each day than the day before.\n"


async def write_long_session(dsn: str) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        await store.write_session("local", session(), messages(), calls())
        link = GitLink(session_id=ID, link_type="commit", confidence="high", message_ordinal=4001, commit_sha="4f9d2c7")
        await store.write_git_links("local", [link])


def session() -> Session:
    return Session(
        id=ID,
        user_id="ada",
        user_name="Ada",
        agent_type="claude-code",
        first_message="A long one",
        started_at=BEGUN,
        ended_at=BEGUN + dt.timedelta(seconds=LONG),
        message_count=LONG,
        user_message_count=LONG // 2,
    )


def messages() -> list[Message]:
    return [
        Message(
            ordinal=number,
            role="assistant" if number % 2 else "user",
            content=LINE * (SIZE // len(LINE)) + f"This is the end of message {number}.",
            timestamp=BEGUN + dt.timedelta(seconds=number),
            output_tokens=number % 2,
        )
        for number in range(LONG)
    ]


def calls() -> list[ToolCall]:
    result = LINE * (SIZE // len(LINE))
    return [
        ToolCall(
            message_ordinal=number,
            tool_use_id=f"call-{number}",
            tool_name="Bash",
            tool_category="Bash",
            input_json=f'{{"command":"sleep {number}"}}',
            result_content=result,
            result_content_length=len(result),
        )
        for number in range(1, LONG, 2)
    ]
