"""What a write leaves behind: upserts, removals, order, repetition, whole calls or nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from agentstore import (
    AsyncClickHouseStore,
    GitLink,
    InvalidArgumentError,
    Message,
    MessagePin,
    NotFoundError,
    Session,
    SessionDelete,
    SessionStar,
    ToolCall,
)
from tests.builders import at, call, commit, message, pull_request, session, stored
from tests.live.snapshot import snapshot

FULL_SESSION = Session(
    id="full",
    user_id="u1",
    user_name="Ada",
    project_id="p1",
    project_name="engine",
    project_path="/home/ada/engine",
    machine="laptop",
    agent_type="claude-code",
    first_message="hello",
    started_at=at(9, 30, micro=123456),
    ended_at=at(10, 30, micro=999999),
    message_count=2**32 - 1,
    user_message_count=7,
    parent_session_id="older",
    relationship_type="continuation",
    source_created_at="2026-01-05T10:30:00.123456789+01:00",
    display_name="Analytical engine",
    git_branch="main",
    total_output_tokens=2**64 - 1,
    peak_context_tokens=2**63,
)
FULL_MESSAGE = Message(
    ordinal=2**32 - 1,
    session_id="full",
    role="assistant",
    content="answer",
    timestamp=at(9, 31, micro=1),
    has_thinking=True,
    has_tool_use=True,
    content_length=2**64 - 1,
    model="claude-opus",
    token_usage='{"output_tokens": 5}',
    input_tokens=1,
    cache_read_tokens=2,
    cache_write_tokens=3,
    output_tokens=2**64 - 1,
    context_tokens=6,
    source_id="msg_1",
    reported_cost_nanodollars=2**64 - 1,
)
FULL_CALL = ToolCall(
    message_ordinal=2**32 - 1,
    session_id="full",
    tool_use_id="toolu_1",
    call_index=2**32 - 1,
    tool_name="Task",
    tool_category="agent",
    input_json='{"prompt": "do"}',
    skill_name="pdf",
    result_content="done",
    result_content_length=2**64 - 1,
    is_error=True,
    subagent_session_id="child",
)
FULL_LINK = GitLink(
    session_id="full",
    link_type="pr",
    confidence="medium",
    user_id="u1",
    message_ordinal=2**32 - 1,
    commit_sha="abcdef",
    pr_url="https://example.org/pull/1",
    detected_at=at(11, micro=7),
)


async def test_every_field_comes_back_as_it_was_written(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, FULL_SESSION, [FULL_MESSAGE], [FULL_CALL])
    await store.write_git_links(org, [FULL_LINK])
    assert await store.get_session(org, "full") == stored(FULL_SESSION, org, commit_count=1, tool_call_count=1)
    assert await store.get_session_messages(org, "full") == [stored(FULL_MESSAGE, org)]
    assert await store.get_session_tool_calls(org, "full") == [stored(FULL_CALL, org)]
    assert await store.get_session_git_links(org, "full") == [stored(FULL_LINK, org)]


async def test_every_default_comes_back_as_the_default(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, Session(id="bare"), [Message(ordinal=0)], [ToolCall(message_ordinal=0)])
    assert await store.get_session(org, "bare") == Session(id="bare", org_id=org, tool_call_count=1)
    assert await store.get_session_messages(org, "bare") == [Message(ordinal=0, org_id=org, session_id="bare")]
    assert await store.get_session_tool_calls(org, "bare") == [
        ToolCall(message_ordinal=0, org_id=org, session_id="bare")
    ]


async def test_marks_and_links_come_back_as_they_were_written(store: AsyncClickHouseStore, org: str) -> None:
    star = SessionStar(session_id="s", user_id="u", created_at=at(micro=3))
    pin = MessagePin(session_id="s", message_ordinal=2**32 - 1, user_id="u", note="look", created_at=at(micro=5))
    delete = SessionDelete(session_id="s", user_id="u", created_at=at(micro=9))
    await store.write_session_stars(org, [star])
    await store.write_message_pins(org, [pin])
    await store.write_session_deletes(org, [delete])
    assert await store.list_session_stars(org) == [stored(star, org)]
    assert await store.list_message_pins(org) == [stored(pin, org)]
    assert await store.list_session_deletes(org) == [stored(delete, org)]


async def test_the_org_of_the_call_wins_over_the_records(store: AsyncClickHouseStore, org: str) -> None:
    other = f"{org}-other"
    await store.write_session(org, session("s", org_id=other), [message(0, org_id=other)], [call(0, org_id=other)])
    await store.write_git_links(org, [commit("s", "abcd", org_id=other)])
    assert await snapshot(store, other, ["s"]) == await snapshot(store, f"{org}-empty", ["s"])
    assert (await store.get_session(org, "s")).org_id == org
    assert [m.org_id for m in await store.get_session_messages(org, "s")] == [org]
    assert [c.org_id for c in await store.get_session_tool_calls(org, "s")] == [org]
    assert [link.org_id for link in await store.get_session_git_links(org, "s")] == [org]


async def test_writing_again_replaces_the_row_and_keeps_what_is_not_mentioned(
    store: AsyncClickHouseStore, org: str
) -> None:
    await store.write_session(org, session("s", display_name="old"), [message(0, "a"), message(1, "b")], [call(0)])
    await store.write_session(org, session("s", display_name="new"), [message(1, "B"), message(2, "c")])
    assert (await store.get_session(org, "s")).display_name == "new"
    assert [(m.ordinal, m.content) for m in await store.get_session_messages(org, "s")] == [
        (0, "a"),
        (1, "B"),
        (2, "c"),
    ]
    assert await store.get_session_tool_calls(org, "s") == [stored(call(0), org, session_id="s")]
    assert (await store.list_sessions(org)).total == 1


async def test_a_later_write_wins_also_with_less_in_it(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, FULL_SESSION, [FULL_MESSAGE], [FULL_CALL])
    bare = (
        Session(id="full"),
        Message(ordinal=FULL_MESSAGE.ordinal),
        ToolCall(
            message_ordinal=FULL_CALL.message_ordinal,
            tool_use_id=FULL_CALL.tool_use_id,
            call_index=FULL_CALL.call_index,
        ),
    )
    await store.write_session(org, bare[0], [bare[1]], [bare[2]])
    assert await store.get_session(org, "full") == stored(bare[0], org, tool_call_count=1)
    assert await store.get_session_messages(org, "full") == [stored(bare[1], org, session_id="full")]
    assert await store.get_session_tool_calls(org, "full") == [stored(bare[2], org, session_id="full")]


async def test_commit_count_is_ignored_on_write(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s", commit_count=99))
    assert (await store.get_session(org, "s")).commit_count == 0


async def test_a_batch_without_sessions_still_writes_messages_and_calls(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [], [message(0, "early", session_id="s")], [call(0, session_id="s")])
    assert [m.content for m in await store.get_session_messages(org, "s")] == ["early"]
    assert len(await store.get_session_tool_calls(org, "s")) == 1
    with pytest.raises(NotFoundError, match="'s'"):
        await store.get_session(org, "s")


async def test_a_batch_spreads_over_its_sessions(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(
        org,
        (session(f"s{n}") for n in range(3)),
        (message(n, f"{n}", session_id=f"s{n}") for n in range(3)),
        (call(n, session_id=f"s{n}") for n in range(3)),
    )
    assert (await store.list_sessions(org)).total == 3
    for n in range(3):
        assert [m.content for m in await store.get_session_messages(org, f"s{n}")] == [f"{n}"]
        assert [c.message_ordinal for c in await store.get_session_tool_calls(org, f"s{n}")] == [n]


async def test_the_last_of_one_call_wins(store: AsyncClickHouseStore, org: str) -> None:
    names = [session("s", display_name=f"{n}") for n in range(50)]
    await store.write_batch(org, names, [message(0, f"{n}", session_id="s") for n in range(50)])
    assert (await store.get_session(org, "s")).display_name == "49"
    assert [m.content for m in await store.get_session_messages(org, "s")] == ["49"]


async def test_quick_writes_keep_their_order(store: AsyncClickHouseStore, org: str) -> None:
    for round in range(20):
        await store.write_git_links(org, [commit("s", "abcd", message_ordinal=round)])
    assert [link.message_ordinal for link in await store.get_session_git_links(org, "s")] == [19]


async def test_calls_without_ids_are_numbered_within_their_message(store: AsyncClickHouseStore, org: str) -> None:
    calls = [
        call(0, tool_name="a"),
        call(0, tool_name="b"),
        call(1, tool_name="c"),
        call(0, tool_name="d"),
        call(0, tool_name="with id", tool_use_id="x"),
    ]
    for _ in range(2):
        await store.write_session(org, session("s"), [], iter(calls))
        found = await store.get_session_tool_calls(org, "s")
        assert [(c.message_ordinal, c.tool_use_id, c.call_index, c.tool_name) for c in found] == [
            (0, "", 0, "a"),
            (0, "", 1, "b"),
            (0, "", 2, "d"),
            (0, "x", 0, "with id"),
            (1, "", 0, "c"),
        ]
    await store.write_batch(org, [], [], [call(0, session_id=id, tool_name=id) for id in ("s2", "s2", "s3")])
    assert [c.call_index for c in await store.get_session_tool_calls(org, "s2")] == [0, 1]
    assert [c.call_index for c in await store.get_session_tool_calls(org, "s3")] == [0]


async def test_the_same_again_changes_nothing(store: AsyncClickHouseStore, org: str) -> None:
    async def write() -> None:
        messages = [message(n, f"text {n}", output_tokens=3, model="m", source_id=f"r{n}") for n in range(5)]
        await store.write_session(org, session("s", user_id="u"), messages, [call(1), call(1)])
        await store.write_git_links(org, [commit("s", "abcd"), pull_request("s", "https://x/1")])
        await store.write_session_stars(org, [SessionStar(session_id="s", user_id="u", created_at=at())])
        await store.write_message_pins(org, [MessagePin(session_id="s", user_id="u", created_at=at())])

    await write()
    before = await snapshot(store, org, ["s"])
    await write()
    assert await snapshot(store, org, ["s"]) == before


async def test_empty_calls_are_harmless(store: AsyncClickHouseStore, org: str) -> None:
    empty = await snapshot(store, org, ["s"])
    await store.write_batch(org, [])
    await store.write_batch(org, iter(()), iter(()), iter(()))
    await store.write_git_links(org, [])
    await store.write_session_stars(org, [])
    await store.write_message_pins(org, [])
    await store.write_session_deletes(org, [])
    await store.remove_session_stars(org, [])
    await store.remove_message_pins(org, [])
    await store.remove_session_deletes(org, [])
    await store.delete_sessions(org, [])
    await store.flush()
    assert await snapshot(store, org, ["s"]) == empty


async def test_texts_of_megabytes_and_nul_bytes_are_stored_as_they_are(store: AsyncClickHouseStore, org: str) -> None:
    big = "ab\0ä€😀\n" * 600_000
    texts = [big, "\0", "\0" * 1000, "", "x" * 127, "x" * 128, "ä" * 16384]
    messages = [message(n, text) for n, text in enumerate(texts)]
    calls = [call(0, input_json=big[::-1], result_content=big, result_content_length=len(big))]
    await store.write_session(org, session("s", first_message="\0a\0"), messages, calls)
    assert [m.content for m in await store.get_session_messages(org, "s")] == texts
    [found] = await store.get_session_tool_calls(org, "s")
    assert (found.input_json, found.result_content) == (big[::-1], big)
    assert (await store.get_session(org, "s")).first_message == "\0a\0"


async def test_times_survive_to_the_microsecond_and_from_any_zone(store: AsyncClickHouseStore, org: str) -> None:
    east = dt.timezone(dt.timedelta(hours=14))
    moments = [
        dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999, dt.UTC),
        dt.datetime(1900, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 1, 1, 0, 0, 0, 1, east),
        dt.datetime(2106, 2, 7, 6, 28, 16, 1, dt.UTC),
        dt.datetime(2299, 12, 31, 23, 59, 59, 999999, dt.UTC),
        None,
    ]
    messages = [message(n, timestamp=moment) for n, moment in enumerate(moments)]
    await store.write_session(org, session("s"), messages)
    found = [m.timestamp for m in await store.get_session_messages(org, "s")]
    assert found == moments
    assert {moment.tzinfo for moment in found if moment} == {dt.UTC}


async def test_no_result_yet_is_not_an_empty_result(store: AsyncClickHouseStore, org: str) -> None:
    lengths = [None, 0, 1]
    calls = [call(n, result_content_length=length) for n, length in enumerate(lengths)]
    await store.write_session(org, session("s"), [], calls)
    assert [c.result_content_length for c in await store.get_session_tool_calls(org, "s")] == lengths


async def test_another_sessions_rows_are_refused(store: AsyncClickHouseStore, org: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"messages\[1\].session_id: 'b'") as refused:
        await store.write_session(org, session("a"), [message(0), message(1, session_id="b")])
    assert (refused.value.record, refused.value.field) == ("messages[1]", "session_id")
    with pytest.raises(InvalidArgumentError, match=r"tool_calls\[0\].session_id"):
        await store.write_session(org, session("a"), [message(0)], [call(0, session_id="b")])
    with pytest.raises(NotFoundError):
        await store.get_session(org, "a")
    assert await store.get_session_messages(org, "a") == []
