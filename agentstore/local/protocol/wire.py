"""The bytes of the native protocol: a buffer to read from and functions that write.

Nothing here does I/O. A reader is a generator: it takes what it needs from a ``ByteBuffer``, yields ``NEED_MORE``
whenever the buffer is exhausted, and returns its value when complete. Its place is kept in the buffer and on its own
stack, so bytes may arrive in pieces of any size, nothing is parsed twice, and a reader that is never finished costs
nothing. Every size that comes from the peer is compared with a limit before anything is allocated for it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

# Yielded by a reader: it can go on only with more bytes.
NEED_MORE = True
# Yielded by a reader in the middle of long work: it can go on, but measured bytes may be taken away first.
PROGRESS = False

Reader = Generator[bool, None, T]

MAX_VARINT_BYTES = 10


class ProtocolError(Exception):
    """What the peer sent cannot be understood; the connection cannot go on. ``code`` is ClickHouse's error code."""

    def __init__(self, message: str, code: int = 99, name: str = "UNKNOWN_PACKET_FROM_CLIENT") -> None:
        super().__init__(message)
        self.code = code
        self.name = name


class PacketTooLargeError(ProtocolError):
    """A size in a packet is over its limit; nothing was allocated for it."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} is {size}, the limit is {limit}", 131, "TOO_LARGE_STRING_SIZE")


class ByteBuffer:
    """Bytes received and not yet consumed. ``pos`` is the next byte to read and may lie beyond what has arrived."""

    __slots__ = ("data", "pos", "taken")

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.pos = 0
        self.taken = 0

    def feed(self, chunk: bytes | memoryview) -> None:
        self.data += chunk

    @property
    def unread(self) -> int:
        """How many bytes have arrived and are not consumed (0 while ``pos`` is beyond the end)."""
        return max(0, len(self.data) - self.pos)

    @property
    def consumable(self) -> int:
        """How many bytes ``take()`` would return."""
        return min(self.pos, len(self.data))

    @property
    def offset(self) -> int:
        """The position since the buffer was made, however much was taken away meanwhile."""
        return self.taken + self.pos

    def take(self) -> bytes:
        """Remove and return the consumed bytes that have arrived."""
        size = self.consumable
        # Let go before the bytes are removed: a bytearray that is looked at cannot shrink.
        with memoryview(self.data) as view:
            taken = bytes(view[:size])
        self.drop()
        return taken

    def drop(self) -> None:
        """Forget the consumed bytes that have arrived."""
        size = self.consumable
        del self.data[:size]
        self.pos -= size
        self.taken += size


def read_varint(buffer: ByteBuffer) -> Reader[int]:
    shift = value = 0
    while True:
        while buffer.pos >= len(buffer.data):
            yield NEED_MORE
        byte = buffer.data[buffer.pos]
        buffer.pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
        # Bounded: else a client could make one number, and the work for it, grow for ever.
        if shift >= 7 * MAX_VARINT_BYTES:
            raise ProtocolError("a variable-length integer is longer than 64 bits")


def read_bytes(buffer: ByteBuffer, size: int) -> Reader[bytes]:
    while len(buffer.data) - buffer.pos < size:
        yield NEED_MORE
    start = buffer.pos
    buffer.pos += size
    return bytes(buffer.data[start : buffer.pos])


def read_uint(buffer: ByteBuffer, size: int) -> Reader[int]:
    """A little-endian unsigned integer of ``size`` bytes."""
    return int.from_bytes((yield from read_bytes(buffer, size)), "little")


def read_blob(buffer: ByteBuffer, limit: int, what: str = "a string") -> Reader[bytes]:
    size = yield from read_varint(buffer)
    # Before the bytes are waited for: what is not refused here is held until all of it has come.
    if size > limit:
        raise PacketTooLargeError(f"the length of {what}", size, limit)
    return (yield from read_bytes(buffer, size))


def read_text(buffer: ByteBuffer, limit: int, what: str = "a string") -> Reader[str]:
    """A string that is text. Bytes that are not UTF-8 survive a round trip through ``text``."""
    return (yield from read_blob(buffer, limit, what)).decode("utf-8", "surrogateescape")


def varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def blob(value: bytes) -> bytes:
    return varint(len(value)) + value


def text(value: str) -> bytes:
    return blob(value.encode("utf-8", "surrogateescape"))


def complete(reader: Reader[T]) -> T:
    """Run a reader over a buffer that must already hold everything it needs."""
    try:
        while next(reader) is PROGRESS:
            continue
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise ProtocolError("the data ends too early")
