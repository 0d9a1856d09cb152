"""What grew out of sessions: told by their rows, and by the tool calls that name them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, InvalidArgumentError, SessionDelete
from tests.builders import at, call, message, session


async def children(store: AsyncClickHouseStore, org: str, *ids: str) -> list[tuple[str, str]]:
    return [(one.id, one.parent_session_id) for one in await store.list_children(org, ids)]


async def test_all_kinds_of_children_by_their_start(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(
        org,
        [
            session("p"),
            session("q'"),
            session("late", parent_session_id="p", relationship_type="continuation", started_at=at(9)),
            session("never", parent_session_id="p", relationship_type="fork", started_at=None),
            session("b", parent_session_id="q'", relationship_type="subagent", started_at=at(2), user_message_count=0),
            session("a", parent_session_id="p", relationship_type="subagent", started_at=at(2)),
            session("below", parent_session_id="a", relationship_type="subagent"),
            session("own", parent_session_id="own", relationship_type="fork"),
            session("else", parent_session_id="other"),
        ],
    )
    assert await children(store, org, "p", "q'", "p", "own", "nobody") == [
        ("a", "p"), ("b", "q'"), ("late", "p"), ("never", "p")
    ]  # fmt: skip
    assert await store.list_children(org, ["a"]) == [await store.get_session(org, "below")]
    assert await children(store, org) == await children(store, org, "", "below") == []
    assert await children(store, f"{org}-other", "p") == []
    await store.write_session_deletes(org, [SessionDelete(session_id="a")])
    await store.delete_sessions(org, ["b"])
    await store.purge_sessions(org, ["late"])
    assert await children(store, org, "p", "q'") == [("never", "p")]
    await store.remove_session_deletes(org, [SessionDelete(session_id="a")])
    await store.write_session(org, session("never", parent_session_id="q'"), replace=True)
    assert await children(store, org, "p") == [("a", "p")]


async def test_a_subagent_that_only_a_call_names(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(
        org,
        [
            session("p"),
            session("q"),
            session("told", relationship_type="subagent", user_message_count=0),
            session("has another", relationship_type="subagent", parent_session_id="x"),
            session("no subagent"),
        ],
        [message(0, session_id="p"), message(0, session_id="q")],
        [
            call(0, session_id="p", tool_use_id=named, subagent_session_id=named)
            for named in ("told", "has another", "no subagent", "p", "unknown", "")
        ]
        + [call(0, session_id="q", tool_use_id="again", subagent_session_id="told")],
    )
    told = await store.get_session(org, "told")
    assert await store.list_children(org, ["p"]) == [replace(told, parent_session_id="p")]
    assert await children(store, org, "q") == [("told", "q")]
    assert await children(store, org, "q", "p") == [("told", "p")]
    await store.write_session(org, session("p"), [message(0)], replace=True)  # and its calls are gone
    assert await children(store, org, "q", "p") == [("told", "q")]


async def test_of_any_number_of_sessions(store: AsyncClickHouseStore, org: str) -> None:
    ids = [f"s{number:04}" for number in range(1201)]
    made = [session(f"{id} child", parent_session_id=id, relationship_type="subagent") for id in ids]
    await store.write_batch(org, made)
    assert await children(store, org, *ids) == [(f"{id} child", id) for id in ids]


@pytest.mark.parametrize("bad", ["p", 5, [1], [None], None])
async def test_what_are_no_ids(store: AsyncClickHouseStore, org: str, bad: Any) -> None:
    for method in (store.list_children, store.session_costs):
        with pytest.raises(InvalidArgumentError, match=r"^session_ids: ") as caught:
            await method(org, bad)
        assert caught.value.field == "session_ids"
    with pytest.raises(InvalidArgumentError, match=r"^ids: "):
        await store.get_sessions(org, bad)
