"""The server over HTTP: on loopback, for who has the token."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn

from agentstore.faces.listening import listening
from agentstore.mcp.holding import Holder
from agentstore.mcp.serving import server_of, signals

HOST = "127.0.0.1"
PATH = "/mcp"
_Message = MutableMapping[str, Any]
_App = Callable[[_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]


def serve_http(holder: Holder, port: int, token: str, tell: Callable[[str], None]) -> int:
    """Serve until a signal comes. ``port`` 0: any that is free; ``tell`` is told the address."""
    with listening(HOST, port) as sock:
        tell(f"http://{HOST}:{sock.getsockname()[1]}{PATH}")
        return asyncio.run(_served(holder, sock, token))


async def _served(holder: Holder, sock: socket.socket, token: str) -> int:
    # One answer for each request, and no session that outlives it: the tools remember nothing.
    app = server_of(holder).streamable_http_app(
        streamable_http_path=PATH, json_response=True, stateless_http=True, host=HOST
    )
    # What tools fail at they answer. uvicorn would tell a traceback of each client that is still sending at the end.
    config = uvicorn.Config(
        only_with(token, app), log_level="critical", access_log=False, timeout_graceful_shutdown=2, lifespan="on"
    )
    server = _Quiet(config)
    async with signals() as (asked, numbers):
        serving, waiting = asyncio.ensure_future(server.serve([sock])), asyncio.ensure_future(asked.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        server.should_exit = True
        await serving
        await holder.aclose()
        return 130 if numbers == [signal.SIGINT] else 0


class _Quiet(uvicorn.Server):
    """Signals are heard where the store is closed, too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _refused(send: Callable[[_Message], Awaitable[None]], status: int, header: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [header, (b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def only_with(token: str, app: _App) -> _App:
    """The app for requests that bring the token; the others are answered 401, whatever they ask for."""
    expected = f"bearer {token}".encode()

    async def guarded(
        scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        given = [value for name, value in scope.get("headers", ()) if name.lower() == b"authorization"]
        scheme, _, brought = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif not secrets.compare_digest(scheme.lower() + b" " + brought.strip(), expected):
            await _refused(send, 401, (b"www-authenticate", b"Bearer"))
        elif scope["method"] != "POST":
            # The SDK would keep a GET open for what a server has to say unasked, and nothing is said here.
            await _refused(send, 405, (b"allow", b"POST"))
        else:
            await app(scope, receive, send)

    return guarded
