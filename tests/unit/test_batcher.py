"""The queue of one table and the task that empties it, against a server played by a list."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from agentstore.errors import ConnectionFailedError, OperationTimeoutError, StoreClosedError, WriteError
from agentstore.write.accumulator import Limits
from agentstore.write.batcher import Batcher
from agentstore.write.entry import Entry
from agentstore.write.rows import MESSAGES
from tests.unit.write_parts import Server, entry_of, keys_of, refused, until

LOST = ConnectionFailedError("lost")


@asynccontextmanager
async def running(
    server: Server, *, deadline_seconds: float = 30.0, waiting_rows: int = 100, batch_rows: int = 10
) -> AsyncIterator[Batcher]:
    limits = Limits(batch_rows, 10**6, 0.0, waiting_rows, 10**6)
    batcher = Batcher(MESSAGES, server, limits, deadline_seconds=deadline_seconds, rng=random.Random(1))
    batcher.start()
    yield batcher
    await batcher.aclose(anyio.current_time() + 30)
    figures = batcher.statistics()
    assert figures.accepted_rows == figures.rows_written + figures.rejected_rows + figures.failed_rows
    assert (figures.waiting_rows, figures.waiting_bytes, figures.current_batch_rows) == (0, 0, 0)


async def put(batcher: Batcher, *ordinals: int) -> Entry:
    entry = entry_of(*ordinals)
    await batcher.put(entry)
    return entry


def reason_of(entry: Entry) -> BaseException | None:
    assert entry.error is not None
    return entry.error.__cause__


async def test_what_comes_while_a_batch_is_in_flight_goes_together() -> None:
    server = Server()
    async with running(server) as batcher:
        server.open.clear()
        entries = [await put(batcher, 0)]
        await until(lambda: len(server.attempts) == 1)
        entries += [await put(batcher, number) for number in range(1, 6)]
        server.open.set()
        for entry in entries:
            await entry.wait()
        assert list(server.committed.values()) == [[0], [1, 2, 3, 4, 5]]


async def test_calls_are_told_at_their_deadline_though_the_server_hangs() -> None:
    """In flight: of unknown outcome, and counted when it is known. Waiting behind it: never sent."""
    server = Server()
    async with running(server, deadline_seconds=0.2) as batcher:
        server.open.clear()
        flying = await put(batcher, 1)
        await until(lambda: len(server.attempts) == 1)
        waiting = await put(batcher, 2)
        # Due in the same turn of the loop: a moment later it would be in flight itself, and of unknown outcome.
        waiting.deadline = flying.deadline
        for entry in (flying, waiting):
            await entry.wait()
            assert entry.error is not None
            assert isinstance(reason_of(entry), OperationTimeoutError)
        assert "not known to be stored" in str(flying.error)
        assert "were not stored" in str(waiting.error)
        server.open.set()
    assert 2 not in server.stored


async def test_an_error_at_the_deadline_says_what_the_server_said_last() -> None:
    server = Server(answers=[LOST] * 1000)
    async with running(server, deadline_seconds=0.3) as batcher:
        entry = await put(batcher, 1)
        await entry.wait()
        assert entry.error is not None
        assert "lost" in str(entry.error)


async def test_a_batch_without_an_answer_is_given_up_at_its_deadline_and_holds_up_nobody() -> None:
    """An attempt that arrives late undoes nothing: its rows carry the version of their call, as every attempt does."""
    unanswered = ConnectionFailedError("cut")
    unanswered.outcome_unknown = True
    server = Server(answers=[unanswered] * 10_000)
    async with running(server, deadline_seconds=0.3) as batcher:
        first = await put(batcher, 1)
        await first.wait()
        assert first.error is not None
        assert "not known to be stored" in str(first.error)
        await batcher.drained()
        attempts = list(server.attempts)
        server.answers.clear()
        second = await put(batcher, 2)
        await second.wait()
        assert second.error is None
    assert server.stored == [2]
    assert all(attempt == attempts[0] for attempt in attempts)


async def test_what_was_never_sent_holds_up_nobody_beyond_its_deadline() -> None:
    server = Server(answers=[LOST] * 10_000)
    async with running(server, deadline_seconds=0.2) as batcher:
        first = await put(batcher, 1)
        await first.wait()
        server.answers.clear()
        second = await put(batcher, 2)
        await second.wait()
        assert second.error is None
    assert server.stored == [2]


async def test_callers_wait_for_room_first_come_first_served() -> None:
    server = Server()
    async with running(server, waiting_rows=2, batch_rows=1) as batcher:
        server.open.clear()
        tasks = [asyncio.create_task(put(batcher, number)) for number in range(6)]
        await until(lambda: len(server.attempts) == 1)
        assert [task.done() for task in tasks] == [True, True, False, False, False, False]
        server.open.set()
        for task in tasks:
            await (await task).wait()
        assert server.stored == list(range(6))


async def test_a_caller_who_gives_up_waiting_for_room_holds_up_nobody() -> None:
    server = Server()
    async with running(server, waiting_rows=1) as batcher:
        server.open.clear()
        first = await put(batcher, 0)
        impatient, patient = (asyncio.create_task(put(batcher, number)) for number in (1, 2))
        await until(lambda: len(server.attempts) == 1)
        impatient.cancel()
        await asyncio.wait([impatient])
        server.open.set()
        await first.wait()
        await (await patient).wait()
        assert server.stored == [0, 2]


async def test_a_call_that_finds_no_room_in_time_is_told_so() -> None:
    """Or that it was not sent in time: the call before it is given up at about the same moment, which makes room."""
    server = Server()
    async with running(server, waiting_rows=1, deadline_seconds=0.2) as batcher:
        server.open.clear()
        await put(batcher, 0)
        entry = entry_of(1, 2)
        try:
            await batcher.put(entry)
            await entry.wait()
        except WriteError as full:
            entry.settle(full)
        assert entry.error is not None
        assert list(entry.error.keys) == keys_of(1, 2)
        assert isinstance(reason_of(entry), OperationTimeoutError)
        server.open.set()


async def test_an_entry_whose_requirement_fails_is_never_sent() -> None:
    server = Server(answers=[refused(60)])
    other, batcher_server = Server(), server
    async with running(batcher_server) as first, running(other) as second:
        required, dependent = entry_of(1), entry_of(2)
        dependent.depend_on(required, required=True)
        await second.put(dependent)
        await first.put(required)
        await dependent.wait()
        assert dependent.error is not None
        assert dependent.error.__cause__ is required.error
        assert second.statistics().rejected_rows == 1
    assert other.attempts == []


async def test_an_entry_waits_for_what_it_only_follows_and_survives_its_failure() -> None:
    first_server, second_server = Server(answers=[refused(60)]), Server()
    async with running(first_server) as first, running(second_server) as second:
        followed, follower, behind = entry_of(1), entry_of(2), entry_of(3)
        first_server.open.clear()
        await first.put(followed)
        follower.depend_on(followed, required=False)
        await second.put(follower)
        await second.put(behind)
        await until(lambda: len(first_server.attempts) == 1)
        assert second_server.attempts == []
        first_server.open.set()
        await behind.wait()
        assert (follower.error, behind.error) == (None, None)
        assert second_server.stored == [2, 3]


async def test_closing_at_once_fails_what_is_left_and_ends_the_task() -> None:
    server = Server()
    async with running(server, batch_rows=1) as batcher:
        server.open.clear()
        entries = [await put(batcher, number) for number in range(3)]
        await until(lambda: len(server.attempts) == 1)
        await asyncio.gather(batcher.aclose(0.0), batcher.aclose(0.0))
        assert all(isinstance(reason_of(entry), StoreClosedError) for entry in entries)
        assert "not known to be stored" in str(entries[0].error)
        assert "were not stored" in str(entries[2].error)
        with pytest.raises(StoreClosedError):
            await put(batcher, 9)


async def test_a_mistake_of_ours_fails_its_batch_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    async with running(server, batch_rows=1) as batcher:
        server.answers = [ZeroDivisionError(), None]  # type: ignore[list-item]  # what must not happen
        bad, good = await put(batcher, 1), await put(batcher, 2)
        await bad.wait()
        await good.wait()
        assert bad.error is not None
        assert "ZeroDivisionError" in str(bad.error)
        assert good.error is None
    assert "failed unexpectedly" in caplog.text


async def test_nothing_holds_a_batch_that_is_settled() -> None:
    def alive() -> int:
        return sum(isinstance(one, Entry) for one in gc.get_objects())

    gc.collect()
    before = alive()
    async with running(Server()) as batcher:
        entry = await put(batcher, 1)
        assert alive() == before + 1
        await entry.wait()
        await until(lambda: batcher.statistics().waiting_rows == 0)
        assert batcher.tail is None
        del entry
        await until(lambda: alive() == before)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {record.name for record in caplog.records} <= {"agentstore.write"}
    return [record.getMessage() for record in caplog.records]


async def test_an_outage_is_one_line_and_its_end_another(caplog: pytest.LogCaptureFixture) -> None:
    """However many calls wait, rows they have, and attempts are made."""
    server = Server(answers=[ConnectionFailedError("lost " + "x" * 100_000)] * 5)
    async with running(server, waiting_rows=10_000, batch_rows=10_000) as batcher:
        entries = [await put(batcher, *range(n * 10, n * 10 + 10)) for n in range(200)]
        for entry in entries:
            await entry.wait()
            assert entry.error is None
    failed, recovered = lines(caplog)
    assert failed.startswith("messages: rows cannot be stored; 2000 rows wait, next attempt in 0.")
    assert "ConnectionFailedError: lost xxx" in failed
    assert len(failed) < 500
    assert recovered.startswith("messages: rows are stored again after ")
    assert recovered.endswith(" s and 5 failed attempts; 2000 rows waited")


async def test_an_outage_over_several_batches_is_one(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(answers=[refused(60)] * 20)
    async with running(server) as batcher:
        for number in range(20):
            await (await put(batcher, number)).wait()
        assert len(lines(caplog)) == 1
        await (await put(batcher, 20)).wait()
    failed, recovered = lines(caplog)
    assert "not tried again: QueryError: refused" in failed
    assert "20 failed attempts" in recovered


async def test_refused_rows_are_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    async with running(Server(poison=[1])) as batcher:
        entries = [await put(batcher, number) for number in range(3)]
        for entry in entries:
            await entry.wait()
    assert lines(caplog) == []
