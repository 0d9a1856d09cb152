"""What has been read already, as numbers of eight bytes: enough to know it again, and small enough to be kept."""

from __future__ import annotations

import array
import zlib
from collections.abc import Collection


def digest(*parts: str) -> int:
    """A number that stands for these texts, the same in every process.

    Two checksums: a cryptographic digest of that size takes three times as long, and who makes two texts with the same
    numbers on purpose hides the second of his own transcript only.
    """
    data = "\0".join(parts).encode("utf-8", errors="replace")
    return zlib.crc32(data) << 32 | zlib.adler32(data)


class Known:
    """A set of digests that is packed without a look at each of them."""

    def __init__(self, packed: bytes = b"") -> None:
        self._order = array.array("Q", packed)
        self._members = set(self._order)

    def __contains__(self, number: int) -> bool:
        return number in self._members

    def add(self, number: int) -> None:
        self._members.add(number)
        self._order.append(number)

    def update(self, numbers: Collection[int]) -> None:
        self._members.update(numbers)
        self._order.extend(numbers)

    def packed(self) -> bytes:
        return self._order.tobytes()
