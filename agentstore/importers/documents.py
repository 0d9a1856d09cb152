"""Files that agents write anew as a whole: one JSON document, or a log whose records take back what stood before.

They cannot be continued at a place. They are read whole, up to a size; the state of an import tells that a file is the
same as it was, and nothing more.
"""

from __future__ import annotations

import hashlib
import pathlib
from typing import Any

from agentstore.importers.file_blocks import BLOCK, read_start
from agentstore.importers.jsonl import Record, Report, read_values
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import STATE_VERSION, ImportState, StaleStateError

MOST_BYTES = 256 * 1024 * 1024
_UNREADABLE_HEAD = 8


def read_whole(path: pathlib.Path, most: int = MOST_BYTES) -> bytes | None:
    """The bytes of a regular file; None where it is larger than documents may be. ``OSError`` if it cannot be read."""
    data = read_start(path, most + 1)
    return None if len(data) > most else data


def state_of(data: bytes) -> ImportState:
    """The state after a whole file: what it was."""
    proof = hashlib.blake2b(data, digest_size=16).digest()
    return ImportState(STATE_VERSION, len(data), 0, proof[:_UNREADABLE_HEAD], proof[_UNREADABLE_HEAD:], b"")


def state_of_file(path: pathlib.Path) -> ImportState:
    """The same of a file that is not held as a whole. ``OSError`` if it cannot be read."""
    digest, size = hashlib.blake2b(digest_size=16), 0
    with path.open("rb") as stream:
        while data := stream.read(BLOCK):
            digest.update(data)
            size += len(data)
    proof = digest.digest()
    return ImportState(STATE_VERSION, size, 0, proof[:_UNREADABLE_HEAD], proof[_UNREADABLE_HEAD:], b"")


def is_unchanged(data: bytes, state: ImportState | None) -> bool:
    """Whether the file is what was read; ``StaleStateError`` where it is another one, False without a state."""
    return state is not None and is_same(state_of(data), state)


def is_same(now: ImportState, state: ImportState) -> bool:
    """True; ``StaleStateError`` where the file is not what it was."""
    if state != now:
        raise StaleStateError("the file was written again since it was read")
    return True


def unchanged(file: str, state: ImportState) -> ImportResult:
    """What there is to tell of a file that is the same: a later piece without rows."""
    return ImportResult(file=file, piece=1, state=state)


def too_large(file: str, most: int = MOST_BYTES) -> ImportResult:
    return ImportResult(file=file, problems=[ImportProblem(file, 0, f"more than {most:,} bytes, not read")])


def read_value(data: bytes, report: Report) -> Any:
    """The JSON value of a document; None, and a report, where there is none. What follows it is reported.

    Of one that is cut off nothing is kept: its rows would take the place of all of them.
    """
    values = read_values(data, report)
    if len(values) > 1:
        report(0, "more than one JSON value: the first one is read")
    elif not values and not data.strip(b" \t\r\n\x00"):
        report(0, "the file is empty")
    return values[0] if values else None


def read_object(data: bytes, report: Report) -> Record | None:
    """The JSON object of a document; None, and a report, where it holds anything else."""
    value = read_value(data, report)
    if not isinstance(value, dict):
        if value is not None:
            report(0, f"not a JSON object but {type(value).__name__}")
        return None
    return value
