"""Compressed frames of the native protocol: a checksum, a method, two sizes, the bytes.

A frame is 16 bytes of CityHash128 over the rest, one method byte, the size of header and body, and the size of what
is inside.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import pack, unpack

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from .wire import NEED_MORE, PROGRESS, ByteBuffer, PacketTooLargeError, ProtocolError, Reader, T, read_bytes

MAX_FRAME = 1 << 30
FRAME_SIZE = 1 << 20
"""How much goes into one frame that is sent."""
HEADER = 9
LZ4_MAX_RATIO = 255


class Method(IntEnum):
    NONE = 0x02
    LZ4 = 0x82
    ZSTD = 0x90


class CorruptFrameError(ProtocolError):
    """A compressed frame whose checksum, sizes or content are wrong."""

    def __init__(self, message: str, code: int = 271, name: str = "CANNOT_DECOMPRESS") -> None:
        super().__init__(message, code, name)


def checksum(data: bytes) -> bytes:
    # CityHash128() gives one integer whose high half is the half that travels first.
    high, low = divmod(CityHash128(data), 1 << 64)
    return pack("<QQ", high, low)


def compress(method: Method, data: bytes) -> bytes:
    """`data` as one frame after another."""
    return b"".join(_frame(method, data[start : start + FRAME_SIZE]) for start in range(0, len(data), FRAME_SIZE))


def _frame(method: Method, data: bytes) -> bytes:
    if method is Method.LZ4:
        body = bytes(lz4.block.compress(data, store_size=False))
    elif method is Method.ZSTD:
        body = zstandard.ZstdCompressor(level=1).compress(data)
    else:
        body = data
    frame = pack("<BII", method, HEADER + len(body), len(data)) + body
    return checksum(frame) + frame


def read_frame(buffer: ByteBuffer, limit: int) -> Reader[bytes]:
    """The content of the frame at the buffer's position, its checksum verified, at most `limit` bytes."""
    expected = yield from read_bytes(buffer, 16)
    header = yield from read_bytes(buffer, HEADER)
    method, size, inside = unpack("<BII", header)
    if size < HEADER or inside == 0:
        raise CorruptFrameError(f"a compressed frame of {size} bytes cannot hold {inside}")
    limit = min(limit, MAX_FRAME)
    if max(size, inside) > limit:
        raise PacketTooLargeError("the size of a compressed frame", max(size, inside), limit)
    body = yield from read_bytes(buffer, size - HEADER)
    if checksum(header + body) != expected:
        raise CorruptFrameError("the checksum of a compressed frame is wrong", 40, "CHECKSUM_DOESNT_MATCH")
    return decompress(method, body, inside)


def decompress(method: int, body: bytes, size: int) -> bytes:
    """Raises CorruptFrameError if the body is not `size` bytes compressed by this method."""
    decoder = _DECODERS.get(method)
    if decoder is None:
        raise CorruptFrameError(f"unknown compression method {method:#x}", 89, "UNKNOWN_COMPRESSION_METHOD")
    try:
        data = decoder(body, size)
    except (lz4.block.LZ4BlockError, zstandard.ZstdError, ValueError) as error:
        raise CorruptFrameError(f"cannot decompress a frame: {error}") from error
    if len(data) != size:
        raise CorruptFrameError(f"a compressed frame holds {len(data)} bytes, not {size}")
    return data


def _lz4(body: bytes, size: int) -> bytes:
    # Believed before the bytes are there: a size LZ4 cannot reach from this body must not be allocated.
    if size > len(body) * LZ4_MAX_RATIO + 64:
        raise ValueError(f"{len(body)} bytes of LZ4 cannot become {size}")
    return bytes(lz4.block.decompress(body, uncompressed_size=size))


def _zstd(body: bytes, size: int) -> bytes:
    if zstandard.frame_content_size(body) > size:
        raise ValueError("the frame says it holds more")
    return zstandard.ZstdDecompressor().decompress(body, max_output_size=size)


_DECODERS: dict[int, Callable[[bytes, int], bytes]] = {
    Method.NONE: lambda body, size: body,
    Method.LZ4: _lz4,
    Method.ZSTD: _zstd,
}


def through_frames(outer: ByteBuffer, inner: ByteBuffer, reader: Reader[T], limit: int) -> Reader[T]:
    """Run `reader`, which reads `inner`, on the content of the frames in `outer`.

    Yields PROGRESS after each frame, so that a large block can be taken away piece by piece.
    """
    while True:
        try:
            if next(reader) is not NEED_MORE:
                continue
        except StopIteration as stop:
            result: T = stop.value
            return result
        inner.feed((yield from read_frame(outer, limit)))
        outer.drop()
        yield PROGRESS
