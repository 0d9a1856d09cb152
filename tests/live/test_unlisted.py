"""Sessions with messages of the user and without their number: stored as they are, not listed, and warned of once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, Session
from tests.builders import call, message, session

Case = Callable[[AsyncClickHouseStore, str, list[Session], list[Any]], Awaitable[Any]]


async def submitted(receipt: Any) -> None:
    await receipt


CASES: dict[str, Case] = {
    "write_session": lambda store, org, sessions, rows: store.write_session(org, sessions[0], rows),
    "write_session, replace": lambda store, org, sessions, rows: store.write_session(
        org, sessions[0], rows, replace=True
    ),
    "write_batch": lambda store, org, sessions, rows: store.write_batch(org, sessions, rows),
    "submit_session": lambda store, org, sessions, rows: submitted(store.submit_session(org, sessions[0], rows)),
    "submit_batch": lambda store, org, sessions, rows: submitted(store.submit_batch(org, sessions, rows)),
}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "agentstore"]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_it_is_stored_and_warned_of_once(
    store: AsyncClickHouseStore, org: str, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    for id in ("forgotten", "again"):
        silent = session(id, user_message_count=0)
        await CASES[name](store, org, [silent], [message(0, "hello", session_id=id), message(1, session_id=id)])
        assert (await store.get_session(org, id)).user_message_count == 0
    assert (await store.list_sessions(org)).total == 0
    (said,) = warnings(caplog)
    assert caplog.records[-1].levelno == logging.WARNING
    assert "session 'forgotten' has" in said
    assert "user_message_count" in said


async def test_what_is_meant_to_be_hidden_or_is_seen_is_no_warning(
    store: AsyncClickHouseStore, org: str, caplog: pytest.LogCaptureFixture
) -> None:
    assistant = message(0, "hello", session_id="silent", role="assistant")
    await store.write_session(org, session("silent", user_message_count=0), [assistant], [call(0)])
    await store.write_session(org, session("alone", user_message_count=0))
    await store.write_session(org, session("counted"), [message(0)])
    # The messages of the user are another session's.
    batch = [session("silent", user_message_count=0), session("counted")]
    await store.write_batch(org, batch, [assistant, message(0, session_id="counted")])
    await store.write_batch(org, [], [message(5, session_id="silent")])
    assert warnings(caplog) == []


async def test_a_long_id_does_not_fill_the_log(
    store: AsyncClickHouseStore, org: str, caplog: pytest.LogCaptureFixture
) -> None:
    await store.write_session(org, session("x\n" * 50_000, user_message_count=0), [message(0)])
    (said,) = warnings(caplog)
    assert len(said) < 500
    assert "\n" not in said
