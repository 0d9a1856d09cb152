"""What is remembered of files between two surveys: facts about each, packed, and digests of what follows from them."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Sequence

import msgspec


def digest_of(*parts: object) -> bytes:
    """Eight bytes that these values are known by."""
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=8).digest()


class Unremembered:
    """A history of which nothing is remembered: any change of any file may change what another one gives."""

    files: Sequence[pathlib.Path]

    def facts(self, path: pathlib.Path) -> bytes:
        return b""

    def context(self, path: pathlib.Path) -> bytes:
        return digest_of(sorted(map(_looks, (one for one in self.files if one != path))))


def _looks(path: pathlib.Path) -> tuple[bytes, int, int]:
    name = os.fsencode(path)
    try:
        found = path.stat()
    except OSError:
        return name, -1, 0
    return name, found.st_size, found.st_mtime_ns
