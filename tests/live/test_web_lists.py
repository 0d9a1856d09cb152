"""Pages of the list that many look at: asked for once, and not older than what is told as new."""

from __future__ import annotations

import asyncio
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agentstore import AsyncClickHouseStore, SessionFilter, SessionPage
from agentstore.web.filters import Asked
from agentstore.web.listing import KnownLists, ListKey
from agentstore.web.marks import KnownMarks
from tests.builders import session


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def asked(store: AsyncClickHouseStore, monkeypatch: pytest.MonkeyPatch) -> list[SessionFilter]:
    """The lists that the store is asked for."""
    filters, ask = list[SessionFilter](), store.list_sessions

    async def counted(org: str, filter: SessionFilter) -> SessionPage:
        filters.append(filter)
        return await ask(org, filter)

    monkeypatch.setattr(store, "list_sessions", counted)
    return filters


def key(org: str, **fields: Any) -> ListKey:
    return ListKey(org, Asked(since="all", **fields), ZoneInfo("UTC"), "", "")


async def ids(lists: KnownLists, key: ListKey) -> list[str]:
    return sorted(one.id for one in (await lists.of(key)).page.sessions)


async def test_many_who_ask_at_once_ask_once_and_a_second_later_again(
    store: AsyncClickHouseStore, org: str, asked: list[SessionFilter]
) -> None:
    clock = Clock()
    lists = KnownLists(store, clock)
    await store.write_session(org, session("a"))
    found = await asyncio.gather(*(ids(lists, key(org)) for _ in range(9)), ids(lists, key(org, project="p")))
    assert found == [*[["a"]] * 9, []]
    assert len(asked) == 2
    await store.write_session(org, session("b"))
    assert await ids(lists, key(org)) == ["a"]
    clock.now += 1.1
    assert await ids(lists, key(org)) == ["a", "b"]
    assert len(asked) == 3


async def test_what_was_done_here_is_seen_at_once(store: AsyncClickHouseStore, org: str) -> None:
    lists = KnownLists(store, Clock())
    marks = KnownMarks(store, on_forgotten=lists.forget_of)
    await store.write_batch(org, [session("a"), session("b", parent_session_id="a", relationship_type="subagent")])
    await store.write_session(f"{org}-other", session("theirs"))
    assert await ids(lists, key(org)) == ["a"]
    assert await ids(lists, key(f"{org}-other")) == ["theirs"]
    assert [one.id for one in (await lists.of(key(org))).children] == ["b"]
    for one in (org, f"{org}-other"):
        await store.write_session(one, session("c"))
    marks.forget(org)
    assert await ids(lists, key(org)) == ["a", "c"]
    assert await ids(lists, key(f"{org}-other")) == ["theirs"]


async def test_a_list_that_could_not_be_had_is_asked_for_again(store: AsyncClickHouseStore, org: str) -> None:
    lists = KnownLists(store, Clock())
    wrong = key(org, hour="25")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^hour: "):
            await lists.of(wrong)
    assert await ids(lists, key(org)) == []
