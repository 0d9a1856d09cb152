"""The wire format of protocol buffers, as far as it is needed to follow links: fields, without a schema."""

from __future__ import annotations

from collections.abc import Iterator

_MOST_FIELDS = 1_000_000
_FIXED = {1: 8, 5: 4}


def texts_and_messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The number and the bytes of each field that has a length, up to where the data is no message any more."""
    position = 0
    for _ in range(_MOST_FIELDS):
        key, position = _varint(data, position)
        if key <= 0:
            return
        kind = key & 7
        if kind == 0:
            _, position = _varint(data, position)
            if position < 0:
                return
        elif kind == 2:
            size, position = _varint(data, position)
            if size < 0 or position + size > len(data):
                return
            yield key >> 3, data[position : position + size]
            position += size
        elif kind in _FIXED:
            position += _FIXED[kind]
        else:
            return


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number and where it ends; -1 and -1 where there is none."""
    value = 0
    for shift in range(0, 64, 7):
        if not 0 <= position < len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    return -1, -1
