"""Bad input: a clear error that names record and field, nothing of the call stored, the store usable afterwards."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from agentstore import (
    AsyncClickHouseStore,
    InvalidArgumentError,
    MessagePin,
    QueryError,
    SchemaError,
    SessionDelete,
    SessionStar,
    WriteError,
)
from tests.builders import at, call, commit, message, session
from tests.live.snapshot import EVERYTHING, snapshot
from tests.servers import Server

NAIVE = dt.datetime(2026, 1, 1)

BAD_SESSIONS: dict[str, tuple[str, Any]] = {
    "an empty id": ("id", ""),
    "no id": ("id", None),
    "an id that is a number": ("id", 5),
    "a naive start": ("started_at", NAIVE),
    "a naive end": ("ended_at", NAIVE),
    "a date for a time": ("started_at", dt.date(2026, 1, 1)),
    "text for a time": ("started_at", "2026-01-01T00:00:00Z"),
    "a negative count": ("message_count", -1),
    "a count beyond 32 bits": ("user_message_count", 2**32),
    "tokens beyond 64 bits": ("total_output_tokens", 2**64),
    "a float": ("peak_context_tokens", 1.0),
    "a bool for a number": ("message_count", True),
    "an unknown relationship": ("relationship_type", "cousin"),
    "no text": ("git_branch", None),
    "bytes for text": ("display_name", b"name"),
    "a list for a choice": ("relationship_type", ["fork"]),
}
BAD_MESSAGES: dict[str, tuple[str, Any]] = {
    "a negative ordinal": ("ordinal", -1),
    "an ordinal beyond 32 bits": ("ordinal", 2**32),
    "text for an ordinal": ("ordinal", "1"),
    "a naive timestamp": ("timestamp", NAIVE),
    "no content": ("content", None),
    "a number for a bool": ("has_thinking", 1),
    "negative tokens": ("output_tokens", -5),
    "a session id that is no text": ("session_id", 7),
}
BAD_CALLS: dict[str, tuple[str, Any]] = {
    "an ordinal beyond 32 bits": ("message_ordinal", 2**32),
    "a list for an ordinal": ("message_ordinal", [1]),
    "a negative index": ("call_index", -1),
    "a bool for an index": ("call_index", True),
    "no id": ("tool_use_id", None),
    "a list for an id": ("tool_use_id", ["x"]),
    "a negative length": ("result_content_length", -1),
    "text for a bool": ("is_error", "no"),
}


def changed(record: Any, field: str, value: Any) -> Any:
    return msgspec.structs.replace(record, **{field: value})


async def refused(write: Awaitable[None], record: str, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await write
    assert (caught.value.record, caught.value.field) == (record, field)
    assert str(caught.value).startswith(f"{record}.{field}: " if field else f"{record}: ")
    assert "descriptor" not in str(caught.value)
    assert not caught.value.retriable


async def nothing_stored(store: AsyncClickHouseStore, org: str) -> bool:
    found: list[Any] = (await store.list_sessions(org, EVERYTHING)).sessions
    for id in ("s", "t"):
        found += await store.get_session_messages(org, id)
        found += await store.get_session_tool_calls(org, id)
    return not found


@pytest.mark.parametrize("case", BAD_SESSIONS)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_bad_session_is_refused_with_everything_around_it(
    store: AsyncClickHouseStore, org: str, case: str
) -> None:
    field, value = BAD_SESSIONS[case]
    bad = changed(session("s"), field, value)
    await refused(store.write_batch(org, [session("t"), bad], [message(0, session_id="t")]), "sessions[1]", field)
    await refused(store.write_session(org, bad, [message(0)], [call(0)]), "session", field)
    assert await nothing_stored(store, org)


@pytest.mark.parametrize("case", BAD_MESSAGES)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_bad_message_is_refused_with_everything_around_it(
    store: AsyncClickHouseStore, org: str, case: str
) -> None:
    field, value = BAD_MESSAGES[case]
    bad = changed(message(1, session_id="s"), field, value)
    good = message(0, session_id="s")
    await refused(store.write_session(org, session("s"), [good, bad], [call(0)]), "messages[1]", field)
    await refused(store.write_batch(org, [session("s")], [good, bad]), "messages[1]", field)
    assert await nothing_stored(store, org)


@pytest.mark.parametrize("case", BAD_CALLS)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_bad_tool_call_is_refused_with_everything_around_it(
    store: AsyncClickHouseStore, org: str, case: str
) -> None:
    field, value = BAD_CALLS[case]
    bad = changed(call(1, session_id="s"), field, value)
    good = call(1, call_index=1, session_id="s")
    await refused(store.write_session(org, session("s"), [], [good, bad]), "tool_calls[1]", field)
    await refused(store.write_batch(org, [session("s")], [], [good, bad]), "tool_calls[1]", field)
    assert await nothing_stored(store, org)


async def test_bad_links_and_marks_are_refused(store: AsyncClickHouseStore, org: str) -> None:
    for field, value in (
        ("session_id", ""),
        ("link_type", "tag"),
        ("confidence", ""),
        ("message_ordinal", -1),
        ("detected_at", NAIVE),
        ("commit_sha", None),
    ):
        bad = changed(commit("s", "abcd"), field, value)
        await refused(store.write_git_links(org, [commit("s", "abcd"), bad]), "links[1]", field)
    star, pin, delete = SessionStar(session_id="s"), MessagePin(session_id="s"), SessionDelete(session_id="s")
    for method, name, record in (
        (store.write_session_stars, "stars", star),
        (store.remove_session_stars, "stars", star),
        (store.write_message_pins, "pins", pin),
        (store.remove_message_pins, "pins", pin),
        (store.write_session_deletes, "deletes", delete),
        (store.remove_session_deletes, "deletes", delete),
    ):
        write: Callable[[str, Any], Awaitable[None]] = method
        for field, value in (("session_id", ""), ("user_id", None), ("created_at", NAIVE)):
            records = [record, changed(record, field, value)]
            await refused(write(org, records), f"{name}[1]", field)
        await refused(write(org, [record, commit("s", "abcd")]), f"{name}[1]", "")
    assert await snapshot(store, org, ["s"]) == await snapshot(store, f"{org}-empty", ["s"])


async def test_records_of_another_type_are_refused(store: AsyncClickHouseStore, org: str) -> None:
    wrong: Any = [message(0), call(0), {"ordinal": 0}, None, "text", 5]
    for record in wrong[1:]:
        await refused(store.write_session(org, session("s"), [message(0), record]), "messages[1]", "")
        await refused(store.write_batch(org, [], [message(0, session_id="s"), record]), "messages[1]", "")
        await refused(store.write_batch(org, [session("s"), record]), "sessions[1]", "")
    for record in (message(0), *wrong[2:]):
        await refused(store.write_session(org, session("s"), [], [call(0), record]), "tool_calls[1]", "")
        await refused(store.write_batch(org, [], [], [call(0, session_id="s"), record]), "tool_calls[1]", "")
        await refused(store.write_session(org, record), "session", "")
    assert await nothing_stored(store, org)


async def test_a_record_where_several_belong_is_refused(store: AsyncClickHouseStore, org: str) -> None:
    wrong: list[tuple[str, Awaitable[None]]] = []
    for value in (None, 5, session("s")):
        given: Any = value
        wrong += [
            ("sessions", store.write_batch(org, given)),
            ("messages", store.write_batch(org, [], given)),
            ("tool_calls", store.write_batch(org, [], [], given)),
            ("messages", store.write_session(org, session("s"), given)),
            ("tool_calls", store.write_session(org, session("s"), [], given)),
            ("links", store.write_git_links(org, given)),
            ("stars", store.write_session_stars(org, given)),
            ("pins", store.remove_message_pins(org, given)),
            ("deletes", store.write_session_deletes(org, given)),
            ("session_ids", store.delete_sessions(org, given)),
        ]
    for name, write in wrong:
        with pytest.raises(InvalidArgumentError, match=f"^{name}: expected"):
            await write


async def test_a_generator_that_fails_stores_nothing(store: AsyncClickHouseStore, org: str) -> None:
    def failing() -> Any:
        yield message(0, session_id="s")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.write_session(org, session("s"), failing())
    with pytest.raises(ZeroDivisionError):
        await store.write_batch(org, [session("s")], failing())
    assert await nothing_stored(store, org)


async def test_a_bad_record_far_back_stores_nothing_of_a_large_call(store: AsyncClickHouseStore, org: str) -> None:
    messages = [message(n, session_id="s") for n in range(2500)]
    messages.append(message(2500, session_id="s", timestamp=NAIVE))
    with pytest.raises(InvalidArgumentError, match=r"^messages\[2500\].timestamp: .*naive"):
        await store.write_batch(org, [session("s")], messages)
    assert await store.get_session_messages(org, "s") == []


async def test_a_bad_org_is_refused_everywhere(store: AsyncClickHouseStore) -> None:
    bad: Any
    for bad in (None, 5, b"org", ["org"]):
        for write in (
            store.write_session(bad, session("s")),
            store.write_batch(bad, [session("s")]),
            store.write_git_links(bad, [commit("s", "abcd")]),
            store.remove_session_stars(bad, [SessionStar(session_id="s")]),
            store.delete_sessions(bad, ["s"]),
        ):
            with pytest.raises(InvalidArgumentError, match=r"^org_id: expected str"):
                await write


async def test_bad_ids_to_delete_are_refused(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"))
    bad: Any
    for bad in ("s", ["s", ""], ["s", None], ["s", 5], ["s", session("s")]):
        with pytest.raises(InvalidArgumentError, match="session_ids") as caught:
            await store.delete_sessions(org, bad)
        assert caught.value.field == "session_ids"
    assert (await store.get_session(org, "s")).id == "s"


async def test_a_write_error_says_what_is_not_stored_and_why(server: Server, fresh_database: str, org: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        with pytest.raises(WriteError) as caught:
            await store.write_session(org, session("s"), [message(0), message(4)], [call(0)])
        error = caught.value
        assert error.table == "messages"
        assert error.keys == ((org, "s", 0), (org, "s", 4))
        assert re.match("2 rows of messages (are not known to be|were not) stored: ", str(error))
        assert isinstance(error.__cause__, SchemaError)
        refused = error.__cause__.__cause__
        assert isinstance(refused, QueryError)
        assert (refused.code, refused.name) == (60, "UNKNOWN_TABLE")
        assert refused.query_id
        assert not error.retriable
        with pytest.raises(WriteError) as caught:
            await store.write_git_links(org, [commit("s", "abcd")])
        assert (caught.value.table, caught.value.keys) == ("git_links", ((org, "s", "abcd", ""),))
        with pytest.raises(WriteError, match="sessions"):
            await store.delete_sessions(org, ["s"])
        # The store itself is well: with a schema it takes the same write.
        await store.ensure_schema()
        await store.write_session(org, session("s", started_at=at()), [message(0), message(4)], [call(0)])
        assert len(await store.get_session_messages(org, "s")) == 2
        await store.reset_database(store.options.database)
        assert (await store.list_sessions(org)).total == 0
