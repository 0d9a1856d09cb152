"""Answers that are kept for a moment: no longer, not of who failed, and not ended by who leaves."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from agentstore.web.keeping import Kept


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Answer:
    """Of a store."""


async def test_what_is_too_old_to_be_given_is_not_held() -> None:
    async def ask(_: str) -> Answer:
        return Answer()

    clock = Clock()
    kept = Kept(ask, 1.0, clock)
    old = weakref.ref(await kept.of("a"))
    clock.now += 0.5
    recent = weakref.ref(await kept.of("b"))
    clock.now += 0.7
    await kept.of("c")
    gc.collect()
    assert old() is None
    assert recent() is await kept.of("b")


async def test_who_leaves_ends_it_for_nobody_and_a_failure_is_told_to_who_asked_for_it_only() -> None:
    answers, asked = asyncio.Queue[str](), list[str]()

    async def ask(key: str) -> str:
        asked.append(key)
        if (answer := await answers.get()) == "no":
            raise ValueError(answer)
        return answer

    kept = Kept(ask, 1.0, Clock())
    one, two = asyncio.create_task(kept.of("a")), asyncio.create_task(kept.of("a"))
    await asyncio.sleep(0)
    one.cancel()
    answers.put_nowait("yes")
    assert await two == "yes"
    assert one.cancelled()
    kept.forget("a")
    answers.put_nowait("no")
    with pytest.raises(ValueError, match=r"^no$"):
        await kept.of("a")
    answers.put_nowait("again")
    assert await kept.of("a") == await kept.of("a") == "again"
    assert asked == ["a"] * 3
