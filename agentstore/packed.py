"""Bytes as they are stored in a column of long texts that nobody searches: compressed before they are sent.

So they travel and are merged as what they are: a fifth of themselves. Short ones stay plain, and the server compresses
many of them together, which alone they could not be. The first byte tells.
"""

from __future__ import annotations

_PLAIN, _ZSTD = b"\0", b"\1"
_LEAST = 16 * 1024
_LEVEL = 3


def pack(data: bytes) -> bytes:
    """The bytes, packed."""
    if len(data) < _LEAST:
        return _PLAIN + data
    import zstandard  # here: most programs never pack

    return _ZSTD + zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def unpack(data: bytes) -> bytes:
    """What was packed. ``ValueError`` where nothing was."""
    if data[:1] == _PLAIN:
        return data[1:]
    if data[:1] != _ZSTD:
        raise ValueError("these bytes were not packed")
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompress(data[1:])
    except zstandard.ZstdError as error:
        raise ValueError(f"these bytes are damaged: {error}") from None
