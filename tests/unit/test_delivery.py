"""One batch on its way: frozen while its outcome is unknown, cut when it is refused, every row accounted for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import anyio
import pytest

from agentstore.errors import AgentStoreError, ConnectionFailedError, StoreClosedError, WriteError
from agentstore.write.clock import OLDEST_ATTEMPT_SECONDS
from agentstore.write.delivery import Delivery
from agentstore.write.entry import Entry
from agentstore.write.outage import OutageLog
from agentstore.write.statistics import Counters
from tests.unit.write_parts import Server, entry_of, keys_of, pass_time, refused, until

LOST = ConnectionFailedError("lost")


def delivery(server: Server, entries: Sequence[Entry], counters: Counters | None = None) -> Delivery:
    for entry in entries:
        entry.deadline = min(entry.deadline, anyio.current_time() + 30)
    return Delivery(entries, server, counters or Counters(), random.Random(1), OutageLog("messages", lambda: 0))


def failed_keys(entry: Entry) -> list[tuple[object, ...]]:
    assert entry.settled
    return list(entry.error.keys) if entry.error is not None else []


async def test_all_rows_are_sent_in_one_insert() -> None:
    server, entries, counters = Server(), [entry_of(1, 2), entry_of(3)], Counters()
    await delivery(server, entries, counters).run()
    assert server.stored == [1, 2, 3]
    assert [entry.error for entry in entries] == [None, None]
    assert (counters.rows_written, counters.batches_written, counters.largest_batch_rows) == (3, 1, 3)


async def test_every_attempt_sends_the_same_bytes_settings_and_token() -> None:
    server, counters = Server(answers=[LOST, refused(202), LOST, None]), Counters()
    await delivery(server, [entry_of(1, 2)], counters).run()
    assert len(server.attempts) == 4
    assert all(attempt == server.attempts[0] for attempt in server.attempts)
    assert counters.retries == 3


async def test_an_attempt_ends_in_time_for_what_relies_on_it_whatever_the_callers_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agentstore.write.delivery.LAST_ATTEMPT_SECONDS", 0)
    server, entry = Server(), entry_of(1)
    server.open.clear()
    sending = delivery(server, [entry])
    sending._deadline = anyio.current_time() + 10**6
    sending._drawn_at -= (OLDEST_ATTEMPT_SECONDS * 1000 - 500) * 10**6
    await sending.run()
    assert failed_keys(entry) == keys_of(1)
    assert isinstance(entry.error, WriteError)
    assert "too old to be sent" in str(entry.error)


async def test_only_the_callers_of_bad_rows_fail_and_are_told_exactly_which() -> None:
    server, counters = Server(poison=[3, 14, 15]), Counters()
    entries = [entry_of(0, 1, 2), entry_of(*range(3, 9)), entry_of(9), entry_of(*range(10, 20)), entry_of(20)]
    await delivery(server, entries, counters).run()
    assert [failed_keys(entry) for entry in entries] == [[], keys_of(3), [], keys_of(14, 15), []]
    assert sorted(server.stored) == [number for number in range(21) if number not in server.poison]
    assert (counters.rows_written, counters.rejected_rows, counters.failed_rows) == (18, 3, 0)


async def test_rows_keep_their_order_when_a_batch_is_cut() -> None:
    server = Server(poison=[7])
    await delivery(server, [entry_of(number) for number in range(12)]).run()
    assert server.stored == [number for number in range(12) if number != 7]


async def test_a_part_has_a_token_of_its_own_and_keeps_it_over_attempts() -> None:
    # The whole is refused; the first half is lost once, then committed; so is the second.
    server = Server(answers=[refused(117), LOST, None, None])
    await delivery(server, [entry_of(1), entry_of(2)]).run()
    whole, first, again, second = server.attempts
    assert first == again
    assert len({server.tokens[0], server.tokens[1], server.tokens[3]}) == 3
    assert whole != first != second
    assert server.stored == [1, 2]


async def test_a_refusal_of_the_statement_is_not_cut() -> None:
    server, entries, counters = Server(answers=[refused(60)]), [entry_of(1, 2), entry_of(3)], Counters()
    await delivery(server, entries, counters).run()
    assert len(server.attempts) == 1
    assert [failed_keys(entry) for entry in entries] == [keys_of(1, 2), keys_of(3)]
    assert counters.rejected_rows == 3


async def test_an_entry_full_of_bad_rows_does_not_hold_up_the_others_for_ever() -> None:
    server = Server(poison=range(1000))
    bad, good = entry_of(*range(1000)), entry_of(1000)
    await delivery(server, [bad, good]).run()
    assert failed_keys(bad) == keys_of(*range(1000))
    assert good.error is None
    assert len(server.attempts) < 80


async def test_at_the_deadline_every_call_gets_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    server, counters = Server(answers=[LOST] * 1000), Counters()
    server.on_insert = lambda: pass_time(monkeypatch, 60) if len(server.attempts) == 3 else None
    deadline = anyio.current_time() + 20
    entries = [entry_of(1, deadline=deadline), entry_of(2, 3, deadline=deadline)]
    await delivery(server, entries, counters).run()
    assert [failed_keys(entry) for entry in entries] == [keys_of(1), keys_of(2, 3)]
    assert all(entry.error is not None and entry.error.retriable for entry in entries)
    assert all(entry.error is not None and entry.error.__cause__ is LOST for entry in entries)
    assert (counters.failed_rows, counters.rejected_rows) == (3, 0)


async def test_cutting_ends_at_the_deadline() -> None:
    server = Server(poison=range(100_000))
    deadline = anyio.current_time() + 0.2
    entries = [entry_of(number, deadline=deadline) for number in range(3000)]
    await delivery(server, entries).run()
    assert all(entry.error is not None for entry in entries)


async def test_abandoned_rows_are_told_and_counted_once() -> None:
    """Cut in half, the first half committed, the second unanswered: only the second is unknown."""
    server, counters, entry, other = Server(answers=[refused(117), None]), Counters(), entry_of(1, 2, 3, 4), entry_of(5)
    server.on_insert = lambda: server.open.clear() if len(server.attempts) == 4 else None
    server.answers = [refused(117), refused(117), None]
    sending = delivery(server, [entry, other], counters)
    task = asyncio.create_task(sending.run())
    await until(lambda: len(server.attempts) == 4)
    task.cancel()
    await asyncio.wait([task])
    sending.abandon(StoreClosedError("closed"))
    assert server.stored == [1, 2]
    assert failed_keys(entry) == keys_of(3, 4)
    assert failed_keys(other) == keys_of(5)
    assert (counters.rows_written, counters.failed_rows, counters.rejected_rows) == (2, 3, 0)


async def test_a_cancellation_while_callers_are_told_loses_none_of_them() -> None:
    server, counters = Server(), Counters()
    entries = [entry_of(number) for number in range(1000)]
    sending = delivery(server, entries, counters)
    task = asyncio.create_task(sending.run())
    await until(lambda: entries[0].settled)
    assert not entries[-1].settled
    task.cancel()
    await asyncio.wait([task])
    assert all(entry.settled and entry.error is None for entry in entries)
    assert counters.rows_written == 1000


async def test_a_late_call_is_not_told_twice() -> None:
    server, counters = Server(answers=[LOST, None]), Counters()
    late, other = entry_of(1), entry_of(2)
    sending = delivery(server, [late, other], counters)
    late.settle(late.failure(AgentStoreError("late"), certain=False))
    await sending.run()
    assert late.error is not None
    assert other.error is None
    assert counters.rows_written == 2


@pytest.mark.parametrize("seed", range(30))
async def test_whatever_is_refused_and_lost_every_row_has_one_outcome(seed: int) -> None:
    rng = random.Random(seed)
    bad = set(rng.sample(range(60), rng.choice([0, 1, 3, 8])))
    server = Server(poison=sorted(bad), answers=[rng.choice([LOST, None]) for _ in range(3)])
    entries, start = [], 0
    while start < 60:
        stop = min(60, start + rng.randint(1, 15))
        entries.append(entry_of(*range(start, stop)))
        start = stop
    counters = Counters()
    await delivery(server, entries, counters).run()
    told = {key[2] for entry in entries for key in failed_keys(entry)}
    assert told == bad
    assert server.stored == [number for number in range(60) if number not in bad]
    assert (counters.rows_written, counters.rejected_rows) == (60 - len(bad), len(bad))
