"""Connections of clients that take their time: uvicorn's own would wait for a request for ever."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_COMING = (h11.IDLE, h11.SEND_BODY)


class Connection(H11Protocol):
    """One whose client has so many seconds to send a request whole. There are only so many connections: without that
    a few hundred that say nothing would keep everybody out."""

    seconds = 30.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio has it."""
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        super().data_received(data)
        if self.conn.their_state not in _COMING:
            self._stop()
        # Between two requests uvicorn has a time of its own.
        elif self._deadline is None and self.timeout_keep_alive_task is None:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio has it."""
        self._stop()
        super().connection_lost(exc)

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
