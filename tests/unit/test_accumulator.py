"""The batcher's decisions, one plain assert each: what is sent, when, why, and what may be accepted."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from agentstore.write.accumulator import Accumulator, Done, Flush, Limits, Wait


@dataclass(eq=False)
class Rows:
    """An entry with the facts the accumulator asks for."""

    name: str = ""
    row_count: int = 1
    byte_count: int = 10
    accepted_at: float = 100.0
    deadline: float = 160.0
    ready: bool = True
    settled: bool = False

    def __repr__(self) -> str:
        return self.name


def accumulator(
    *,
    batch_rows: int = 10,
    batch_bytes: int = 1000,
    linger_seconds: float = 0.01,
    waiting_rows: int = 20,
    waiting_bytes: int = 2000,
) -> Accumulator[Rows]:
    return Accumulator(Limits(batch_rows, batch_bytes, linger_seconds, waiting_rows, waiting_bytes))


def filled(*entries: Rows, **limits: float) -> Accumulator[Rows]:
    found = accumulator(**limits)  # type: ignore[arg-type]  # ints where ints belong
    for entry in entries:
        found.add(entry)
    return found


def sent(found: Accumulator[Rows], now: float = 100.0) -> tuple[list[Rows], str]:
    action = found.decide(now)
    assert isinstance(action, Flush), action
    return action.entries, action.reason


# --- when: rows, bytes, linger --------------------------------------------------------------------------------------


def test_nothing_waits_until_something_is_added() -> None:
    assert accumulator().decide(100.0) == Wait(None)


def test_a_first_row_lingers_from_its_acceptance() -> None:
    assert filled(Rows()).decide(100.0) == Wait(100.01)


def test_later_rows_do_not_prolong_the_linger() -> None:
    assert filled(Rows(), Rows(accepted_at=100.009)).decide(100.009) == Wait(100.01)


def test_what_lingered_is_sent_with_all_that_came_meanwhile() -> None:
    first, second = Rows(), Rows(accepted_at=100.009)
    assert sent(filled(first, second), 100.01) == ([first, second], "linger")


def test_without_linger_a_row_is_sent_at_once() -> None:
    only = Rows()
    assert sent(filled(only, linger_seconds=0.0)) == ([only], "linger")


def test_enough_rows_are_sent_at_once() -> None:
    entries = [Rows(row_count=5), Rows(row_count=5)]
    assert sent(filled(*entries)) == (entries, "rows")


def test_enough_bytes_are_sent_at_once() -> None:
    entries = [Rows(byte_count=600), Rows(byte_count=400)]
    assert sent(filled(*entries)) == (entries, "bytes")


def test_a_batch_stays_within_its_rows() -> None:
    first, second = Rows(row_count=6), Rows(row_count=6)
    found = filled(first, second)
    assert sent(found) == ([first], "rows")
    assert found.waiting == [second]


def test_a_batch_stays_within_its_bytes() -> None:
    first, second = Rows(byte_count=600), Rows(byte_count=600)
    found = filled(first, second)
    assert sent(found) == ([first], "bytes")
    assert found.waiting == [second]


def test_an_entry_larger_than_a_batch_is_sent_alone() -> None:
    large, small = Rows(row_count=50), Rows()
    found = filled(large, small, waiting_rows=1000)
    assert sent(found) == ([large], "rows")
    assert found.waiting == [small]


def test_what_is_left_behind_a_full_batch_lingers_on_its_own() -> None:
    found = filled(Rows(row_count=10), Rows(accepted_at=100.005))
    sent(found)
    found.settle()
    assert found.decide(100.006) == Wait(100.005 + 0.01)


def test_batches_are_counted_by_reason() -> None:
    found = filled(Rows(row_count=10), Rows(byte_count=1000), Rows())
    for _ in range(3):
        sent(found, 200.0)
        found.settle()
    assert found.reasons == {"rows": 1, "bytes": 1, "linger": 1}


# --- order and one batch in flight ----------------------------------------------------------------------------------


def test_one_batch_is_in_flight_at_a_time() -> None:
    found = filled(Rows(), Rows(row_count=10))
    sent(found, 200.0)
    assert found.decide(200.0) == Wait(None)
    found.settle()
    assert sent(found, 200.0)[1] == "rows"


def test_entries_leave_in_the_order_they_came() -> None:
    entries = [Rows(str(number), row_count=4) for number in range(5)]
    found, left = filled(*entries), []
    while found.waiting:
        left += sent(found, 200.0)[0]
        found.settle()
    assert left == entries


def test_an_entry_that_is_not_ready_is_not_sent_and_nobody_overtakes_it() -> None:
    found = filled(Rows(ready=False), Rows(row_count=10))
    assert found.decide(200.0) == Wait(None)


def test_what_is_ready_before_it_is_sent() -> None:
    first, blocked = Rows(), Rows(ready=False)
    found = filled(first, blocked)
    assert sent(found, 200.0) == ([first], "linger")
    found.settle()
    blocked.ready = True
    assert sent(found, 200.0) == ([blocked], "linger")


def test_rows_that_are_not_ready_do_not_make_a_batch_full() -> None:
    assert filled(Rows(), Rows(row_count=10, ready=False)).decide(100.0) == Wait(100.01)


# --- flush ----------------------------------------------------------------------------------------------------------


def test_a_flush_sends_without_lingering() -> None:
    only = Rows()
    found = filled(only)
    found.request_flush()
    assert sent(found) == ([only], "flush")


def test_a_flush_is_over_with_what_was_accepted_before_it() -> None:
    before, after = Rows(row_count=10), Rows()
    found = filled(before)
    found.request_flush()
    found.add(after)
    assert sent(found)[0] == [before]
    found.settle()
    assert found.decide(100.0) == Wait(100.01)


def test_a_flush_lasts_over_several_batches() -> None:
    entries = [Rows(row_count=8), Rows(row_count=8)]
    found = filled(*entries)
    found.request_flush()
    assert sent(found)[0] == entries[:1]
    found.settle()
    assert sent(found) == (entries[1:], "flush")


def test_a_flush_waits_for_what_is_not_ready_and_then_does_not_linger() -> None:
    blocked = Rows(ready=False)
    found = filled(blocked)
    found.request_flush()
    assert found.decide(100.0) == Wait(None)
    blocked.ready, blocked.accepted_at = True, 100.0
    assert sent(found) == ([blocked], "flush")


def test_a_flush_outlives_the_withdrawal_of_an_entry() -> None:
    gone, kept, after = Rows(), Rows(), Rows(accepted_at=100.1)
    found = filled(gone, kept)
    found.request_flush()
    found.add(after)
    found.withdraw(gone)
    assert sent(found)[1] == "flush"
    found.settle()
    assert found.decide(100.1) == Wait(None)


def test_a_flush_of_nothing_is_nothing() -> None:
    found = accumulator()
    found.request_flush()
    assert found.decide(100.0) == Wait(None)
    found.add(Rows())
    assert found.decide(100.0) == Wait(100.01)


# --- close ----------------------------------------------------------------------------------------------------------


def test_a_close_with_nothing_left_is_done() -> None:
    found = accumulator()
    found.close()
    assert found.decide(100.0) == Done()


def test_a_close_sends_without_lingering_and_is_done_when_all_is_settled() -> None:
    only = Rows()
    found = filled(only)
    found.close()
    assert sent(found) == ([only], "close")
    assert found.decide(100.0) == Wait(None)
    found.settle()
    assert found.decide(100.0) == Done()


def test_a_close_waits_for_what_is_not_ready() -> None:
    blocked = Rows(ready=False)
    found = filled(blocked)
    found.close()
    assert found.decide(100.0) == Wait(None)
    found.withdraw(blocked)
    assert found.decide(100.0) == Done()


# --- bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row_count", "byte_count", "fits"),
    [(5, 10, True), (6, 10, False), (1, 500, True), (1, 501, False), (6, 501, False)],
)
def test_rows_and_bytes_are_bounded(row_count: int, byte_count: int, fits: bool) -> None:
    assert filled(Rows(row_count=15, byte_count=1500)).has_room(row_count, byte_count) is fits


def test_what_is_in_flight_takes_room_until_it_is_settled() -> None:
    found = filled(Rows(row_count=20))
    sent(found)
    assert not found.has_room(1, 1)
    found.settle()
    assert found.has_room(20, 1)


def test_one_entry_larger_than_the_bounds_is_accepted_when_nothing_else_waits() -> None:
    assert accumulator().has_room(1_000_000, 1_000_000_000)
    assert not filled(Rows()).has_room(1_000_000, 1)


def test_a_withdrawn_entry_gives_its_room_back_once() -> None:
    entry = Rows(row_count=20, byte_count=2000)
    found = filled(entry)
    assert found.withdraw(entry)
    assert not found.withdraw(entry)
    assert (found.rows, found.bytes) == (0, 0)


def test_an_entry_in_flight_cannot_be_withdrawn() -> None:
    entry = Rows(row_count=10)
    found = filled(entry)
    sent(found)
    assert not found.withdraw(entry)
    assert found.rows == 10


# --- who has to be told, and who has to wake ------------------------------------------------------------------------


def test_overdue_entries_are_found_sent_or_not() -> None:
    flying, late, early = Rows(row_count=10, deadline=150.0), Rows(deadline=151.0), Rows(deadline=160.0)
    found = filled(flying, late, early)
    sent(found)
    assert list(found.overdue(149.9)) == []
    assert list(found.overdue(151.0)) == [flying, late]


def test_who_was_told_is_not_overdue_again() -> None:
    told, other = Rows(deadline=150.0, settled=True), Rows(deadline=151.0)
    found = filled(told, other)
    assert list(found.overdue(155.0)) == [other]
    assert found.next_deadline() == 151.0


def test_without_entries_there_is_no_deadline() -> None:
    assert accumulator().next_deadline() is None


def test_only_an_entry_that_changes_the_decision_asks_for_one() -> None:
    found = accumulator()
    assert [found.add(Rows(row_count=4)) for _ in range(4)] == [True, False, True, True]


# --- whatever comes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_no_entry_is_lost_doubled_or_overtaken(seed: int) -> None:
    """Random steps; every entry accepted is sent exactly once, in order, or withdrawn, and the bounds add up."""
    rng = random.Random(seed)
    found, accepted, left, withdrawn, now = accumulator(), [], [], set(), 100.0
    for number in range(300):
        now += rng.random() * 0.01
        step = rng.randrange(6)
        entry = Rows(str(number), rng.randint(1, 12), rng.randint(1, 1200), now, now + 60, rng.random() < 0.8)
        if step < 3 and found.has_room(entry.row_count, entry.byte_count):
            found.add(entry)
            accepted.append(entry)
        elif step == 3 and found.waiting:
            gone = rng.choice(found.waiting)
            withdrawn.add(gone)
            assert found.withdraw(gone)
        elif step == 4:
            found.request_flush()
        else:
            for waiting in found.waiting:
                waiting.ready = True
        if not isinstance(action := found.decide(now), Flush):
            continue
        left += action.entries
        if rng.random() < 0.7:
            found.settle()
        assert sum(e.row_count for e in [*found.in_flight, *found.waiting]) == found.rows
        assert sum(e.byte_count for e in [*found.in_flight, *found.waiting]) == found.bytes
        if found.in_flight:
            found.settle()
    found.close()
    for waiting in found.waiting:
        waiting.ready = True
    while isinstance(action := found.decide(now), Flush):
        left += action.entries
        found.settle()
    assert action == Done()
    assert left == [entry for entry in accepted if entry not in withdrawn]
    assert (found.rows, found.bytes) == (0, 0)


def test_a_hundred_thousand_entries_cost_no_more_than_a_hundred_thousand_steps() -> None:
    """Counted, not timed: each entry's size is asked for a bounded number of times."""
    asked = 0

    class Counting(Rows):
        @property
        def row_count(self) -> int:
            nonlocal asked
            asked += 1
            return 1

        @row_count.setter
        def row_count(self, value: int) -> None:
            pass

    found = accumulator(batch_rows=5_000, batch_bytes=10**9, linger_seconds=1.0, waiting_rows=10**6)
    found.limits = Limits(5_000, 10**9, 1.0, 10**6, 10**9)
    entries = [Counting() for _ in range(100_000)]
    for entry in entries:
        found.has_room(1, 1)
        if found.add(entry):
            found.decide(100.0)
    for entry in entries[-20_000:]:
        found.withdraw(entry)
    while found.waiting:
        found.settle()
        sent(found)
    assert asked < 12 * len(entries)
