"""One client's connection: who it is, what it asks for, and the end of it. What queries do is in ``query_runner``."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from contextlib import suppress

from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol import packets
from agentstore.local.protocol.packets import ClientPacket, Hello
from agentstore.local.protocol.wire import ProtocolError
from agentstore.local.server.channel import Channel, ChannelClosedError
from agentstore.local.server.context import ServerContext
from agentstore.local.server.query_runner import QueryRunner

logger = logging.getLogger("agentstore.local")

# What a request over HTTP begins with.
HTTP_METHODS = frozenset(b"GPHDO")
HTTP_ANSWER = (
    b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n"
    b"This port speaks the ClickHouse native protocol, not HTTP.\r\n"
)
# How long the last bytes to a client may take.
GOODBYE_SECONDS = 2.0


class Connection:
    """``run()`` returns when the conversation is over, whatever ended it; nothing of it is left running then."""

    def __init__(
        self,
        channel: Channel,
        context: ServerContext,
        number: int,
        on_authenticated: Callable[[], None],
        refusal: bytes = b"",
    ) -> None:
        """``refusal`` is all the client hears after its Hello, if there is one."""
        self.authenticated = False
        self._refusal = refusal
        self._channel = channel
        self._context = context
        self._on_authenticated = on_authenticated
        self._queries = QueryRunner(channel, context, number)
        self._stopping = False
        self._idle = False

    def __repr__(self) -> str:
        state = "idle" if self._idle else "busy"
        return f"<Connection {self._queries.tag} {state if self.authenticated else 'not authenticated'}>"

    async def run(self) -> None:
        try:
            async with asyncio.timeout(self._context.handshake_timeout_seconds):
                self.authenticated = await self._handshake()
            if self.authenticated:
                self._on_authenticated()
                await self._serve()
        except (ChannelClosedError, TimeoutError):
            return  # the client is gone, or never said who it is: there is nobody to tell
        except ProtocolError as error:
            self._say_goodbye(packets.exception(error.code, f"DB::Exception: {error}. ({error.name})"))
        except Exception:
            # A fault of this server's own: this connection ends, the others go on.
            logger.exception("%r failed", self)
            self._say_goodbye(packets.exception(1002, "DB::Exception: internal error of the local server"))
        finally:
            # First what runs for it, then the socket: when that is gone, nothing of the client is left in the engine.
            await self._queries.aclose()
            await self._channel.aclose(GOODBYE_SECONDS)

    def stop(self) -> None:
        """End the conversation as soon as no query runs; at once if none does."""
        # Looked at after the login and after each query; a conversation that waits for either is woken below.
        self._stopping = True
        if self._idle or not self.authenticated:
            self._channel.end_input()

    def abort(self) -> None:
        """End the conversation now; a running query is cancelled."""
        self._queries.kill()
        self._channel.abort()

    async def _handshake(self) -> bool:
        packet = await self._channel.read(packets.read_packet_type(self._channel.buffer))
        if packet in HTTP_METHODS:
            self._say_goodbye(HTTP_ANSWER)
            return False
        if packet != ClientPacket.HELLO:
            raise packets.unexpected(packet, "Hello")
        hello = await self._channel.read(packets.read_hello(self._channel.buffer))
        self._channel.buffer.drop()
        if hello.revision < packets.OLDEST_REVISION:
            raise ProtocolError(f"Clients of revision {hello.revision} are too old")
        # After its Hello is read: closed with bytes unread, the socket would be reset, and the reason lost on its way.
        if self._refusal:
            self._say_goodbye(self._refusal)
            return False
        if not self._is_welcome(hello):
            self._say_goodbye(_authentication_failed(hello.user))
            return False
        try:
            await self._queries.open(hello)
        except EngineError as error:
            self._say_goodbye(packets.exception(error.code, str(error)))
            return False
        if self._stopping:
            # Unanswered, so that the client knows that nothing was done for it, and asks for a server again.
            return False
        info = self._context.info
        revision = self._queries.revision
        self._channel.write(packets.server_hello(revision, info.version, info.timezone, self._context.display_name))
        return True

    def _is_welcome(self, hello: Hello) -> bool:
        def same(given: str, expected: str) -> bool:
            return hmac.compare_digest(
                given.encode("utf-8", "surrogateescape"), expected.encode("utf-8", "surrogateescape")
            )

        # Both are always compared, so the time taken does not tell which was wrong.
        return same(hello.user, self._context.user) & same(hello.password, self._context.password)

    async def _serve(self) -> None:
        buffer = self._channel.buffer
        while not self._stopping:
            buffer.drop()
            # Idle only between two packets: ended in the middle of one, the question that it brings would be cut off.
            self._idle = True
            packet = await self._channel.read(packets.read_packet_type(buffer))
            self._idle = False
            if packet == ClientPacket.QUERY:
                await self._queries.run()
            elif packet == ClientPacket.PING:
                self._channel.write(packets.PONG)
            elif packet == ClientPacket.TABLES_STATUS_REQUEST:
                tables = await self._channel.read(packets.read_tables_status_request(buffer))
                self._channel.write(packets.tables_status_response(tables))
            elif packet not in (ClientPacket.CANCEL, ClientPacket.KEEP_ALIVE):
                # A Cancel that comes after its query has ended is normal.
                raise packets.unexpected(packet)

    def _say_goodbye(self, data: bytes) -> None:
        with suppress(ChannelClosedError):  # it did not wait for the answer
            self._channel.write(data)


def _authentication_failed(user: str) -> bytes:
    message = (
        f"DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user "
        "with such name. (AUTHENTICATION_FAILED)"
    )
    return packets.exception(516, message)
