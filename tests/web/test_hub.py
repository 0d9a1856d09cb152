"""What is new: one question for all who watch, to each stream once, and an end when all ends."""

from __future__ import annotations

import asyncio
from typing import cast

from agentstore import AsyncClickHouseStore
from agentstore.errors import ConnectionFailedError
from agentstore.models import Changes
from agentstore.web.live.hub import Hub, News, rest_after
from tests.unit.write_parts import until


class Store:
    """A store whose answers the test gives."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: asyncio.Queue[Changes | Exception] = asyncio.Queue()

    async def changes(self, org: str, since: Changes | None) -> Changes:
        self.asked += 1
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


def hub_of(store: Store) -> Hub:
    return Hub(cast(AsyncClickHouseStore, store), seconds=0.0)


async def test_one_question_is_told_to_all_who_watch() -> None:
    store = Store()
    hub = hub_of(store)
    streams = [hub.news("o") for _ in range(5)]
    waits = [asyncio.ensure_future(anext(one)) for one in streams]
    store.answers.put_nowait(Changes(1, ["old"]))
    # What there was before anybody watched is not new.
    assert await asyncio.gather(*waits) == [News()] * 5
    waits = [asyncio.ensure_future(anext(one)) for one in streams]
    store.answers.put_nowait(Changes(2, ["a", "b"], ["c"]))
    assert await asyncio.gather(*waits) == [News(["a", "b"], ["c"])] * 5
    assert store.asked <= 3
    assert hub.watching == 5
    for one in streams:
        await one.aclose()
    assert hub.watching == 0


async def test_what_is_kept_is_asked_for_again_when_somebody_begins_to_watch_and_when_something_is_new() -> None:
    """A page that was kept before the first answer may lack what that answer has already: nobody would tell of it."""
    store, told = Store(), list[str]()
    hub = Hub(cast(AsyncClickHouseStore, store), seconds=0.0, on_news=told.append)
    stream = hub.news("o")
    store.answers.put_nowait(Changes(1, ["old"]))
    assert await anext(stream) == News()
    assert told == ["o"]
    for answer in (Changes(2), Changes(3, ["a"])):
        store.answers.put_nowait(answer)
    assert await anext(stream) == News(["a"])
    assert told == ["o", "o"]
    await stream.aclose()


async def test_what_a_slow_stream_has_missed_is_told_at_once_and_of_very_much_only_that_it_is_much() -> None:
    store = Store()
    hub = hub_of(store)
    stream = hub.news("o")
    store.answers.put_nowait(Changes(1))
    assert await anext(stream) == News()
    store.answers.put_nowait(Changes(2, ["a"]))
    assert await anext(stream) == News(["a"])
    for answer in (Changes(3, ["b"]), Changes(4, ["c"], ["a"]), Changes(5, ["d"], ["b"])):
        store.answers.put_nowait(answer)
    await until(lambda: store.asked >= 6)
    assert await anext(stream) == News(["c", "d"], ["a", "b"])
    store.answers.put_nowait(Changes(6, [f"s{number}" for number in range(501)]))
    assert await anext(stream) == News(many=True)
    await stream.aclose()


async def test_a_store_that_is_away_is_told_once_and_that_it_is_back() -> None:
    store = Store()
    hub = hub_of(store)
    stream = hub.news("o")
    store.answers.put_nowait(Changes(1))
    assert await anext(stream) == News()
    for _ in range(3):
        store.answers.put_nowait(ConnectionFailedError("away"))
    assert await anext(stream) == News(away=True)
    # Who comes now is told, too.
    late = hub.news("o")
    assert await anext(late) == News(away=True)
    await late.aclose()
    await until(lambda: store.asked >= 5)
    store.answers.put_nowait(Changes(2, ["a"]))
    # Back, with what was written meanwhile.
    assert await anext(stream) == News(["a"])
    await stream.aclose()


async def test_a_fault_is_not_the_end_of_all_news() -> None:
    store = Store()
    hub = hub_of(store)
    stream = hub.news("o")
    first = asyncio.ensure_future(anext(stream))
    for answer in (Changes(1), ValueError("a fault"), Changes(2, ["a"])):
        store.answers.put_nowait(answer)
    told = await first
    while told is None or "a" not in told.session_ids:
        told = await anext(stream)
    await stream.aclose()


async def test_all_streams_end_when_all_ends() -> None:
    store = Store()
    hub = hub_of(store)
    streams = [asyncio.ensure_future(anext(hub.news(org), "over")) for org in ("o", "p")]
    await until(lambda: hub.watching == 2)
    hub.end()
    assert await asyncio.gather(*streams) == ["over", "over"]
    assert hub.watching == 0
    assert await anext(hub.news("o"), "over") == "over"


async def test_a_quiet_line_is_kept_open() -> None:
    hub = hub_of(Store())
    stream = hub.news("o", quiet_seconds=0.01)
    assert await anext(stream) is None
    await stream.aclose()


def test_what_takes_long_is_asked_less_often_and_within_seconds_all_the_same() -> None:
    assert [rest_after(took) for took in (0.0, 0.05, 0.5, 60.0)] == [1.0, 1.0, 2.0, 5.0]
