"""Trying again: how long, how often, and what is not tried again."""

from __future__ import annotations

import asyncio
import random
from itertools import islice

import anyio
import pytest

from agentstore.errors import AgentStoreError, ConnectionFailedError, OperationTimeoutError, QueryError
from agentstore.write.retry import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    SHORTEST_ATTEMPT_SECONDS,
    attempt_seconds,
    pause_seconds,
    pauses,
    retried,
)
from tests.unit.write_parts import pass_time


class Attempts:
    """Fails as often as it is told, then succeeds; counts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def in_seconds(seconds: float) -> float:
    return anyio.current_time() + seconds


def test_pauses_grow_and_are_capped() -> None:
    class Steady(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return 1.0

    found = list(islice(pauses(Steady()), 12))
    assert found[:4] == [FIRST_PAUSE_SECONDS * factor for factor in (1, 2, 4, 8)]
    assert found[-1] == LONGEST_PAUSE_SECONDS


def test_pauses_are_jittered() -> None:
    first = {next(pauses(random.Random(seed))) for seed in range(100)}
    assert len(first) > 90
    assert all(FIRST_PAUSE_SECONDS / 2 <= pause <= FIRST_PAUSE_SECONDS * 1.5 for pause in first)


@pytest.mark.parametrize(
    ("remaining", "allowed"), [(60.0, 30.0), (10.0, 5.0), (1.5, SHORTEST_ATTEMPT_SECONDS), (0.4, 0.4)]
)
def test_an_attempt_leaves_time_for_another(remaining: float, allowed: float) -> None:
    assert attempt_seconds(remaining) == allowed


@pytest.mark.parametrize(
    ("pause", "remaining", "wait"), [(5.0, 60.0, 5.0), (5.0, 4.0, 2.0), (1.0, 0.01, None), (1.0, -3.0, None)]
)
def test_a_pause_leaves_time_for_another_attempt(pause: float, remaining: float, wait: float | None) -> None:
    assert pause_seconds(pause, remaining) == wait


async def test_a_retriable_failure_is_tried_again_until_it_succeeds() -> None:
    attempts = Attempts(ConnectionFailedError("lost"), QueryError("busy", code=202))
    told: list[tuple[str, float]] = []

    def note(error: AgentStoreError, pause: float) -> None:
        told.append((str(error), pause))

    assert await retried(attempts, deadline=in_seconds(30), rng=random.Random(1), on_retry=note) == "done"
    assert attempts.count == 3
    assert [text for text, _ in told] == ["lost", "busy"]
    assert 0 < told[0][1] < told[1][1] < 1


@pytest.mark.parametrize("error", [QueryError("bad", code=27), AgentStoreError("other"), ValueError("a mistake")])
async def test_anything_else_is_raised_at_once(error: Exception) -> None:
    attempts = Attempts(error)
    with pytest.raises(type(error)) as caught:
        await retried(attempts, deadline=in_seconds(30), rng=random.Random(1))
    assert caught.value is error
    assert attempts.count == 1


async def test_at_the_deadline_the_last_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Attempts(*(ConnectionFailedError(f"lost {number}") for number in range(1000)))

    async def attempt() -> str:
        if attempts.count == 3:
            pass_time(monkeypatch, 60)
        return await attempts()

    with pytest.raises(ConnectionFailedError, match="lost 3"):
        await retried(attempt, deadline=in_seconds(20), rng=random.Random(1))
    assert attempts.count == 4


async def test_a_pause_that_ends_too_late_does_not_hide_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Attempts(ConnectionFailedError("lost"))
    with pytest.raises(ConnectionFailedError, match="lost"):
        await retried(
            attempts,
            deadline=in_seconds(20),
            rng=random.Random(1),
            on_retry=lambda error, pause: pass_time(monkeypatch, 60),
        )
    assert attempts.count == 1


async def test_an_attempt_that_hangs_is_cut_off_at_the_deadline() -> None:
    with pytest.raises(OperationTimeoutError, match="no answer within"):
        await retried(asyncio.Event().wait, deadline=in_seconds(0.1), rng=random.Random(1))


async def test_without_time_nothing_is_attempted() -> None:
    attempts = Attempts()
    with pytest.raises(OperationTimeoutError, match="before it was sent"):
        await retried(attempts, deadline=in_seconds(-1), rng=random.Random(1))
    assert attempts.count == 0


async def test_a_cancellation_is_not_an_error_to_try_again() -> None:
    attempt = asyncio.create_task(retried(asyncio.Event().wait, deadline=in_seconds(30), rng=random.Random(1)))
    await asyncio.sleep(0)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
