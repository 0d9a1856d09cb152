"""The parts that are kept of a file, put together again: those that join, from its start to its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from agentstore.importers.states import ImportState
from agentstore.models import OriginalPart, SourceFile

_COMPRESSED = ".zst"


class Chain(NamedTuple):
    """A file as it was kept. ``reason`` says why that is not all of it; "" where it is."""

    parts: list[OriginalPart]
    reason: str = ""


class Kept(NamedTuple):
    """A file, and the parts of those beside it, by their paths from its folder."""

    own: Chain
    beside: dict[str, list[OriginalPart]]


def kept_of(parts: Iterable[OriginalPart], row: SourceFile) -> Kept:
    """The parts under the ``original_id`` of a file; ``row`` has its state."""
    by_file: dict[str, dict[int, OriginalPart]] = {"": {}}
    for part in parts:
        by_file.setdefault(part.file, {})[part.start] = part
    own = _chain(by_file.pop(""), _read_to(row), has_end=not row.path.endswith(_COMPRESSED))
    return Kept(own, {file: [found[start] for start in sorted(found)] for file, found in sorted(by_file.items())})


def is_list(file: str, parts: Iterable[OriginalPart]) -> bool:
    """Whether a file beside another is a list of all sessions, of which only this one's lines are kept."""
    return file.endswith(".jsonl") or any(part.start for part in parts)


def _read_to(row: SourceFile) -> int:
    """How many bytes of a file were read, at least. Of a compressed one only those that were read before it was are
    known: its size is that of what is on the disk."""
    try:
        read = msgspec.msgpack.decode(row.state, type=ImportState).offset if row.state else 0
    except msgspec.MsgspecError:
        read = 0
    # A file that grew between the look at it and its end was read further than that.
    return read if row.path.endswith(_COMPRESSED) else max(row.size, read)


def _chain(parts: dict[int, OriginalPart], size: int, *, has_end: bool) -> Chain:
    """Each part begins where the one before it ends. Others are of earlier versions of the file, also those after its
    end."""
    if not parts:
        return Chain([], "no original is kept")
    found: list[OriginalPart] = []
    end = 0
    while (not found or not has_end or end < size) and (part := parts.get(end)):
        found.append(part)
        if part.end <= end:
            break  # an empty file
        end = part.end
    if not found:
        return Chain([], f"the original begins at byte {min(parts)}")
    if end < size:
        return Chain([], f"the original ends at byte {end} of {size}")
    return Chain(found)
