"""Files of a session, written back from their originals: byte for byte as they were kept, which is masked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pathlib
from collections.abc import AsyncIterator, Sequence

from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.importers.importer import Importer
from agentstore.importers.registry import importer_named, this_home
from agentstore.ingest.kept.chains import Kept, is_list, kept_of
from agentstore.ingest.kept.choosing import by_original
from agentstore.ingest.kept.laying import plain_name
from agentstore.ingest.kept.layout import Parts, parts_beside, parts_of
from agentstore.ingest.kept.staging import Staging
from agentstore.models import Session, SessionFilter, SourceFile
from agentstore.protocols import ReadWriteStore

_CLAUDE_CODE = "claude-code"
_MOST_FOLDER = 200
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


async def restore(
    store: ReadWriteStore,
    org_id: str,
    session_id: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    cwd: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> list[pathlib.Path]:
    """Write the transcript of a session back, so that its agent can resume it on this machine: its file, those of its
    subagents, and what lies beside them, byte for byte as they are kept. Secrets are markers. Returns where they are,
    the session's own first.

    ``folder``: None is where the agent keeps its history here (``Importer.places``); below it the files have the
    folders that they had. ``cwd``, of Claude Code: the directory in which the session is to be resumed, whose name is
    that of the folder; None: the folder that it had. What Codex has compressed is written as ``.jsonl``, which it reads
    as well.

    A file that is there with the same bytes is left as it is; with other bytes it is an ``AlreadyThereError``, before
    anything is written, unless ``overwrite``. Each file is there as a whole or not at all; others cannot read it. It is
    as old as this call: agents delete what is old.

    ``NotFoundError``: there is no such session, or no whole original of it is kept.

    An ingest of the restored file, for the same user on another machine: it is a copy of what was read ("known"). Where
    it has markers in place of secrets that is not seen, and the session becomes the other machine's, with the same
    messages under the same ids: it is there once all the same. So it is when it has gone on there. If it goes on in
    both places, the one that is stored later becomes a fork.
    """
    session = await store.get_session(org_id, session_id)
    row, kept = await _original(store, org_id, session)
    importer = importer_named(row.importer)
    if cwd is not None and row.importer != _CLAUDE_CODE:
        raise InvalidArgumentError(f"cwd: {row.importer} has no folder of that name", field="cwd")
    root = _root(importer, row, folder)
    project = _project(cwd) if cwd is not None else ""
    staging = Staging(overwrite=overwrite)
    try:
        async for one_row, one in _family(store, org_id, session, row, kept):
            parts = _below(importer, one_row)
            if project:
                parts = (project, *(parts[1:] if len(parts) > 1 else parts))
            await asyncio.to_thread(_stage, staging, root, parts, one)
        await asyncio.to_thread(staging.put)
    finally:
        await asyncio.shield(asyncio.to_thread(staging.clear))
    return staging.paths


def _stage(staging: Staging, root: pathlib.Path, own: Parts, kept: Kept) -> None:
    staging.add(root.joinpath(*own), kept.own.parts)
    for file, kept_parts in kept.beside.items():
        # Never outside the agent's folder. What lies above the file's own is about others, too: it is left as it is,
        # and of a list of all sessions there are a few lines only.
        parts, is_shared = parts_beside(own, file), file.startswith("..")
        if parts and not (is_shared and is_list(file, kept_parts)):
            staging.add(root.joinpath(*parts), kept_parts, is_shared=is_shared)


# --- which files --------------------------------------------------------------------------------------------------


async def _original(store: ReadWriteStore, org_id: str, session: Session) -> tuple[SourceFile, Kept]:
    """The file of a session of which a whole original is kept: its owner's, before others."""
    files, _ = by_original(await store.list_source_files(org_id, session_id=session.id, packed=["state"]))
    rows = [rows[0] for rows in files]
    rows.sort(
        key=lambda row: ((row.user_id, row.machine) == (session.user_id, session.machine), row.size), reverse=True
    )
    reason = "none of its files is known" if not rows else ""
    for row in rows:
        kept = kept_of(await store.get_originals(org_id, row.original_id), row)
        if not kept.own.reason:
            return row, kept
        reason = reason or kept.own.reason
    raise NotFoundError(f"no original of session {session.id!r} is kept: {reason}")


async def _family(
    store: ReadWriteStore, org_id: str, session: Session, row: SourceFile, kept: Kept
) -> AsyncIterator[tuple[SourceFile, Kept]]:
    """The files of a session and of all subagents below it, each once. A subagent without one is left out: it may be in
    its session's file."""
    yield row, kept
    seen, files = {session.id}, {row.original_id}
    latest = [session]
    while latest:
        children: list[Session] = []
        for parent in latest:
            children += [one for one in await _subagents(store, org_id, parent) if one.id not in seen]
            seen.update(one.id for one in children)
        for child in children:
            with contextlib.suppress(NotFoundError):
                child_row, child_kept = await _original(store, org_id, child)
                if child_row.original_id not in files:
                    files.add(child_row.original_id)
                    yield child_row, child_kept
        latest = children


async def _subagents(store: ReadWriteStore, org_id: str, parent: Session) -> list[Session]:
    """Those that name the session as their parent, and those that its calls started."""
    found: dict[str, Session] = {}
    cursor = ""
    while True:
        wanted = SessionFilter(
            parent_session_id=parent.id, include_subagents=True, include_deleted=True, limit=200, cursor=cursor
        )
        page = await store.list_sessions(org_id, wanted)
        found |= {one.id: one for one in page.sessions if one.relationship_type == "subagent"}
        cursor = page.next_cursor
        if not cursor:
            break
    # Lists do not have those in which nobody wrote a prompt.
    for call in await store.get_session_tool_calls(org_id, parent.id):
        if call.subagent_session_id and call.subagent_session_id not in found:
            with contextlib.suppress(NotFoundError):
                found[call.subagent_session_id] = await store.get_session(org_id, call.subagent_session_id)
    return list(found.values())


# --- where they go ------------------------------------------------------------------------------------------------


def _root(importer: Importer, row: SourceFile, folder: str | os.PathLike[str] | None) -> pathlib.Path:
    return _place(importer, row)[0] if folder is None else pathlib.Path(folder).expanduser().absolute()


def _project(cwd: str | os.PathLike[str]) -> str:
    return folder_of(os.path.abspath(cwd))


def _place(importer: Importer, row: SourceFile) -> tuple[pathlib.Path, int]:
    """Which of the agent's places here a file belongs to, and how many of its folders are above that: the place that
    has the same names at its end, as many as possible."""
    folders = parts_of(row.path)[:-1]
    places = [pathlib.Path(place) for place in importer.places(this_home())]
    best, place, above = 0, places[0], 0
    for one in places:
        for end in range(len(folders), 0, -1):
            same = _same_at_end(one.parts, folders[:end])
            if same >= max(best, 1) and (same > best or place == one):
                best, place, above = same, one, end
    if not best:
        root = parts_of(row.root)
        above = len(root) if folders[: len(root)] == root else len(folders)
    return place, above


def _same_at_end(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _below(importer: Importer, row: SourceFile) -> Parts:
    """The folders of a file below its place, and its name."""
    return parts_of(plain_name(row.path))[_place(importer, row)[1] :]


def folder_of(cwd: str) -> str:
    """What Claude Code calls the folder of a directory: all but ASCII letters and digits is "-", each unit of UTF-16; a
    long one is cut, with a number behind it, and found by what is before that."""
    units = memoryview(cwd.encode("utf-16-le", errors="surrogatepass")).cast("H")
    name = "".join(chr(unit) if unit < 128 and chr(unit).isalnum() else "-" for unit in units)
    if len(name) <= _MOST_FOLDER:
        return name
    number = 0
    for unit in units:
        number = (number * 31 + unit) & 0xFFFFFFFF
    number = abs(number - (1 << 32) if number >> 31 else number)
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return f"{name[:_MOST_FOLDER]}-{digits}"
