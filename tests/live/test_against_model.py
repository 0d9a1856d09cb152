"""Random histories of writes, rewrites, removals and marks: every read agrees with plain dictionaries."""

from __future__ import annotations

import random

import pytest

from agentstore import AsyncClickHouseStore, Message, SearchQuery, Session, SessionDelete, SessionFilter, ToolCall
from tests.builders import at, call, message, session
from tests.live.model import Model

LETTERS = ["a", "A", "b", "ä", "Ä", "ß", "ẞ", "ς", "σ", "Σ", "ſ", "s", "日", "😀", "%", "_", "\\", "'", "\n", "\0", " "]
IDS = ["s1", "s2", "S1", "ä", "'; --"]
STEPS = 30
NEEDLES = 25


class Author:
    """Makes up records, deterministically from its seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, longest: int = 12) -> str:
        longest = self.random.choice([longest, longest, longest, 450])
        return "".join(self.random.choices(LETTERS, k=self.random.randrange(longest + 1)))

    def session(self, id: str) -> Session:
        return session(
            id,
            started_at=self.random.choice([None, at(1), at(1, micro=1), at(2)]),
            user_message_count=self.random.choice([0, 1, 1, 1]),
            parent_session_id=self.random.choice(["", "", "s1"]),
            relationship_type=self.random.choice(["", "", "continuation", "subagent", "fork"]),
            user_name=self.text(),
            agent_type=self.random.choice(["codex", "claude"]),
        )

    def messages(self, id: str = "") -> list[Message]:
        ordinals = self.random.sample(range(6), k=self.random.randrange(5))
        roles = ["user", "assistant"]
        return [message(n, self.text(), session_id=id, role=self.random.choice(roles)) for n in ordinals]

    def calls(self, id: str = "") -> list[ToolCall]:
        keys = [(ordinal, name, index) for ordinal in range(4) for name in ("t1", "T2") for index in range(2)]
        return [
            call(
                n, session_id=id, tool_use_id=name, call_index=index, input_json=self.text(), result_content=self.text()
            )
            for n, name, index in self.random.sample(keys, k=self.random.randrange(5))
        ]


async def step(author: Author, store: AsyncClickHouseStore, model: Model) -> None:
    """One random write, to the store and to the model."""
    org, id = model.org, author.random.choice(IDS)
    kind = author.random.choice(["write", "write", "replace", "batch", "mark", "unmark", "delete"])
    if kind in ("write", "replace"):
        one, messages, calls = author.session(id), author.messages(), author.calls()
        await store.write_session(org, one, messages, calls, replace=kind == "replace")
        model.write_session(one, messages, calls, replace=kind == "replace")
    elif kind == "batch":
        other = author.random.choice(IDS)
        sessions = [author.session(id) for _ in range(author.random.randrange(2))]
        messages, calls = author.messages(id) + author.messages(other), author.calls(other)
        await store.write_batch(org, sessions, messages, calls)
        model.write_batch(sessions, messages, calls)
    elif kind == "mark":
        await store.write_session_deletes(org, [SessionDelete(session_id=id)])
        model.marked.add(id)
    elif kind == "unmark":
        await store.remove_session_deletes(org, [SessionDelete(session_id=id)])
        model.marked.discard(id)
    else:
        await store.delete_sessions(org, [id])
        model.delete_sessions([id])


@pytest.mark.parametrize("round", range(2))
async def test_a_random_history(store: AsyncClickHouseStore, org: str, round: int) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # shown where the test fails
    author, model = Author(seed), Model(org)
    for _ in range(STEPS):
        await step(author, store, model)
    for subagents in (False, True):
        for deleted in (False, True):
            asked = SessionFilter(include_subagents=subagents, include_deleted=deleted)
            page = await store.list_sessions(org, asked)
            expected = model.list_sessions(include_subagents=subagents, include_deleted=deleted)
            assert (page.sessions, page.total) == (expected, len(expected))
    for id in IDS:
        assert await store.get_session_messages(org, id) == model.get_session_messages(id)
        assert await store.get_session_tool_calls(org, id) == model.get_session_tool_calls(id)
    assert {mark.session_id for mark in await store.list_session_deletes(org)} == model.marked
    for _ in range(NEEDLES):
        needle = "".join(author.random.choices(LETTERS, k=author.random.choice([1, 1, 2, 2, 3])))
        hits = await store.search(org, SearchQuery(query=needle, limit=1000))
        results = model.search(needle)
        assert (hits.results, hits.total) == (results, len(results)), needle
