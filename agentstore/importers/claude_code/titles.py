"""Summaries: titles that a file gives to conversations, its own or others', by the uuid of their latest record."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from zlib import crc32

import msgspec

_packed = struct.Struct("<I").pack
_SIZE = 4
_MOST = 1000  # summaries of other conversations in one file


class TitlesMemory(msgspec.Struct, array_like=True):
    """What is held of the summaries of a file."""

    others: dict[str, str] = {}  # by leaf: those whose record was not seen
    uuids: bytes = b""  # of all records, four bytes for each
    place: int = -1  # of the record that the title belongs to
    is_own: bool = False


class Titles:
    """Finds the summary of the latest record that has one. A summary may stand before its record or after it.

    ``elsewhere`` are the titles found in other files; what the file itself says has precedence.
    """

    def __init__(self, memory: TitlesMemory, elsewhere: Mapping[str, str]) -> None:
        self.memory = memory
        self._elsewhere = elsewhere
        self._packed = bytearray(memory.uuids)
        self._fresh: list[str] = []  # those that are not packed yet

    def see(self, uuids: list[str]) -> str:
        """Takes note of records; returns the title, if one of them is the record that it belongs to."""
        self._fresh += uuids
        title = ""
        if not self._elsewhere.keys().isdisjoint(uuids):
            for uuid in uuids:
                title = self._take(uuid, self._elsewhere.get(uuid, ""), is_own=False) or title
        if not self.memory.others.keys().isdisjoint(uuids):
            for uuid in uuids:
                title = self._take(uuid, self.memory.others.pop(uuid, ""), is_own=True) or title
        return title

    def take(self, leaf: str, summary: str) -> str:
        """A summary; returns it if it is the title so far."""
        if not leaf or not summary:
            return ""
        if self._place(leaf) >= 0:
            return self._take(leaf, summary, is_own=True)
        self.memory.others[leaf] = summary
        if len(self.memory.others) > _MOST:
            self.memory.others.pop(next(iter(self.memory.others)))
        return ""

    def _take(self, uuid: str, title: str, *, is_own: bool) -> str:
        if not title:
            return ""
        # The first record of this name: a file that was written again into itself ends where it ended before.
        place = self._place(uuid)
        memory = self.memory
        if place < memory.place or (place == memory.place and memory.is_own and not is_own):
            return ""
        memory.place, memory.is_own = place, is_own
        return title

    def _place(self, uuid: str) -> int:
        """Which of the records it is, the first of this name; -1 for none."""
        packed, wanted = self._uuids(), _packed(crc32(uuid.encode("utf-8", errors="replace")))
        found = packed.find(wanted)
        while found % _SIZE and found >= 0:
            found = packed.find(wanted, found + 1)
        return found // _SIZE

    def _uuids(self) -> bytearray:
        if self._fresh:
            shorts = [crc32(uuid.encode("utf-8", errors="replace")) for uuid in self._fresh]
            self._packed += struct.pack(f"<{len(shorts)}I", *shorts)
            self._fresh.clear()
        return self._packed

    def held(self) -> TitlesMemory:
        self.memory.uuids = bytes(self._uuids())
        return self.memory
