"""Stages of a call: the next one waits for all of the one before, and fails with the first of it that fails."""

from __future__ import annotations

from agentstore.errors import WriteError
from agentstore.write.entry import Barrier
from tests.unit.write_parts import entry_of


def test_what_comes_next_is_ready_when_all_of_the_stage_is_settled() -> None:
    stage, following = [entry_of(1), entry_of(2)], [entry_of(3), entry_of(4)]
    barrier = Barrier(stage)
    for entry in following:
        entry.depend_on(barrier, required=True)
    stage[1].settle()
    assert [entry.ready for entry in following] == [False, False]
    stage[0].settle()
    assert [entry.ready for entry in following] == [True, True]
    assert not any(entry.settled for entry in following)


def test_what_comes_next_fails_with_the_first_that_fails_and_once() -> None:
    stage, following = [entry_of(1), entry_of(2), entry_of(3)], entry_of(4)
    following.depend_on(Barrier(stage), required=True)
    stage[1].settle(WriteError("first"))
    assert following.settled
    first = following.error
    assert first is not None
    assert "first" in str(first)
    stage[0].settle(WriteError("second"))
    stage[2].settle()
    assert following.error is first


def test_a_stage_that_is_settled_already_holds_up_nobody() -> None:
    done, failed = entry_of(1), entry_of(2)
    done.settle()
    failed.settle(WriteError("gone"))
    ready, refused = entry_of(3), entry_of(4)
    ready.depend_on(Barrier([done]), required=True)
    refused.depend_on(Barrier([done, failed]), required=True)
    assert ready.ready
    assert not ready.settled
    assert refused.settled


def test_the_entries_of_two_stages_are_linked_in_their_sum() -> None:
    stage, following = [entry_of(1) for _ in range(300)], [entry_of(2) for _ in range(300)]
    barrier = Barrier(stage)
    for entry in following:
        entry.depend_on(barrier, required=True)
    assert sum(len(entry._dependents) for entry in stage) == 300
    assert len(barrier._dependents) == 300
