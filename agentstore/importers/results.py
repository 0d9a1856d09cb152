"""What an importer returns: rows, and everything it could not turn into rows, as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from agentstore.importers.states import ImportState
from agentstore.models import FileTouch, GitLink, Message, Session, ToolCall


class ImportProblem(msgspec.Struct, frozen=True):
    """A part of a file that could not be read. ``line`` is 1-based; 0 means the file as a whole."""

    file: str
    line: int
    reason: str


class Original(msgspec.Struct, frozen=True):
    """Bytes ``offset`` to ``end`` of a file as they were read, masked (``Options.keep_original``).

    ``file`` is named as ``ImportResult.file`` is; it may lie beside the one that was read. A file's parts in their
    order, joined, are the file: one begins where another ends. Lines that are too long are left out. A last line
    without its end is a part of its own, which the next import, that begins there, gives again; a file that is read
    from its start gives all of them. The numbers are those of the file; of a compressed one those of what is in it.
    Of a list beside it, which is of all sessions, there is only the line of this one.
    """

    file: str
    offset: int
    end: int
    data: bytes


class ImportResult(msgspec.Struct, frozen=True):
    """The rows of a file or of a piece of one, ready for ``write_batch``, ``write_git_links`` and
    ``write_file_touches``, and an account of the rest.

    Rows and problems are those that are new, or have changed, since the piece before. The sessions and the accounts
    below are of everything that was read so far: those of the last piece are the whole file's.

    ``skipped_records`` counts what is known and kept out (progress, snapshots, injected lines …),
    ``unknown_records`` what this version does not know; both by type.
    ``titles`` are titles that this file gives to conversations in *other* files, by the uuid of their last record.
    ``replaces`` are ids that earlier versions gave to the same session: what is stored under them is to be deleted.
    ``continued_in`` is the session that the file says it goes on in; "" where it says none.
    ``piece`` counts the pieces of a file from 0: what is stored of its session is replaced with the first of them, and
    the others are added to it.
    ``state`` is where the next import of the same file may continue; None where an importer cannot.
    ``originals`` are what was read of files for it, where that is wanted; of databases there are none.
    """

    # Not shared between results, as they would be in a plain class: msgspec makes new lists and dicts for each.
    file: str = ""
    sessions: list[Session] = []
    messages: list[Message] = []
    tool_calls: list[ToolCall] = []
    git_links: list[GitLink] = []
    file_touches: list[FileTouch] = []
    problems: list[ImportProblem] = []
    skipped_records: dict[str, int] = {}
    unknown_records: dict[str, int] = {}
    titles: dict[str, str] = {}
    replaces: list[str] = []
    continued_in: str = ""
    piece: int = 0
    state: ImportState | None = None
    originals: list[Original] = []


def by_session(pieces: Iterable[ImportResult], own_id: str = "") -> Iterator[ImportResult]:
    """The pieces of one file with the rows of one session each: subagents that it embeds come before its own session,
    as files of their own (``file#agent-<id>``) with pieces of their own. ``own_id``: where it may come after them."""
    seen: dict[str, int] = {}
    for piece in pieces:
        ids = [session.id for session in piece.sessions]
        own = own_id or next(iter(ids), "")
        embedded = [id for id in ids if id != own]
        for id in embedded:
            part = _rows_of(piece, id)
            # The sessions so far are in every piece; what has no new row was told.
            if part.messages or part.tool_calls:
                number = seen.get(id, 0)
                seen[id] = number + 1
                yield msgspec.structs.replace(part, file=f"{piece.file}#{id.rpartition(':')[2]}", piece=number)
        if not embedded:
            yield piece
            continue
        mine = _rows_of(piece, own)
        yield msgspec.structs.replace(
            piece,
            sessions=mine.sessions,
            messages=mine.messages,
            tool_calls=mine.tool_calls,
            git_links=mine.git_links,
            file_touches=mine.file_touches,
        )


def _rows_of(result: ImportResult, id: str) -> ImportResult:
    return ImportResult(
        sessions=[one for one in result.sessions if one.id == id],
        messages=[one for one in result.messages if one.session_id == id],
        tool_calls=[one for one in result.tool_calls if one.session_id == id],
        git_links=[one for one in result.git_links if one.session_id == id],
        file_touches=[one for one in result.file_touches if one.session_id == id],
    )
