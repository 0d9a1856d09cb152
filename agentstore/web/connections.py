"""Connections of clients that take their time, or of too many: uvicorn's own would wait for them for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from agentstore.web.access.headers import HEADERS, Send, with_headers

_COMING = (h11.IDLE, h11.SEND_BODY)
_PLAIN = (b"content-type", b"text/plain; charset=utf-8")
_LAST = (b"connection", b"close")


class Connection(H11Protocol):
    """One whose client has so many seconds to send a request whole, and so many to take ``least_bytes`` of its answer.

    There are only so many connections: without that a few hundred that say nothing, or read nothing, would keep
    everybody out. What is answered here, before the pages are asked, says to a browser what they say.
    """

    most = 512
    seconds = 30.0
    stuck_seconds = 60.0
    least_bytes = 64 * 1024
    _deadline: asyncio.TimerHandle | None = None
    _patience: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._pages = self.app
        self.app = self._answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio has it."""
        super().connection_made(transport)
        # Whatever waits to be taken counts, also where it is the end of an answer.
        transport.set_write_buffer_limits(high=0)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        super().data_received(data)
        if self.conn.their_state not in _COMING:
            self._stop()
        # Between two requests uvicorn has a time of its own.
        elif self._deadline is None and self.timeout_keep_alive_task is None:
            self._begin()

    def pause_writing(self) -> None:
        """As asyncio has it."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """As asyncio has it."""
        super().resume_writing()
        self._end_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio has it."""
        self._stop()
        self._end_patience()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """In place of uvicorn's, which says nothing to a browser."""
        said = msg.encode()
        headers = [_PLAIN, _LAST, (b"content-length", str(len(said)).encode()), *HEADERS]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=said), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    async def _answered(self, scope: Any, receive: Any, send: Send) -> None:
        if len(self.connections) >= self.most:
            await _say(send, 503, b"Too many connections at once. Try again.", (b"retry-after", b"2"))
            return
        try:
            await self._pages(scope, receive, send)
        except Exception:
            if not self.cycle.response_started:
                await _say(send, 500, b"A fault of ours.")
            # To be logged; and a connection whose answer has no end is ended.
            raise

    def _wait_for_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._patience = self.loop.call_later(self.stuck_seconds, self._look, left)

    def _look(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < self.least_bytes:
            # Closed in good order it would wait for the same reader.
            self.transport.abort()
        else:
            self._wait_for_reader()

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


async def _say(send: Send, status: int, said: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [_PLAIN, _LAST, (b"content-length", str(len(said)).encode()), *more]
    send = with_headers(send)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": said})
