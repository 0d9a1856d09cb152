"""HEAD as GET without a body, for whatever answers GET."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from agentstore.web.access.requests import ASKED_AS_HEAD

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Heads:
    """An ASGI application around another one that knows GET only."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        begun = asyncio.Event()

        async def headers_alone(message: Any) -> None:
            if begun.is_set() or message["type"] != "http.response.start":
                return
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            begun.set()

        asked = {**scope, "method": "GET", ASKED_AS_HEAD: True}
        answering = asyncio.ensure_future(self._app(asked, receive, headers_alone))
        said = asyncio.ensure_future(begun.wait())
        try:
            # A stream has no end of its own: nobody waits for it here.
            await asyncio.wait((answering, said), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, said):
                if not task.done():
                    task.cancel()
            await asyncio.wait((answering, said))
        with contextlib.suppress(asyncio.CancelledError):
            answering.result()
