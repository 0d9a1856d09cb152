"""Compressed frames of the native protocol: a checksum, a method, two sizes, the bytes.

A frame is 16 bytes of CityHash128 over the rest, one method byte, the size of header and body, and the size of what
is inside.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from struct import pack, unpack
from typing import NamedTuple

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from agentstore.local.protocol.wire import ByteBuffer, PacketTooLargeError, ProtocolError, Reader, read_bytes

# Clients send frames of 1 MiB, or one for a whole block; a block of more than this has to come in several.
MAX_FRAME = 64 << 20
# How much goes into one frame that is sent.
FRAME_SIZE = 1 << 20
HEADER = 9
LZ4_MAX_RATIO = 255


class CompressionMethod(IntEnum):
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


def compress(method: CompressionMethod, data: bytes) -> bytes:
    """``data`` as one frame after another."""
    return b"".join(_frame(method, data[start : start + FRAME_SIZE]) for start in range(0, len(data), FRAME_SIZE))


def _frame(method: CompressionMethod, data: bytes) -> bytes:
    if method is CompressionMethod.LZ4:
        body = bytes(lz4.block.compress(data, store_size=False))
    elif method is CompressionMethod.ZSTD:
        body = zstandard.ZstdCompressor(level=1).compress(data)
    else:
        body = data
    frame = pack("<BII", method, HEADER + len(body), len(data)) + body
    return checksum(frame) + frame


class FrameHeader(NamedTuple):
    """``size`` is that of header and body, ``inside`` that of the content."""

    checksum: bytes
    raw: bytes
    method: int
    size: int
    inside: int

    @property
    def body_size(self) -> int:
        return self.size - HEADER


def read_frame_header(buffer: ByteBuffer, limit: int) -> Reader[FrameHeader]:
    """What a frame says of itself. Raises ProtocolError if it says nonsense, or more than ``limit`` bytes."""
    expected = yield from read_bytes(buffer, 16)
    raw = yield from read_bytes(buffer, HEADER)
    header = FrameHeader(expected, raw, *unpack("<BII", raw))
    if header.size < HEADER or header.inside == 0:
        raise CorruptFrameError(f"a compressed frame of {header.size} bytes cannot hold {header.inside}")
    limit, largest = min(limit, MAX_FRAME), max(header.size, header.inside)
    if largest > limit:
        raise PacketTooLargeError("the size of a compressed frame", largest, limit)
    return header


def open_frame(header: FrameHeader, body: bytes) -> bytes:
    """The content of a frame, its checksum verified. Takes long for large ones."""
    # Before anything is decompressed: the decoders see only what the client meant to send.
    if checksum(header.raw + body) != header.checksum:
        raise CorruptFrameError("the checksum of a compressed frame is wrong", 40, "CHECKSUM_DOESNT_MATCH")
    return decompress(header.method, body, header.inside)


def decompress(method: int, body: bytes, size: int) -> bytes:
    """Raises CorruptFrameError if the body is not ``size`` bytes compressed by this method."""
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
    CompressionMethod.NONE: lambda body, size: body,
    CompressionMethod.LZ4: _lz4,
    CompressionMethod.ZSTD: _zstd,
}
