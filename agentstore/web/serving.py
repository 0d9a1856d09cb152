"""Serving the pages until somebody ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from agentstore.errors import ConfigError
from agentstore.store import AsyncClickHouseStore
from agentstore.web.app import make_app
from agentstore.web.connections import Connection
from agentstore.web.settings import WebSettings

# How long answers under way have when it ends.
_LAST_SECONDS = 5


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections; ``ConfigError`` where it cannot be had. Port 0: one that is free."""
    if not 0 <= port < 2**16:
        raise ConfigError(f"{port} is no port: 0 … 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        hint = "another one may be running: --port 0 takes one that is free" if port else ""
        raise ConfigError(f"{host}:{port} cannot be listened on: {error.strerror or error}", hint=hint) from None


async def serve(
    store: AsyncClickHouseStore,
    settings: WebSettings,
    sock: socket.socket,
    *,
    on_token: Callable[[str], None],
) -> None:
    """Serve an open store on this socket until SIGINT or SIGTERM. ``on_token`` is told each token that lets one in."""
    made = make_app(store, settings, on_token=on_token)
    config = uvicorn.Config(
        made.asgi,
        log_config=None,
        access_log=False,
        lifespan="on",
        loop="none",
        http=Connection,
        ws="none",
        # Who asks and by which name is decided by the gate alone.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config, on_exit=made.hub.end)
    if not settings.token and not settings.user_header:
        on_token(made.logins.token)
    await server.serve(sockets=[sock])


class _Server(uvicorn.Server):
    """Ends when it is told to; event streams, which have no end of their own, with it."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In place of uvicorn's, which raises the signal again when all has ended well."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _end(self, number: signal.Signals) -> None:
        self._on_exit()
        # The second Ctrl-C does not wait for answers under way.
        self.handle_exit(number, None)
