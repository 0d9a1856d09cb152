"""Connections to any of several hosts, in bounded time; and whether a host that has gone silent is to be given up.

A host that refuses, stalls or dies is passed over and left alone for a while (``hosts.py`` decides). TCP tells of a
process that was killed, and of a machine that vanished only after minutes; of a process that hangs it tells nothing. So
where there is another host, one that owes an answer and is silent is asked for a new connection: if it gives none, and
another host does, what waits for it is cut off, and what may be tried again finds the other host.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable

import anyio

from agentstore.connection.driver import NativeConnection
from agentstore.connection.hosts import Address, Hosts
from agentstore.errors import AgentStoreError, ConnectionFailedError
from agentstore.settings import ConnectOptions

# What is done with a new connection before it is used; what fails there fails the attempt, and the next host is tried.
Prepare = Callable[[NativeConnection, Address], Awaitable[None]]

PROBE_SECONDS = 1.0
# Reasons that one error quotes; each is as long as a sentence.
_REASONS = 5


async def _as_it_is(connection: NativeConnection, address: Address) -> None:
    pass


class Failover:
    """The hosts of one store, what is known of them, and connections to them, each made ready by ``prepare``."""

    def __init__(self, options: ConnectOptions, prepare: Prepare = _as_it_is) -> None:
        self.hosts = Hosts(options.hosts, options.host_order)
        self._options = options
        self._prepare = prepare

    async def connect(
        self, database: str, *, seconds: float | None = None, without: Address | None = None
    ) -> NativeConnection:
        """A connection to one of the hosts, or one error for all that was tried; ``seconds`` for all of it.

        A host that answers and refuses the user or the database is the answer: the others would say the same.
        """
        allowed = seconds or self._options.connect_timeout_seconds
        search, failures = self.hosts.search(without=without), dict[Address, AgentStoreError]()
        began = time.monotonic()
        while found := search.next(now := time.monotonic(), began + allowed - now):
            address, limit = found
            try:
                if address.ip:
                    connection = await self._connect_to(address, database, limit)
                    remaining = began + allowed - time.monotonic()
                    # Longer than it may take to shake hands, but not all the time while others are left.
                    return await self._prepared(connection, address, min(remaining, max(limit, remaining / 2)))
                search.resolved(address, await _look_up(address, limit))
            except AgentStoreError as error:
                if not error.retriable:
                    raise
                failures.setdefault(address, error)  # a later try had less time, and less to say
                # `began` is that of the whole search: tried in several rounds, an address has failed once.
                self.hosts.failed(address, began=began, now=time.monotonic())
                # Only what was too slow is worth more time; a refusal would be the same again.
                if isinstance(error.__cause__, TimeoutError):
                    search.cut_short(address)
        raise _combined(failures, allowed)

    async def gives_up(self, address: Address) -> bool:
        """Whether to cut off what waits for this address, which has been silent for a while: see the module.

        Both are asked at once. A machine that is too busy to shake hands within a second anywhere loses nothing.
        """
        # Side by side: one after the other, those who wait for a dead host would wait for twice as long.
        here, elsewhere = await asyncio.gather(self._answers(address), self._another_answers(address))
        return elsewhere and not here

    async def _connect_to(self, address: Address, database: str, seconds: float) -> NativeConnection:
        told = max(round(seconds, 2), 0.01)  # "within 10 s"
        connection = await NativeConnection.connect(
            self._options, address.host, database, seconds=told, address=address.ip
        )
        # The handshake is an answer, a probe's as well: it ends the silence that the watch measures.
        self.hosts.answered(address, time.monotonic())
        connection.peer = _Peer(self, address)
        return connection

    async def _prepared(self, connection: NativeConnection, address: Address, seconds: float) -> NativeConnection:
        try:
            with anyio.fail_after(seconds):
                await self._prepare(connection, address)
        except BaseException as error:
            connection.abort()
            # Only the time that ended here: an OperationTimeoutError is a TimeoutError, too, and says more.
            if isinstance(error, TimeoutError) and not isinstance(error, AgentStoreError):
                reason = f"cannot reach {address}: it answered no question within {seconds:.2g} s"
                raise ConnectionFailedError(reason) from error
            raise
        return connection

    async def _answers(self, address: Address) -> bool:
        began = time.monotonic()
        try:
            connection = await self._connect_to(address, self._options.database, PROBE_SECONDS)
        except AgentStoreError as error:
            if not isinstance(error, ConnectionFailedError) or not error.retriable:
                return True  # a refusal is an answer
            self.hosts.failed(address, began=began, now=time.monotonic())
            return False
        await connection.close()
        return True

    async def _another_answers(self, address: Address) -> bool:
        try:
            connection = await self.connect(self._options.database, seconds=PROBE_SECONDS, without=address)
        except AgentStoreError:
            # Also where it refuses: a host that lets nobody in is none to go to.
            return False
        await connection.close()
        return True


class _Peer:
    """What one connection tells of the address it leads to, and asks about it; see ``peer.Peer``."""

    def __init__(self, failover: Failover, address: Address) -> None:
        self._failover = failover
        self._address = address

    @property
    def is_trusted(self) -> bool:
        return self._failover.hosts.is_trusted(self._address)

    @property
    def has_others(self) -> bool:
        return self._failover.hosts.has_choice

    @property
    def heard(self) -> float:
        return self._failover.hosts.heard(self._address)

    def answered(self) -> None:
        self._failover.hosts.answered(self._address, time.monotonic())

    def refused(self) -> None:
        self._failover.hosts.refused(self._address, time.monotonic())

    def lost(self) -> None:
        self._failover.hosts.lost(self._address, time.monotonic())

    async def gives_up(self) -> bool:
        return await self._failover.gives_up(self._address)


async def _look_up(address: Address, seconds: float) -> list[str]:
    """The addresses of a host, in the resolver's order."""
    host = address.host
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host.name)
        return [host.name]
    try:
        with anyio.fail_after(seconds):
            # In a thread, which nothing can stop: cut off, it is left to end by itself.
            found = await asyncio.get_running_loop().getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise ConnectionFailedError(f"cannot reach {host}: its name was not found within {seconds:g} s") from error
    except (OSError, UnicodeError) as error:
        raise ConnectionFailedError(f"cannot reach {host}: {error}") from error
    return [str(place[0]) for *_, place in found]


def _combined(failures: dict[Address, AgentStoreError], seconds: float) -> AgentStoreError:
    """One error for all that was tried: what the caller is told."""
    if len(failures) == 1:
        [error] = failures.values()
        return error
    reasons = [error.message for error in failures.values()]
    told = "; ".join(reasons[:_REASONS]) + (" …" if len(reasons) > _REASONS else "")
    return ConnectionFailedError(f"no host could be reached within {seconds:g} s: {told}")
