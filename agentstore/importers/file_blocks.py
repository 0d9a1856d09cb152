"""Reading files that may be of any size and of any kind, a bounded part at a time."""

from __future__ import annotations

import os
import pathlib
import re
import stat
from collections.abc import Iterator

BLOCK = 1 << 20
LONGEST_LINE = 1 << 26  # what is longer is no line of a transcript; nothing reads more than that at once


def name_of(path: pathlib.Path) -> str:
    """A file's name as rows can hold it: names that are no UTF-8 have surrogates in Python."""
    return os.fsencode(path.as_posix()).decode("utf-8", errors="replace")


def names_in(folder: pathlib.Path) -> list[str]:
    """What is in a folder, sorted; nothing where it cannot be listed."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def is_regular(path: pathlib.Path) -> bool:
    """Whether this is a file, or a link to one: a pipe or a device may wait forever, or never end."""
    return stat.S_ISREG(os.stat(path).st_mode)


def read_start(path: pathlib.Path, most: int) -> bytes:
    """The first bytes of a regular file; ``OSError`` for everything else."""
    if not is_regular(path):
        raise OSError(0, "not a regular file")
    with path.open("rb") as file:
        return file.read(most)


def blocks(path: pathlib.Path, *, longest: int = LONGEST_LINE, size: int = BLOCK) -> Iterator[bytes]:
    """The file in blocks of whole lines (the last one may lack its end); lines longer than ``longest`` are left out."""
    with path.open("rb") as file:
        begun: list[bytes] = []
        length, skipping = 0, False
        while part := file.read(size):
            end = part.rfind(b"\n") + 1
            if not end:
                begun, length, skipping = _grown(begun, part, length, longest, skipping)
                continue
            if skipping:
                part = part[part.find(b"\n") + 1 :]
                end = part.rfind(b"\n") + 1
            elif begun and length + part.find(b"\n") > longest:
                begun, part = [], part[part.find(b"\n") + 1 :]
                end = part.rfind(b"\n") + 1
            if whole := b"".join([*begun, part[:end]]):
                yield whole
            begun, skipping = [part[end:]], False
            length = len(part) - end
        if rest := b"".join(begun):
            yield rest


def _grown(begun: list[bytes], part: bytes, length: int, longest: int, skipping: bool) -> tuple[list[bytes], int, bool]:
    """The beginning of a line with more of it, or nothing once it is too long."""
    if skipping or length + len(part) > longest:
        return [], 0, True
    return [*begun, part], length + len(part), False


def lines_with(block: bytes, *needles: bytes | re.Pattern[bytes]) -> Iterator[bytes]:
    """The lines of a block that hold one of these texts or patterns, in their order, each once."""
    yield from lines_at(block, starts_with(block, *needles))


def starts_with(block: bytes, *needles: bytes | re.Pattern[bytes]) -> set[int]:
    """Where the lines begin that hold one of these."""
    starts: set[int] = set()
    for needle in needles:
        if isinstance(needle, re.Pattern):
            starts.update(block.rfind(b"\n", 0, found.start()) + 1 for found in needle.finditer(block))
            continue
        position = block.find(needle)
        while position >= 0:
            starts.add(block.rfind(b"\n", 0, position) + 1)
            end = block.find(b"\n", position)
            position = block.find(needle, end) if end >= 0 else -1
    return starts


def lines_at(block: bytes, starts: set[int]) -> Iterator[bytes]:
    """The lines that begin there, in their order."""
    for start in sorted(starts):
        end = block.find(b"\n", start)
        yield block[start:end] if end >= 0 else block[start:]


def first_lines_with(block: bytes, needle: bytes) -> Iterator[bytes]:
    """The lines of a block that hold this text, one after the other: for who needs only the first few."""
    position = block.find(needle)
    while position >= 0:
        end = block.find(b"\n", position)
        yield block[block.rfind(b"\n", 0, position) + 1 : end if end >= 0 else len(block)]
        position = block.find(needle, end) if end >= 0 else -1
