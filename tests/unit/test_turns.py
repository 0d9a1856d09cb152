"""Turns: one after the other, in the order in which they were taken, however a write ends."""

from __future__ import annotations

import asyncio

from agentstore.write.turns import _PREPARED_AHEAD, Turn, Turns


async def has_come(turn: Turn) -> bool:
    coming = asyncio.create_task(turn.comes())
    for _ in range(5):
        await asyncio.sleep(0)
    coming.cancel()
    await asyncio.wait([coming])
    return not coming.cancelled()


async def test_each_comes_when_all_before_it_have_ended() -> None:
    turns = Turns()
    first, second, third = (turns.take() for _ in range(3))
    assert await has_come(first)
    assert not await has_come(second)
    first.end()
    assert await has_come(second)
    assert not await has_come(third)
    second.end()
    assert await has_come(third)


async def test_one_that_is_given_up_gives_up_no_other() -> None:
    turns = Turns()
    first, second, third, fourth = (turns.take() for _ in range(4))
    third.give_up()
    second.give_up()
    assert not await has_come(fourth)
    first.end()
    assert await has_come(fourth)
    fourth.give_up()
    await turns.ended()


async def test_what_is_taken_later_is_not_waited_for() -> None:
    turns = Turns()
    first = turns.take()
    ended = asyncio.create_task(turns.ended())
    await asyncio.sleep(0)
    later = turns.take()
    first.end()
    await ended
    await turns.ended_within(0.0)
    assert not later.has_ended


async def test_not_many_are_near_at_once() -> None:
    turns = Turns()
    taken = [turns.take() for _ in range(_PREPARED_AHEAD + 1)]
    near = [asyncio.create_task(turn.is_near()) for turn in taken]
    for _ in range(5):
        await asyncio.sleep(0)
    assert [task.done() for task in near] == [True] * _PREPARED_AHEAD + [False]
    taken[0].end()
    await near[-1]
