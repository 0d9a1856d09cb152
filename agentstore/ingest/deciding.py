"""What is to be done with each file: nothing, go on where reading stopped, or read it from its start. Pure but for
``is_beginning``, which looks at a file's ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from agentstore.importers.states import ImportState, StaleStateError
from agentstore.ingest.identity import ends_of, is_compressed, original_id
from agentstore.ingest.looking import File
from agentstore.models import SourceFile


class Owner(NamedTuple):
    """For whom and where files are read."""

    user_id: str
    user_name: str
    machine: str


class Task(NamedTuple):
    """A file that is to be read, from ``state`` on; ``original_id``: under which its parts are kept. ``row``: what is
    known of it, under this path or another one. ``deleted``: sessions in it that were deleted from the store."""

    file: File
    context: str
    state: ImportState | None
    original_id: str
    session_ids: tuple[str, ...]
    row: SourceFile | None
    deleted: frozenset[str] = frozenset()


def is_settled(file: File, context: str, owner: Owner) -> bool:
    """Whether a file was read as it is, by this importer, for this user, when others said the same of it."""
    row = file.row
    return (
        file.is_same
        and row is not None
        and row.importer_version == file.importer.version
        and row.user_id == owner.user_id
        and row.context == context
    )


def task_of(file: File, context: str, owner: Owner, rows: Sequence[SourceFile], *, keep_raw: bool) -> Task:
    """How to read a file of which ``rows`` are known, with their states: its own, and those of files like it."""
    row = goes_on_from(file, owner, rows)
    state = _state(row, file, context)
    if keep_raw and row is not None and state is not None and not row.original_id and not state.is_of_sessions:
        state = None  # an original does not begin in the middle
    if row is None or state is None:
        sessions = row.session_ids if row is not None else ()
        return Task(file, context, None, original_id(owner.machine, file.path, file.source_id), sessions, row)
    return Task(file, context, state, row.original_id, row.session_ids, row)


def goes_on_from(file: File, owner: Owner, rows: Sequence[SourceFile]) -> SourceFile | None:
    """The row of the file itself, or of where it was before it was moved or compressed.

    Not of a copy that is still there: two files that grow apart would be taken for one.
    """
    own = [row for row in rows if row.machine == owner.machine and row.source_id == file.source_id]
    at_home = [row for row in own if row.path == file.name]
    moved = [row for row in own if row.path != file.name and _is_gone(row.path)]
    mine = [row for row in (*at_home, *moved) if row.user_id == owner.user_id]
    return mine[0] if mine else None


def _is_gone(name: str) -> bool:
    """Whether there is nothing at a path any more; False where that cannot be told."""
    if "\ufffd" in name:
        return False  # perhaps it is no UTF-8, and this is not its name
    try:
        os.lstat(os.fsdecode(name.encode()))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        pass
    return False


def _state(row: SourceFile | None, file: File, context: str) -> ImportState | None:
    """Where reading goes on; None where all of it is to be read again: others say something else about it now."""
    if row is None or not row.state or row.outcome != "read":
        return None
    if row.importer_version != file.importer.version or row.importer != file.importer.name:
        return None
    try:
        state = msgspec.msgpack.decode(row.state, type=ImportState)
    except msgspec.MsgspecError:
        return None  # another version's
    # That of a database knows of each session what others said of it.
    return state if row.context == context or state.is_of_sessions else None


def pack(state: ImportState | None) -> bytes:
    """For ``SourceFile.state``."""
    return msgspec.msgpack.encode(state) if state is not None else b""


def copy_of(file: File, owner: Owner, rows: Sequence[SourceFile]) -> SourceFile | None:
    """The row of another file, on this machine or elsewhere, that has the same bytes; ``OSError`` if it cannot be read.

    It is seen by their number, the first and the last of them. Of documents nothing is seen: they are read.
    """
    for row in rows:
        is_itself = row.machine == owner.machine and row.path == file.name
        if not is_itself and row.outcome == "read" and has_bytes_of(file, row):
            return row
    return None


def has_bytes_of(file: File, row: SourceFile) -> bool:
    """Whether a file, compressed or not, has the bytes that were read when the row was written."""
    try:
        state = msgspec.msgpack.decode(row.state, type=ImportState) if row.state else None
        if state is None:
            return False
        if is_compressed(file.path):
            return ends_of(file.path, state.offset) == (row.size, state.head, state.tail)
        if row.size != file.found.size:
            return False
        with file.path.open("rb") as stream:
            state.open(stream)
    except (msgspec.MsgspecError, StaleStateError):
        return False
    return True
