"""Which edit calls of a file are stored, and which of them found no file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore, FileTouch, Message, Session, ToolCall
from agentstore.blame import touching
from agentstore.blame.touching import edits_of
from agentstore.models import FileOperation
from tests.builders import at
from tests.local.server_processes import end_all_servers

ORG = "touching"


@pytest.fixture
async def store() -> AsyncIterator[AsyncClickHouseStore]:
    home = Path(tempfile.mkdtemp(prefix="agentstore-touching-"))
    try:
        async with AsyncClickHouseStore(f"local:{home / 'store'}") as opened:
            await opened.ensure_schema()
            yield opened
    finally:
        end_all_servers(home)
        shutil.rmtree(home, ignore_errors=True)


async def touched(store: AsyncClickHouseStore, path: str, operations: list[FileOperation]) -> None:
    """A session that did this with the file, one call after the other."""
    session = Session(id=path, user_id="ada", agent_type="codex", started_at=at(0), message_count=len(operations),
                      user_message_count=1, project_id="p")  # fmt: skip
    messages = [
        Message(ordinal=number, session_id=path, role="assistant", content="I do it.", timestamp=at(number))
        for number in range(len(operations))
    ]
    calls = [
        ToolCall(message_ordinal=number, session_id=path, tool_use_id=f"c{number}", tool_name="Write",
                 input_json='{"content": "one line"}')
        for number in range(len(operations))
    ]  # fmt: skip
    await store.write_session(ORG, session, messages, calls)
    await store.write_file_touches(
        ORG,
        [
            FileTouch(path, path, operation, message_ordinal=number, tool_use_id=f"c{number}", touched_at=at(number))
            for number, operation in enumerate(operations)
        ],
    )


async def test_a_call_that_found_no_file(store: AsyncClickHouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await touched(store, "new.py", ["write", "edit", "write"])
    assert await fresh(store, "new.py") == [True, False, False]
    await touched(store, "again.py", ["edit", "delete", "write", "edit"])
    assert await fresh(store, "again.py") == [True, True, False]
    await touched(store, "read.py", ["read", "write", "delete", "read", "write"])
    assert await fresh(store, "read.py") == [False, False]
    # Where older touches were not looked at, nobody knows which is the first.
    monkeypatch.setattr(touching, "_PAGE", 2)
    monkeypatch.setattr(touching, "_MOST_TOUCHES", 1)
    assert await fresh(store, "new.py") == [False, False]


async def fresh(store: AsyncClickHouseStore, path: str) -> list[bool]:
    return [one.is_fresh for one in (await edits_of(store, ORG, "p", [path])).edits]
