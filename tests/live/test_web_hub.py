"""What is new in a real store, told to who watches."""

from __future__ import annotations

import asyncio

from agentstore import AsyncClickHouseStore
from agentstore.web.live.hub import Hub
from tests.builders import message, session


async def test_a_real_store_tells_what_is_written_while_one_watches(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("before"))
    hub = Hub(store, seconds=0.05)
    stream = hub.news(org)
    waiting = asyncio.ensure_future(anext(stream))
    try:
        number = 0
        while not waiting.done():  # until the first look at the store has been
            await store.write_session(org, session("now"), [message(number, "new")])
            number += 1
        news = waiting.result()
        assert news is not None
        assert news.session_ids == ["now"]
    finally:
        await stream.aclose()
