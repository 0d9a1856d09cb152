"""Python values to native columns: one function per column type, each taking a whole column at once.

The bytes of a column of n + m rows are those of n rows followed by those of m rows, segment by segment, so the rows of
many calls are put into one block by joining what each call encoded. Encoding is also the check: a value that does not
fit its column raises here, before anything is sent. It costs less client CPU than the driver's own encoding, which
takes values one by one (benchmarks/bulk.py).
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from agentstore.connection.sql import EPOCH, valid_text
from agentstore.packed import pack

Segments = tuple[bytes, ...]
Encoder = Callable[[Sequence[Any]], Segments]

_MICROSECOND = dt.timedelta(microseconds=1)


def encode_varint(number: int) -> bytes:
    """Unsigned LEB128, as the protocol counts."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


class _Varints(dict[int, bytes]):
    """Lengths below 16 KiB are kept once they were met; longer texts are rare, and theirs would grow without bound."""

    def __missing__(self, number: int) -> bytes:
        found = encode_varint(number)
        if number < 1 << 14:
            self[number] = found
        return found


_VARINTS = _Varints()


def encode_strings(values: Sequence[str]) -> Segments:
    """``String``: each text's length and UTF-8 bytes. What has no UTF-8 (lone surrogates) becomes U+FFFD."""
    try:
        # The unbound method is the check: for anything but a str it raises TypeError.
        raw = list(map(str.encode, values))
    except UnicodeEncodeError:
        raw = [valid_text(value).encode() for value in values]
    except TypeError:
        raise TypeError("expected a str") from None
    return (b"".join(chain.from_iterable(zip(map(_VARINTS.__getitem__, map(len, raw)), raw, strict=True))),)


def encode_bools(values: Sequence[bool]) -> Segments:
    """``Bool``: one byte each; anything but True and False is refused."""
    # By exact type: 1 and 0 equal True and False, and bytes() takes them.
    if not set(map(type, values)) <= {bool}:
        raise TypeError("expected a bool")
    return (bytes(values),)


def unsigned(bits: int) -> Encoder:
    """``UInt32`` or ``UInt64``."""
    code = {8: "B", 32: "I", 64: "Q"}[bits]

    def encode(values: Sequence[int]) -> Segments:
        # By exact type: a bool is an int, too, and would be packed as one.
        if not set(map(type, values)) <= {int}:
            raise TypeError("expected an int")
        try:
            return (struct.pack(f"<{len(values)}{code}", *values),)
        except struct.error:
            raise OverflowError(f"expected 0 … {2**bits - 1}") from None

    return encode


def choice(*allowed: str) -> Encoder:
    """``String`` holding one of the given texts."""

    def encode(values: Sequence[str]) -> Segments:
        if not set(values) <= set(allowed):
            raise ValueError(f"expected one of {', '.join(map(repr, allowed))}")
        return encode_strings(values)

    return encode


def required(values: Sequence[str]) -> Segments:
    """``String`` that must not be empty: an id."""
    if "" in values:
        raise ValueError("is missing")
    return encode_strings(values)


def nullable(encode: Encoder, default: Any) -> Encoder:
    """``Nullable(T)``: a map of the absent values, then all values with a default in their places."""

    def encode_nullable(values: Sequence[Any]) -> Segments:
        nulls = bytes([value is None for value in values])
        return (nulls, *encode([default if value is None else value for value in values]))

    return encode_nullable


def encode_times(values: Sequence[dt.datetime]) -> Segments:
    """``DateTime64(6, 'UTC')``: microseconds since 1970; a datetime without a zone is refused, never guessed."""
    try:
        ticks = [(value - EPOCH) // _MICROSECOND for value in values]
    except TypeError:
        raise TypeError("expected a datetime with a timezone") from None
    return (struct.pack(f"<{len(ticks)}q", *ticks),)


def encode_bytes(values: Sequence[bytes]) -> Segments:
    """``String`` of bytes that need not be text."""
    if not set(map(type, values)) <= {bytes}:
        raise TypeError("expected bytes")
    return (b"".join(chain.from_iterable(zip(map(_VARINTS.__getitem__, map(len, values)), values, strict=True))),)


def encode_packed(values: Sequence[bytes]) -> Segments:
    """``String`` of bytes that may be long, compressed where that pays: see ``packed``."""
    if not set(map(type, values)) <= {bytes}:
        raise TypeError("expected bytes")
    return encode_bytes(list(map(pack, values)))
