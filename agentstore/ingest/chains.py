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
    """A file with those beside it, by their paths from its folder."""

    own: Chain
    beside: dict[str, Chain]


def size_of(row: SourceFile) -> int | None:
    """How many bytes of a file were read; ``row`` has its state. None where that is not known: of a compressed file the
    size is that of what is on the disk."""
    if row.path.endswith(_COMPRESSED):
        return None
    try:
        # A file that grew between the look at it and its end was read further.
        return max(row.size, msgspec.msgpack.decode(row.state, type=ImportState).offset if row.state else 0)
    except msgspec.MsgspecError:
        return row.size


def kept_of(parts: Iterable[OriginalPart], size: int | None) -> Kept:
    """The parts under one ``original_id``, of which the file itself had so many bytes."""
    by_file: dict[str, dict[int, OriginalPart]] = {"": {}}
    for part in parts:
        by_file.setdefault(part.file, {})[part.start] = part
    own = _chain(by_file.pop(""), size)
    return Kept(own, {file: _chain(found, None) for file, found in sorted(by_file.items())})


def _chain(parts: dict[int, OriginalPart], size: int | None) -> Chain:
    """Each part begins where the one before it ends. Others are of earlier versions of the file, also those after its
    end."""
    if not parts:
        return Chain([], "no original is kept")
    found: list[OriginalPart] = []
    end = 0
    while (size is None or end < size or not found) and (part := parts.get(end)):
        found.append(part)
        if part.end <= end:
            break  # an empty file
        end = part.end
    if not found:
        return Chain([], f"the original begins at byte {min(parts)}")
    if size is not None and end < size:
        return Chain([], f"the original ends at byte {end} of {size}")
    return Chain(found)
