"""The other side of a connection: what keeps the socket alive, and what is done while the other side says nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol, Self

import anyio

# So long without a word while an answer is owed, and the host is asked whether it is there; then ever more rarely.
SILENT_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 2.0

# A machine that vanished is found within 25 seconds; routers that forget idle connections are kept from it. Not all
# systems have every name.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPALIVE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class Peer(Protocol):
    """What a connection tells of the host it leads to, and asks about it."""

    @property
    def is_trusted(self) -> bool:
        """Whether a connection that lies idle may be used: nothing failed at this host since it last answered."""
        ...

    @property
    def has_others(self) -> bool:
        """Whether there are other hosts to go to."""
        ...

    @property
    def heard(self) -> float:
        """When it last answered anything, to whatever connection (``time.monotonic``)."""
        ...

    def answered(self) -> None:
        """An answer is complete."""
        ...

    def refused(self) -> None:
        """An insert was refused for a reason that passes, as by a replica that lost its keeper."""
        ...

    def lost(self) -> None:
        """The connection ended while an answer was owed, or the host cannot do now what another one can."""
        ...

    async def gives_up(self) -> bool:
        """Whether to cut a connection that owes an answer and is silent."""
        ...


def keep_alive(connected: Any) -> None:
    """Let TCP look whether the other side is still there while nothing is sent.

    Not TCP_USER_TIMEOUT: it also ends connections whose other side is alive and does not read for a while, as a server
    does that is busy with the blocks it has got.
    """
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            option = getattr(socket, name, None)
            if option is not None:
                connected.setsockopt(socket.IPPROTO_TCP, option, value)


class Watch:
    """Around the wait for an answer: a silent connection is cut (``cut``) where its peer is given up.

    ``heard`` tells when anything last came (``time.monotonic``). Without other hosts to go to it costs nothing.
    """

    def __init__(self, peer: Peer | None, heard: Callable[[], float], cut: Callable[[], None]) -> None:
        self._peer = peer if peer is not None and peer.has_others else None
        self._heard = heard
        self._cut = cut
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._peer is not None:
            self._timer = asyncio.get_running_loop().call_later(SILENT_SECONDS, self._start, self._peer)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            # The timer first: it must not start a watch of a connection that is given back.
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            with anyio.CancelScope(shield=True):  # its sockets are gone when the connection is given back
                await asyncio.wait([self._task])
            if not self._task.cancelled():
                # A mistake of the watch's own is raised, or no host would ever be given up and nobody would know.
                self._task.result()

    def _start(self, peer: Peer) -> None:
        self._task = asyncio.create_task(self._watch(peer), name="agentstore-watch")

    async def _watch(self, peer: Peer) -> None:
        pause = SILENT_SECONDS
        while True:
            # What any connection heard of the host counts: while others get answers, a long query is no reason to ask.
            silent = time.monotonic() - max(self._heard(), peer.heard)
            if silent < pause - 0.01:  # a timer may be early by the clock's grain
                await asyncio.sleep(pause - silent)
                continue
            if await peer.gives_up():
                self._cut()
                return
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)
