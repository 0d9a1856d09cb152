"""The event stream of a browser."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.response import ServerSentEvent, ServerSentEventMessage

from agentstore.integrations.problems import Problem
from agentstore.web.access.requests import ASKED_AS_HEAD
from agentstore.web.access.viewer import Viewer
from agentstore.web.errors import answer
from agentstore.web.handling import Who
from agentstore.web.live.hub import Hub, News
from agentstore.web.live.streams import MOST, Streams, TooManyStreamsError

_STREAM = "text/event-stream"
_STILL_HERE = ServerSentEventMessage(comment="still here")
_TOO_MANY = Problem(
    429, "Too many streams", f"this login holds {MOST} already", hint="close some of its tabs, or end what listens"
)


def hub_in(state: State) -> Hub:
    """The hub of the application."""
    hub = state.hub
    assert isinstance(hub, Hub)
    return hub


def streams_in(state: State) -> Streams:
    """The streams that are open."""
    streams = state.streams
    assert isinstance(streams, Streams)
    return streams


@get("/live")
async def live(request: Request[Any, Any, Any], viewer: Who) -> ServerSentEvent | Response[Any]:
    """News of the viewer's organisation, until the browser or the server ends it."""
    streams = streams_in(request.app.state)
    # Asked for with HEAD none begins: it would count until it is known to have ended, after its answer.
    if request.scope.get(ASKED_AS_HEAD):
        return answer(request, _TOO_MANY) if streams.is_full(viewer.login) else Response(b"", media_type=_STREAM)
    told = _told(hub_in(request.app.state), streams, viewer)
    try:
        # It has begun, and so it ends, also where nobody reads any of it.
        await anext(told)
    except TooManyStreamsError:
        return answer(request, _TOO_MANY)
    return ServerSentEvent(told, headers={"x-accel-buffering": "no"})


async def _told(hub: Hub, streams: Streams, viewer: Viewer) -> AsyncGenerator[ServerSentEventMessage]:
    with streams.one_of(viewer.login):
        yield _STILL_HERE
        begun = False
        async for news in hub.news(viewer.org):
            if news is None:
                yield _STILL_HERE
                continue
            if not begun:
                # A browser that hears this misses nothing from now on.
                begun = True
                yield ServerSentEventMessage(event="hello", data="{}", retry=2000)
                if news == News():
                    continue
            yield ServerSentEventMessage(event="news", data=msgspec.json.encode(news).decode())
