"""Rounds of decisions: nobody waits for ever, and nobody is told of another organisation's sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from agentstore import SessionDelete
from agentstore.connection.sql import Sql
from agentstore.errors import AgentStoreError, QueryError, StoreClosedError
from agentstore.protocols import Columns
from agentstore.write.families import Families, undecided
from agentstore.write.looptime import loop_time
from agentstore.write.sources import marker_of
from agentstore.write.touched import Touched
from agentstore.write.versions import Versions
from tests.builders import call, commit, message, session


class Server:
    """Answers that nothing is shared, once it is ``open``; refuses what is about the organisation "bad"."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[str] = []

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        self.asked.append(query.text)
        await self.open.wait()
        if "'bad'" in query.text:
            raise QueryError("refused", code=497, name="ACCESS_DENIED")
        if "'broken'" in query.text:
            raise RuntimeError("a mistake of ours")
        return []

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        await self.fetch(query, settings)


def families(server: Server) -> Families:
    return Families(server, Versions(server), deadline_seconds=5)


def touched(org_id: str, *ids: str) -> Touched:
    return Touched(org_id, written=set(ids))


async def test_what_touches_nothing_needs_no_decision() -> None:
    server = Server()
    assert families(server).add(Touched("o")) is None
    assert server.asked == []


async def test_all_that_wait_share_one_round() -> None:
    server = Server()
    tested = families(server)
    server.open.clear()
    first = tested.add(touched("o", "a"))
    assert first is not None
    await asyncio.sleep(0)
    rest = [tested.add(touched("o", id)) for id in "bcd"]
    server.open.set()
    await tested.drained()
    assert first.done()
    assert all(one is not None and one.done() for one in rest)
    assert len(server.asked) == 2
    assert all(str(marker_of(id)) in server.asked[1] for id in "bcd")


@pytest.mark.parametrize("bad", ["bad", "broken"])
async def test_what_fails_is_told_to_its_own_organisation_only(bad: str) -> None:
    server = Server()
    tested = families(server)
    failing, fine = tested.add(touched(bad, "secret")), tested.add(touched("good", "s"))
    assert failing is not None
    assert fine is not None
    await asyncio.wait([failing, fine])
    fine.result()
    with pytest.raises(AgentStoreError, match="refused" if bad == "bad" else "unexpected RuntimeError"):
        failing.result()
    # And goes on with the next one.
    again = tested.add(touched("good", "t"))
    assert again is not None
    await again


async def test_closing_tells_all_who_wait() -> None:
    server = Server()
    tested = families(server)
    server.open.clear()
    waiting = [tested.add(touched("o", "a"))]
    await asyncio.sleep(0)
    waiting += [tested.add(touched("o", "b")), tested.add(touched("p", "c"))]
    await tested.aclose(deadline=loop_time())
    late = tested.add(touched("o", "d"))
    for one in [*waiting, late]:
        assert one is not None
        with pytest.raises(StoreClosedError):
            await one


async def test_a_task_that_is_cancelled_before_its_first_step_leaves_nobody_waiting() -> None:
    tested = families(Server())
    decided = tested.add(touched("o", "a"))
    (task,) = (one for one in asyncio.all_tasks() if one.get_name() == "agentstore-families")
    task.cancel()
    assert decided is not None
    with pytest.raises(StoreClosedError):
        await decided
    again = tested.add(touched("o", "a"))
    assert again is not None
    await again


async def test_what_comes_as_a_round_ends_has_a_round_of_its_own() -> None:
    """In the same turn of the loop in which the task has ended, and its callback has not run yet."""
    tested = families(Server())
    for _ in range(50):
        decided = tested.add(touched("o", "a"))
        assert decided is not None
        following: list[asyncio.Future[None]] = []

        def add(_: object, following: list[asyncio.Future[None]] = following) -> None:
            added = tested.add(touched("o", "b"))
            assert added is not None
            following.append(added)

        decided.add_done_callback(add)
        await decided
        await asyncio.sleep(0)
        for one in following:
            await one


def test_a_caller_is_told_of_its_own_rows() -> None:
    one = Touched("o")
    list(one.sessions([[session("s")]]))
    list(one.messages([[message(0, session_id="s", source_id="x"), message(4, session_id="t", source_id="y")]]))
    list(one.links([[commit("u", "abcd")]]))
    list(one.calls([[call(1, session_id="v", tool_use_id="c")]]))
    list(one.marks([[SessionDelete(session_id="w")]]))
    reason = StoreClosedError("closed")
    error = undecided(one.removal(["x"]), reason)
    named = {(part.table, key) for part in (error, *error.others) for key in part.keys}
    assert named == {
        ("sessions", ("o", "s")),
        ("messages", ("o", "t", 4)),
        ("git_links", ("o", "u", "abcd", "")),
        ("tool_calls", ("o", "v", 1, "c", 0)),
        ("session_deletes", ("o", "w")),
        ("sessions", ("o", "x")),
    }
    assert error.__cause__ is reason
    assert error.retriable
    assert "may be counted twice" in str(error)
