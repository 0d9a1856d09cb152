"""The event stream of a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.response import ServerSentEvent, ServerSentEventMessage

from agentstore.web.handling import Who
from agentstore.web.live.hub import Hub, News


def hub_in(state: State) -> Hub:
    """The hub of the application."""
    hub = state.hub
    assert isinstance(hub, Hub)
    return hub


@get("/live")
async def live(request: Request[Any, Any, Any], viewer: Who) -> ServerSentEvent:
    """News of the viewer's organisation, until the browser or the server ends it."""
    hub = hub_in(request.app.state)

    async def told() -> AsyncIterator[ServerSentEventMessage]:
        begun = False
        async for news in hub.news(viewer.org):
            if news is None:
                yield ServerSentEventMessage(comment="still here")
                continue
            if not begun:
                # A browser that hears this misses nothing from now on.
                begun = True
                yield ServerSentEventMessage(event="hello", data="{}", retry=2000)
                if news == News():
                    continue
            yield ServerSentEventMessage(event="news", data=msgspec.json.encode(news).decode())

    return ServerSentEvent(told(), headers={"x-accel-buffering": "no"})
