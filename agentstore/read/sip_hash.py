"""The server's ``sipHash128``, for one short text: as a constant it costs the server more to work out. Pure."""

from __future__ import annotations

_64 = (1 << 64) - 1


def sip_hash_128(data: bytes) -> int:
    """SipHash-2-4 with a key of zeros and the server's ending, read as a ``UInt128``. Some 50 µs for an id."""
    state = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    whole = len(data) - len(data) % 8
    words = [int.from_bytes(data[start : start + 8], "little") for start in range(0, whole, 8)]
    for word in (*words, int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56):
        a, b, c, d = _round(*_round(*state[:3], state[3] ^ word))
        state = (a ^ word, b, c, d)
    a, b, c, d = state
    c ^= 0xFF
    for _ in range(4):
        a, b, c, d = _round(a, b, c, d)
    return (a ^ b) | (c ^ d) << 64


def _round(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a, c = (a + b) & _64, (c + d) & _64
    b, d = (b << 13 | b >> 51) & _64 ^ a, (d << 16 | d >> 48) & _64 ^ c
    a, c = ((a << 32 | a >> 32) & _64) + d & _64, c + b & _64
    b, d = (b << 17 | b >> 47) & _64 ^ c, (d << 21 | d >> 43) & _64 ^ a
    return a, b, (c << 32 | c >> 32) & _64, d
