"""Reads by key, and who and what there is: messages, tool calls, users, projects, agents."""

from __future__ import annotations

from typing import Any

import pytest

from agentstore import (
    AsyncClickHouseStore,
    InvalidArgumentError,
    NotFoundError,
    ProjectInfo,
    Session,
    SessionDelete,
    UserInfo,
)
from tests.builders import at, call, message, session


async def test_unknown_sessions(store: AsyncClickHouseStore, org: str) -> None:
    with pytest.raises(NotFoundError, match="nowhere") as caught:
        await store.get_session(org, "nowhere")
    assert isinstance(caught.value, LookupError)
    assert await store.get_session_messages(org, "nowhere") == []
    assert await store.get_session_tool_calls(org, "nowhere") == []
    assert await store.get_session_git_links(org, "nowhere") == []
    for empty in ("",):
        with pytest.raises(NotFoundError):
            await store.get_session(org, empty)
        assert await store.get_session_messages(org, empty) == []


async def test_messages_by_ordinal_after_one_and_so_many(store: AsyncClickHouseStore, org: str) -> None:
    ordinals = [10, 2, 0, 2**32 - 1, 9, 100]
    await store.write_session(org, session("s"), [message(n) for n in ordinals])

    async def read(**given: Any) -> list[int]:
        return [m.ordinal for m in await store.get_session_messages(org, "s", **given)]

    assert await read() == sorted(ordinals)
    assert await read(after_ordinal=None, limit=None) == sorted(ordinals)
    assert await read(after_ordinal=2) == [9, 10, 100, 2**32 - 1]
    assert await read(after_ordinal=3, limit=2) == [9, 10]
    assert await read(limit=1) == [0]
    assert await read(limit=0) == []
    assert await read(after_ordinal=-1) == sorted(ordinals)
    assert await read(after_ordinal=-(10**40)) == sorted(ordinals)
    assert await read(after_ordinal=2**32 - 1) == []
    assert await read(after_ordinal=10**40) == []
    assert await read(limit=10**40) == sorted(ordinals)


async def test_a_page_of_messages_grows_in_both_directions(store: AsyncClickHouseStore, org: str) -> None:
    ordinals = list(range(0, 40, 2))
    await store.write_session(org, session("s"), [message(n) for n in ordinals])

    async def read(**given: Any) -> list[int]:
        return [m.ordinal for m in await store.get_session_messages(org, "s", **given)]

    assert await read(before_ordinal=7) == [0, 2, 4, 6]
    assert await read(before_ordinal=8, limit=3) == [2, 4, 6]
    assert await read(before_ordinal=10**40, limit=2) == [36, 38]
    assert await read(before_ordinal=0, limit=2) == []
    assert await read(before_ordinal=-(10**40)) == []
    assert await read(before_ordinal=20, limit=0) == []
    assert await read(after_ordinal=4, before_ordinal=12) == [6, 8, 10]
    assert await read(after_ordinal=4, before_ordinal=12, limit=2) == [8, 10]
    assert await read(after_ordinal=12, before_ordinal=4) == []
    page = await read(after_ordinal=19, limit=3)
    while earlier := await read(before_ordinal=page[0], limit=3):
        page = earlier + page
    while later := await read(after_ordinal=page[-1], limit=3):
        page += later
    assert page == ordinals


async def test_bad_arguments_of_reads(store: AsyncClickHouseStore, org: str) -> None:
    bad: Any
    for bad in ("1", 1.5, True):
        with pytest.raises(InvalidArgumentError, match="after_ordinal"):
            await store.get_session_messages(org, "s", after_ordinal=bad)
        with pytest.raises(InvalidArgumentError, match="before_ordinal") as refused:
            await store.get_session_messages(org, "s", before_ordinal=bad)
        assert refused.value.field == "before_ordinal"
    for bad in ("1", 1.5, True, -1):
        with pytest.raises(InvalidArgumentError, match="limit"):
            await store.get_session_messages(org, "s", limit=bad)
        with pytest.raises(InvalidArgumentError, match="limit: expected a number of tool calls"):
            await store.get_session_tool_calls(org, "s", limit=bad)
    for bad in ("1", 1, (), (0, "a"), (0, "a", 0, 0), ("0", "a", 0), (0, 1, 0), (0, "a", "0"), (True, "a", 0), {}):
        with pytest.raises(InvalidArgumentError, match="after: expected") as refused:
            await store.get_session_tool_calls(org, "s", after=bad)
        assert refused.value.field == "after"
    for bad in (None, 5, b"s", ["s"]):
        for field, read in (
            ("id", store.get_session(org, bad)),
            ("session_id", store.get_session_messages(org, bad)),
            ("session_id", store.get_session_tool_calls(org, bad)),
            ("session_id", store.get_session_git_links(org, bad)),
            ("session_id", store.list_session_stars(org, bad)),
            ("session_id", store.list_message_pins(org, bad)),
            ("org_id", store.get_session_messages(bad, "s")),
            ("org_id", store.list_users(bad)),
            ("org_id", store.list_session_deletes(bad)),
        ):
            with pytest.raises(InvalidArgumentError, match=rf"^{field}: expected str") as caught:
                await read
            assert caught.value.field == field


async def test_tool_calls_by_message_id_and_index(store: AsyncClickHouseStore, org: str) -> None:
    keys = [(0, "", 1), (0, "a", 0), (0, "B", 0), (1, "", 0), (0, "", 0), (10, "a", 0), (2, "a", 3), (2, "a", 2)]
    calls = [call(ordinal, tool_use_id=id, call_index=index) for ordinal, id, index in keys]
    await store.write_session(org, session("s"), [], calls)
    found = await store.get_session_tool_calls(org, "s")
    assert [(c.message_ordinal, c.tool_use_id, c.call_index) for c in found] == sorted(keys)


async def test_tool_calls_in_pages(store: AsyncClickHouseStore, org: str) -> None:
    ids = ["", "a", "B", "it's", "ä", "\U0010ffff", "\\"]
    keys = [(o, id, i) for o in (0, 1, 2**32 - 1) for id in ids for i in (0, 7, 2**32 - 1)]
    await store.write_session(org, session("s"), [], [call(o, tool_use_id=id, call_index=i) for o, id, i in keys])
    in_order = sorted(keys, key=lambda key: (key[0], key[1].encode(), key[2]))

    async def read(**given: Any) -> list[tuple[int, str, int]]:
        found = await store.get_session_tool_calls(org, "s", **given)
        return [(c.message_ordinal, c.tool_use_id, c.call_index) for c in found]

    for size in (4, 100):
        pages = page = await read(limit=size)
        while page:
            page = await read(after=page[-1], limit=size)
            pages = pages + page
        assert pages == in_order
    for number, key in list(enumerate(in_order))[::5]:
        assert await read(after=key) == in_order[number + 1 :]
    assert await read(limit=0) == []
    assert await read(after=(-(10**40), "", 0)) == in_order
    assert await read(after=(10**40, "", 0)) == []
    assert await read(after=[1, "\U0010ffff", 10**40]) == in_order[in_order.index((2**32 - 1, "", 0)) :]


async def test_a_renamed_user_is_one_user_with_the_latest_name(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(
        org,
        [
            session("1", user_id="u1", user_name="Zoe", started_at=at(1)),
            session("2", user_id="u1", user_name="Ada", started_at=at(3)),
            session("3", user_id="u1", user_name="Mia", started_at=at(2)),
            session("4", user_id="u1", user_name="Never", started_at=None),
            session("5", user_id="u3", user_name="Ada", started_at=None),
            session("6", user_id="u2", user_name="Ada", started_at=at(1)),
            session("7", user_id="u1", user_name="Silent", started_at=at(9), user_message_count=0),
            session("8", user_id="u1", user_name="Agent", started_at=at(9), relationship_type="subagent"),
            session("9", user_id="u4", user_name="Gone", started_at=at(9)),
        ],
    )
    await store.write_session_deletes(org, [SessionDelete(session_id="9")])
    assert await store.list_users(org) == [UserInfo("u1", "Ada"), UserInfo("u2", "Ada"), UserInfo("u3", "Ada")]


async def test_projects_by_id_and_name_with_the_latest_path(store: AsyncClickHouseStore, org: str) -> None:
    def of(id: str, project: str, name: str, path: str, **fields: Any) -> Any:
        return session(id, project_id=project, project_name=name, project_path=path, **fields)

    await store.write_batch(
        org,
        [
            of("1", "p1", "web", "/old", started_at=at(1)),
            of("2", "p1", "web", "/new", started_at=at(3)),
            of("3", "p1", "web", "/mid", started_at=at(2)),
            of("4", "p1", "renamed", "/r", started_at=None),
            of("5", "p0", "web", "/other", started_at=None),
            of("6", "", "web", "/without id"),
            of("7", "p1", "", "/without name"),
            of("8", "p9", "agents", "/x", relationship_type="subagent"),
        ],
    )
    assert await store.list_projects(org) == [
        ProjectInfo("p1", "renamed", "/r"),
        ProjectInfo("", "web", "/without id"),
        ProjectInfo("p0", "web", "/other"),
        ProjectInfo("p1", "web", "/new"),
    ]


async def test_agents_are_distinct_and_ordered(store: AsyncClickHouseStore, org: str) -> None:
    types = ["codex", "claude-code", "", "codex", "Zed", "ä"]
    await store.write_batch(org, [session(f"{n}", agent_type=type) for n, type in enumerate(types)])
    await store.write_session(org, session("sub", agent_type="hidden", parent_session_id="0"))
    assert await store.list_agents(org) == ["Zed", "claude-code", "codex", "ä"]


async def test_several_sessions_by_their_ids(store: AsyncClickHouseStore, org: str) -> None:
    for id in ("b", "a", "other"):
        await store.write_session(org, session(id, user_name=id), [message(0, "x")], [call(0)])
    await store.delete_sessions(org, ["other"])
    found = await store.get_sessions(org, ["b", "none", "a", "b", "other"])
    assert found == [await store.get_session(org, "a"), await store.get_session(org, "b")]
    assert await store.get_sessions(org, []) == await store.get_sessions(f"{org}-x", ["a"]) == []
    many = [Session(id=f"s{number:04}") for number in range(1100)]
    await store.write_batch(org, many)
    assert [one.id for one in await store.get_sessions(org, [one.id for one in reversed(many)])] == [
        one.id for one in many
    ]
    for wrong in ("ab", [1], None):
        with pytest.raises((InvalidArgumentError, TypeError)):
            await store.get_sessions(org, wrong)  # type: ignore[arg-type]
