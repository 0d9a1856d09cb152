"""What is new in a real store, told to who watches."""

from __future__ import annotations

from agentstore import AsyncClickHouseStore
from agentstore.web.live.hub import Hub, News
from tests.builders import message, session


async def test_a_real_store_tells_what_is_written_while_one_watches(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("before"))
    hub = Hub(store, seconds=0.05)
    stream = hub.news(org)
    try:
        assert await anext(stream) == News()
        await store.write_session(org, session("now"), [message(0, "new")])
        assert await anext(stream) == News(["now"])
    finally:
        await stream.aclose()
