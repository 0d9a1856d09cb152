"""A web backend on ASGI: one store for the process, opened in the start-up hook and closed in the shut-down hook.

    pip install uvicorn
    AGENTSTORE_DSN=local:.agentstore-demo uvicorn --app-dir examples web_backend:app
    curl -H 'X-Org: sample' 'http://127.0.0.1:8000/sessions'
    curl -H 'X-Org: sample' 'http://127.0.0.1:8000/search?q=tide'

The server runs hooks and requests in different tasks, and the requests share the store's pool. A framework does the
parsing and the routing; what matters here are ``lifespan`` and ``answer``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from agentstore import AsyncClickHouseStore, InvalidArgumentError, NotFoundError, SearchQuery, SessionFilter

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


class App:
    """The ASGI application."""

    def __init__(self, store: AsyncClickHouseStore | None = None) -> None:
        self.store = store or AsyncClickHouseStore()  # no I/O yet

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(receive, send)
        elif scope["type"] == "http":
            status, body = await self.respond(scope)
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": msgspec.json.encode(body)})

    async def lifespan(self, receive: Receive, send: Send) -> None:
        """Open the store before the first request, close it after the last one."""
        await receive()
        try:
            await self.store.open()
            await self.store.ensure_schema()
        except Exception as error:
            await self.store.aclose()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.store.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def respond(self, scope: Event) -> tuple[int, Any]:
        """Status and body; errors of the library become the statuses they mean."""
        # A real backend takes the organisation from the login, never from what the client says.
        org = dict(scope["headers"]).get(b"x-org", b"").decode()
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        try:
            return 200, await self.answer(org, scope["path"], query)
        except InvalidArgumentError as error:
            return 400, {"error": error.message, "field": error.field}
        except NotFoundError as error:
            return 404, {"error": error.message}

    async def answer(self, org: str, path: str, query: dict[str, str]) -> Any:
        """The record or page asked for; the models are JSON as they are."""
        match path.strip("/").split("/"):
            case ["sessions"]:
                return await self.store.list_sessions(org, SessionFilter(cursor=query.get("cursor", "")))
            case ["sessions", session_id]:
                return await self.store.get_session(org, session_id)
            case ["sessions", session_id, "messages"]:
                return await self.store.get_session_messages(org, session_id)
            case ["search"]:
                return await self.store.search(
                    org, SearchQuery(query=query.get("q", ""), cursor=query.get("cursor", ""))
                )
        raise NotFoundError(f"no such page: {path}")


app = App()
