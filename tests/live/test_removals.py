"""What a removal leaves behind: replaced sessions, marks taken back, deleted sessions, and the same again."""

from __future__ import annotations

from agentstore import AsyncClickHouseStore, MessagePin, SessionDelete, SessionStar
from tests.builders import at, call, commit, message, session, stored, touch
from tests.live.copies import differences
from tests.live.snapshot import snapshot


async def test_replace_removes_what_is_not_mentioned_in_this_session_only(
    store: AsyncClickHouseStore, org: str
) -> None:
    for id in ("s", "other"):
        calls = [call(0, tool_use_id="a"), call(0, tool_use_id="b"), call(1, tool_use_id="a")]
        await store.write_session(org, session(id), [message(n, "old") for n in range(3)], calls)
    await store.write_session(org, session("s"), [message(1, "new")], [call(0, tool_use_id="b")], replace=True)
    assert [(m.ordinal, m.content) for m in await store.get_session_messages(org, "s")] == [(1, "new")]
    assert [c.tool_use_id for c in await store.get_session_tool_calls(org, "s")] == ["b"]
    assert len(await store.get_session_messages(org, "other")) == 3
    assert len(await store.get_session_tool_calls(org, "other")) == 3


async def test_replace_with_nothing_leaves_the_bare_session(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0)], [call(0)])
    await store.write_git_links(org, [commit("s", "abcd")])
    await store.write_session(org, session("s"), replace=True)
    assert await store.get_session_messages(org, "s") == []
    assert await store.get_session_tool_calls(org, "s") == []
    assert (await store.get_session(org, "s")).commit_count == 1


async def test_what_was_removed_can_be_written_and_removed_again(store: AsyncClickHouseStore, org: str) -> None:
    kept, gone = message(0, "kept"), message(1, "gone")
    for _ in range(3):
        await store.write_session(org, session("s"), [kept, gone], [call(1)], replace=True)
        assert len(await store.get_session_messages(org, "s")) == 2
        assert len(await store.get_session_tool_calls(org, "s")) == 1
        await store.write_session(org, session("s"), [kept], replace=True)
        assert await store.get_session_messages(org, "s") == [stored(kept, org, session_id="s")]
        assert await store.get_session_tool_calls(org, "s") == []


async def test_replace_keeps_rows_whose_key_has_no_utf8(store: AsyncClickHouseStore, org: str) -> None:
    odd = call(0, tool_use_id="lone \ud83d")
    for _ in range(2):
        await store.write_session(org, session("odd \udc00"), [message(0, "m")], [odd], replace=True)
        assert len(await store.get_session_messages(org, "odd \ufffd")) == 1
        assert [c.tool_use_id for c in await store.get_session_tool_calls(org, "odd \ufffd")] == ["lone \ufffd"]


async def test_marks_are_upserted_by_their_keys_and_taken_back(store: AsyncClickHouseStore, org: str) -> None:
    for moment in (at(1), at(2)):
        stars = [SessionStar(session_id="s", user_id=user, created_at=moment) for user in ("u", "v")]
        pins = [MessagePin(session_id="s", message_ordinal=n, user_id="u", created_at=moment) for n in (1, 2)]
        await store.write_session_stars(org, stars)
        await store.write_message_pins(org, pins)
        assert await store.list_session_stars(org, "s") == [stored(star, org) for star in stars]
        assert await store.list_message_pins(org, "s") == [stored(pin, org) for pin in pins]
        # Only the key counts in a removal, and what is not there is no error.
        await store.remove_session_stars(org, [SessionStar(session_id="s", user_id="u"), SessionStar(session_id="x")])
        await store.remove_message_pins(org, [MessagePin(session_id="s", message_ordinal=1, user_id="u", note="?")])
        assert await store.list_session_stars(org) == [stored(stars[1], org)]
        assert await store.list_message_pins(org) == [stored(pins[1], org)]


async def test_a_deletion_mark_is_one_per_session_and_can_be_taken_back(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"))
    for _ in range(2):
        await store.write_session_deletes(org, [SessionDelete(session_id="s", user_id="u", created_at=at(1))])
        await store.write_session_deletes(org, [SessionDelete(session_id="s", user_id="v", created_at=at(2))])
        assert [(mark.user_id, mark.created_at) for mark in await store.list_session_deletes(org)] == [("v", at(2))]
        assert (await store.list_sessions(org)).sessions == []
        await store.remove_session_deletes(org, [SessionDelete(session_id="s")])
        assert await store.list_session_deletes(org) == []
        assert [s.id for s in (await store.list_sessions(org)).sessions] == ["s"]


async def test_deleted_sessions_are_gone_from_every_read_and_may_come_back(
    store: AsyncClickHouseStore, org: str
) -> None:
    async def write(id: str) -> None:
        fields = {"user_id": id, "project_name": id, "agent_type": id}
        tokens = {"model": id, "output_tokens": 1}
        await store.write_session(org, session(id, **fields), [message(0, f"find {id}", **tokens)], [call(0)])
        await store.write_git_links(org, [commit(id, "abcd")])
        await store.write_file_touches(org, [touch(id, "a.py")])
        await store.write_session_stars(org, [SessionStar(session_id=id)])
        await store.write_message_pins(org, [MessagePin(session_id=id)])
        await store.write_session_deletes(org, [SessionDelete(session_id=id)])
        await store.remove_session_deletes(org, [SessionDelete(session_id=id)])

    empty = await snapshot(store, org, ["gone"])
    for _ in range(2):
        await write("gone")
        assert await snapshot(store, org, ["gone"]) != empty
        await store.delete_sessions(org, iter(["gone", "never there"]))
        assert await snapshot(store, org, ["gone"]) == empty
    await write("stays")
    before = await snapshot(store, org, ["stays"])
    await write("gone")
    await store.delete_sessions(org, ["gone"])
    await store.delete_sessions(org, [])
    assert await snapshot(store, org, ["stays"]) == before
    assert await differences(store) == []


async def test_many_sessions_are_deleted_in_one_call(store: AsyncClickHouseStore, org: str) -> None:
    ids = [f"s{n}" for n in range(1200)]
    await store.write_batch(org, [session(id) for id in ids], [message(0, session_id=id) for id in ids])
    await store.delete_sessions(org, ids[1:])
    assert [s.id for s in (await store.list_sessions(org)).sessions] == ["s0"]
    assert await store.get_session_messages(org, "s1199") == []
    assert await differences(store) == []
