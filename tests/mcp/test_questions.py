"""Ten questions about other people's transcripts, answered through the tools alone, each within 6,000 characters.

The answers are checked against a plain reading of the files, which knows nothing of the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.asking import Agent, agent, handles
from tests.mcp.conftest import TRANSCRIPTS

MOST = 6000
CLAUDE = TRANSCRIPTS / "claude-code"


def records() -> Iterator[tuple[Path, dict[str, Any]]]:
    """All records of Claude Code's files."""
    for path in sorted(CLAUDE.rglob("*.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("{"):
                try:
                    yield path, json.loads(line)
                except ValueError:
                    continue


def blocks(kind: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for _, record in records():
        message = record.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == kind:
                yield record, block


def sessions_that(tool: str, path_end: str) -> set[str]:
    """The sessions in which a tool was called with a path that ends so."""
    return {
        record["sessionId"]
        for record, block in blocks("tool_use")
        if block["name"] == tool and str(block["input"].get("file_path", "")).endswith(path_end)
    }


async def who_wrote_a_file(ask: Agent) -> None:
    told = await ask("file_history", path="cmd/entire/cli/stringutil/stringutil.go", project="*", did=["write"])
    assert {one.split("#")[0] for one in handles(told)} == sessions_that("Write", "cli/stringutil/stringutil.go")


async def what_was_the_prompt_for_it(ask: Agent) -> None:
    (handle,) = handles(
        await ask("file_history", path="cmd/entire/cli/stringutil/stringutil.go", project="*", did=["write"])
    )
    told = await ask("open", handle=handle.split("#")[0])
    said = [
        record["message"]["content"]
        for _, record in records()
        if record.get("type") == "user" and record.get("sessionId") == handle.split("#")[0] and not record.get("isMeta")
        and isinstance(record["message"]["content"], str)
    ]  # fmt: skip
    assert said
    assert any(text.strip().split("\n")[0][:60] in told for text in said)


async def which_sessions_edited_a_file(ask: Agent) -> None:
    told = await ask("file_history", path="cmd/entire/cli/setup.go", project="*", did=["edit"], limit=20)
    main = {one.split("#")[0].split(":")[0] for one in handles(told)}
    assert main == sessions_that("Edit", "cmd/entire/cli/setup.go")


async def where_an_error_was_seen(ask: Agent) -> None:
    told = await ask("search", query="printMissingAgentError", project="*", limit=10)
    found = {one.split("#")[0].split(":")[0] for one in handles(told)}
    plain = {record.get("sessionId") for _, record in records() if "printMissingAgentError" in json.dumps(record)}
    assert found
    assert found <= plain


async def what_was_said_there(ask: Agent) -> None:
    told = await ask("search", query="follow same pattern as printMissinAgentError", project="*", role="user")
    text = await ask("open", handle=handles(told)[0], around=0)
    assert "implement the printWrngAgentError, follow same pattern as printMissinAgentError" in text


async def what_was_answered_to_it(ask: Agent) -> None:
    told = await ask("search", query="follow same pattern as printMissinAgentError", project="*", role="user", limit=1)
    text = await ask("open", handle=handles(told)[0], around=2, characters=3000)
    assert re.search(r"^#\d+ assistant ", text, re.MULTILINE)


async def which_models_were_used(ask: Agent) -> None:
    told = await ask("usage", by="model", project="*", limit=50)
    responses: dict[str, set[str]] = {}
    for _, record in records():
        if record.get("type") == "assistant" and record["message"].get("usage"):
            responses.setdefault(record["message"].get("model", ""), set()).add(record["message"].get("id", ""))
    often = {model for model, ids in responses.items() if len(ids) >= 10} - {"<synthetic>"}
    assert often
    assert {model for model in often if f"> {model}\n" in told} == often


async def how_many_sessions_of_a_project(ask: Agent) -> None:
    told = await ask("sessions", project="session-share")
    assert re.match(r"(\d+) of (\d+) sessions", told)
    ids = {record["sessionId"] for path, record in records() if "session-share" in str(record.get("cwd", ""))}
    assert {line.split(" ")[0] for line in told.split("\n") if "messages" in line and not line.startswith(">")} <= ids


async def what_came_of_a_commit(ask: Agent) -> None:
    made = next(
        found[1]
        for _, block in blocks("tool_result")
        if (found := re.search(r"^\[[\w/.-]+ ([0-9a-f]{7,})\] ", str(block.get("content")), re.MULTILINE))
    )
    told = await ask("commit", commit=made)
    plain = {
        record["sessionId"] for record, block in blocks("tool_result") if f" {made}] " in str(block.get("content"))
    }
    assert {one.split("#")[0].split(":")[0] for one in handles(told)} <= plain
    assert handles(told)


async def what_a_long_result_says_in_its_middle(ask: Agent) -> None:
    texts = [(record, block["content"]) for record, block in blocks("tool_result")
             if isinstance(block.get("content"), str) and not record.get("isSidechain")]  # fmt: skip
    record, whole = max(texts, key=lambda one: len(one[1]))
    assert len(whole) > 10_000
    needle = whole[len(whole) // 2 : len(whole) // 2 + 200].strip().split("\n")[0][:40].strip()
    told = await ask("search", query=needle, project="*", session=record["sessionId"], limit=3)
    text = await ask("open", handle=handles(told)[0], around=0, find=needle, characters=2500)
    assert needle.split()[0] in text


QUESTIONS: list[Callable[[Agent], Awaitable[None]]] = [
    who_wrote_a_file, what_was_the_prompt_for_it, which_sessions_edited_a_file, where_an_error_was_seen,
    what_was_said_there, what_was_answered_to_it, which_models_were_used, how_many_sessions_of_a_project,
    what_came_of_a_commit, what_a_long_result_says_in_its_middle,
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
async def test_a_question_takes_few_characters(
    transcripts: tuple[Path, str], question: Callable[[Agent], Awaitable[None]]
) -> None:
    home, dsn = transcripts
    async with agent(home, dsn) as ask:
        await question(ask)
        print(question.__name__, ask.read)
        assert 0 < ask.read <= MOST
