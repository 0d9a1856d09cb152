"""Random histories of writes, rewrites, removals and marks: every read agrees with plain dictionaries."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from agentstore import (
    AsyncClickHouseStore,
    Changes,
    FileTouch,
    Message,
    SearchQuery,
    Session,
    SessionDelete,
    SessionFilter,
    SessionStar,
    ToolCall,
)
from tests.builders import at, call, commit, message, session, touch
from tests.live.copies import differences
from tests.live.model import Model

LETTERS = ["a", "A", "b", "ä", "Ä", "ß", "ẞ", "ς", "σ", "Σ", "ſ", "s", "日", "😀", "%", "_", "\\", "'", "\n", "\0", " "]
IDS = ["s1", "s2", "S1", "ä", "'; --"]
STEPS = 30
NEEDLES = 25
FILTERS = 40
PATHS = ["d/x", "d/é", "d'", "D/x"]
USERS, BRANCHES = ["", "u", "U"], ["", "main", "%", "_"]


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
            ended_at=self.random.choice([None, at(0), at(1), at(1, micro=2), at(3)]),
            user_id=self.random.choice(USERS),
            git_branch=self.random.choice(BRANCHES),
            project_path=self.random.choice(BRANCHES),
            display_name=self.text(),
            first_message=self.text(),
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

    def touches(self, id: str) -> list[FileTouch]:
        keys = self.random.sample([(n, path) for n in range(6) for path in PATHS], k=self.random.randrange(1, 5))
        return [
            touch(
                id, path, self.random.choice(("read", "edit", "move")), message_ordinal=n,
                touched_at=self.random.choice([None, at(1), at(1, micro=1)]),
            )
            for n, path in keys
        ]  # fmt: skip

    def filter(self) -> dict[str, Any]:
        """A filter of one to three conditions."""
        moment = [at(0), at(1), at(1, micro=1), at(1, micro=2), at(2), at(4), at().date(), at(day=6).date(), None]
        kinds: dict[str, Callable[[], Any]] = {
            **dict.fromkeys(("date_from", "date_to", "active_from", "active_to"), lambda: self.random.choice(moment)),
            **dict.fromkeys(("git_branch", "project_path"), lambda: self.random.choice(BRANCHES)),
            **dict.fromkeys(("user_id", "starred_by"), lambda: self.random.choice(USERS)),
            "id_prefix": lambda: self.random.choice(["s", "S", "'", "ä", "s1", "s_", "%"]),
            "parent_session_id": lambda: self.random.choice(["s1", "S1"]),
            "title": lambda: "".join(self.random.choices(LETTERS, k=self.random.choice([1, 1, 2]))),
            "with_commits": lambda: True,
            "agent_type": lambda: "codex",
        }
        chosen = self.random.sample(sorted(kinds), k=self.random.choice([1, 1, 2, 3]))
        flags = {name: self.random.random() < 0.5 for name in ("include_subagents", "include_deleted")}
        return {**{name: kinds[name]() for name in chosen}, **flags}


async def step(author: Author, store: AsyncClickHouseStore, model: Model) -> None:
    """One random write, to the store and to the model."""
    org, id = model.org, author.random.choice(IDS)
    kind = author.random.choice(
        ["write", "write", "replace", "parts", "batch", "mark", "unmark", "star", "link", "touch", "delete"]
    )
    if kind in ("write", "replace"):
        one, messages, calls = author.session(id), author.messages(), author.calls()
        await store.write_session(org, one, messages, calls, replace=kind == "replace")
        model.write_session(one, messages, calls, replace=kind == "replace")
    elif kind == "parts":
        since = await store.mark()
        for replace in (False, since):
            one, messages, calls = author.session(id), author.messages(), author.calls()
            await store.write_session(org, one, messages, calls, replace=replace)
            model.write_session(one, messages, calls, replace=replace is False)
    elif kind == "batch":
        other = author.random.choice(IDS)
        sessions = [author.session(id) for _ in range(author.random.randrange(2))]
        messages, calls = author.messages(id) + author.messages(other), author.calls(other)
        await store.write_batch(org, sessions, messages, calls)
        model.write_batch(sessions, messages, calls)
    elif kind == "mark":
        await store.write_session_deletes(org, [SessionDelete(session_id=id)])
        model.set("marked", id)
    elif kind == "unmark":
        await store.remove_session_deletes(org, [SessionDelete(session_id=id)])
        model.set("marked", id, there=False)
    elif kind == "star":
        user, there = author.random.choice(USERS[1:]), author.random.random() < 0.7
        change = store.write_session_stars if there else store.remove_session_stars
        await change(org, [SessionStar(session_id=id, user_id=user)])
        model.set("stars", (id, user), there=there)
    elif kind == "link":
        sha = author.random.choice(["abcd", "abce"])
        await store.write_git_links(org, [commit(id, sha)])
        model.set("commits", (id, sha))
    elif kind == "touch":
        touches = author.touches(id)
        await store.write_file_touches(org, touches)
        model.write_file_touches(touches)
    else:
        await store.delete_sessions(org, [id])
        model.delete_sessions([id])


async def tells(store: AsyncClickHouseStore, model: Model, last: Changes) -> Changes:
    """What was just written is told, and what is gone as gone."""
    found = await store.changes(model.org, last)
    told = {*found.session_ids, *found.deleted_session_ids}
    assert model.told <= told <= {*IDS}
    assert set(found.deleted_session_ids) == told & model.gone
    assert len(found.session_ids) + len(found.deleted_session_ids) == len(told)
    return found


async def listed(store: AsyncClickHouseStore, org: str, given: dict[str, Any]) -> list[Session]:
    """All pages of a filter, of two sessions each; all say the same total, and so does the iterator."""
    found, cursor, totals = list[Session](), "", set[int]()
    while True:
        page = await store.list_sessions(org, SessionFilter(**given, limit=2, cursor=cursor))
        found, cursor, totals = found + page.sessions, page.next_cursor, totals | {page.total}
        if not cursor:
            break
    assert totals == {len(found)}
    assert [one async for one in store.iter_sessions(org, SessionFilter(**given))] == found
    return found


@pytest.mark.parametrize("round", range(2))
async def test_a_random_history(store: AsyncClickHouseStore, org: str, round: int) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # shown where the test fails
    author, model = Author(seed), Model(org)
    told, began = await store.changes(org), await store.changes(org)
    touched = set[str]()
    for _ in range(STEPS):
        model.told.clear()
        await step(author, store, model)
        told = await tells(store, model, told)
        touched |= model.told
    everything = await store.changes(org, began.version)
    assert {*everything.session_ids, *everything.deleted_session_ids} == touched
    for _ in range(FILTERS):
        given = author.filter()
        assert await listed(store, org, given) == model.list_sessions(**given), given
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
    for path in (*PATHS, "d/", "d"):
        history = await store.file_history(org, path, limit=1000)
        told_of = [(one.session_id, one.message_ordinal, one.path, one.operation) for one in history.touches]
        assert told_of == model.file_history(path), path
    for _ in range(NEEDLES):
        needle = "".join(author.random.choices(LETTERS, k=author.random.choice([1, 1, 2, 2, 3])))
        hits = await store.search(org, SearchQuery(query=needle, limit=1000))
        results = model.search(needle)
        assert (hits.results, hits.total) == (results, len(results)), needle
    assert await differences(store) == []
