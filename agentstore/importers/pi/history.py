"""The files of Pi and its kin on disk."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import msgspec

from agentstore.importers import copies
from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.file_blocks import blocks, name_of, read_start
from agentstore.importers.git_directory import repository_of
from agentstore.importers.importer import HEAD, NO_FACTS, FileFacts, Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record, read_records, stretches
from agentstore.importers.pi.identity import agent_of, header_in, id_of, is_session, session_key
from agentstore.importers.pi.reader import Around, Reader
from agentstore.importers.pieces import pieces_of
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportResult
from agentstore.importers.states import ImportState, Trace
from agentstore.importers.tools import text_of

_HELD = "file/held by another"
_VERSION = 1


class Said(msgspec.Struct, array_like=True):
    """What the beginning of a file says. ``traced`` is there where others say that they are the same session."""

    agent: str
    id: str
    cwd: str = ""
    is_session: bool = False  # it begins as one does
    traced: copies.Traced | None = None


class PiHistory:
    """Files that are read together: of copies of one session the one that has all of it is imported, and of those that
    went different ways each (``copies``)."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        # The deepest first: subagents lie in a folder beside the file of who asked for them.
        self.files = sorted(files, key=lambda path: (-len(path.parts), path.as_posix()))
        self._options = options
        self._notes = Notes(Said, _VERSION, self._look_over, options, known, grown)
        self._repositories = Repositories()
        self._ids: dict[pathlib.Path, str] = {}
        self._looked_up: set[str] = set()
        claims: dict[str, list[pathlib.Path]] = {}
        for path in self.files:
            if said := self._notes.said(path):
                claims.setdefault(session_key(said.agent, path, said.id), []).append(path)
                self._learn(said.cwd)
        for key, claiming in claims.items():
            if len(claiming) > 1:
                names = {name_of(path): path for path in claiming}
                ids = copies.sort_out(key, {name: self._trace(path) for name, path in names.items()})
                self._ids |= {names[name]: id for name, id in ids.items()}

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        said = self._notes.said(path)
        if said is None:
            return b""
        id = self._ids.get(path, session_key(said.agent, path, said.id))
        if not id:
            return digest_of(True)
        # Where its beginning does not say where it was, a later record may name any directory.
        about = self._repositories.about(said.cwd) if said.cwd else self._repositories.everything()
        return digest_of(id, self._asked_by(path, said.agent), about)

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        head = read_start(path, HEAD)
        agent, header, name = agent_of(path, head), header_in(head, self._options.mask) or {}, name_of(path)
        own = session_key(agent, path, id_of(path, header))
        id = self._ids.get(path, own)
        if not id:
            yield ImportResult(file=name, skipped_records={_HELD: 1})
            return
        around = Around(agent, path, name, self._asked_by(path, agent), own, id, self._options, self._repositories)
        with path.open("rb") as stream:
            if state is not None:
                state.open(stream)
            reader = Reader(around, state)
            trace = Trace(stream, state)
            if state is not None:
                stream.seek(state.offset)
            intake = Intake(name, self._options)
            yield from pieces_of(reader, trace, stretches(stream), self._options.piece_bytes, intake)

    def _look_over(self, path: pathlib.Path, _before: Noted[Said] | None) -> Noted[Said]:
        """Who a file is."""
        head = read_start(path, HEAD)
        header = header_in(head, self._options.mask) or {}
        return Noted(Said(agent_of(path, head), id_of(path, header), text_of(header, "cwd"), is_session(path, head)))

    def _learn(self, cwd: str) -> None:
        if not cwd or cwd in self._looked_up:
            return
        self._looked_up.add(cwd)
        self._repositories.learn_directory(cwd)
        if self._options.local_git:
            found = repository_of(cwd, self._options.mask)
            self._repositories.learn_worktree(cwd, found.root)
            self._repositories.learn_remote(found.root, found.remote)

    def _asked_by(self, path: pathlib.Path, agent: str) -> str:
        """The session whose file has the name of this one's folder; "" where there is none."""
        parent = file_above(path)
        try:
            said = None if parent is None or parent.is_symlink() else self._notes.said(parent)
        except ValueError:
            return ""
        return session_key(agent, parent, said.id) if parent and said and said.is_session else ""

    def _trace(self, path: pathlib.Path) -> copies.Trace:
        said = self._notes.said(path)
        if said is None:
            return copies.trace_of(())
        if said.traced is None:
            said.traced = copies.Traced.of(_trace(path))
            self._notes.touch(path)
        return said.traced.trace()


def file_above(path: pathlib.Path) -> pathlib.Path | None:
    """The file of who asked for the subagents in this folder, where there is one."""
    return path.parent.with_name(path.parent.name + ".jsonl") if path.parent.name else None


def _trace(path: pathlib.Path) -> copies.Trace:
    """The entries of a file, for the few of which several claim to be one session."""
    try:
        records = (record for block in blocks(path) for _, record in read_records(block, lambda _line, _reason: None))
        return copies.trace_of(map(_key, records), path.stat().st_size)
    except OSError:
        return copies.trace_of(())


def _key(record: Record) -> tuple[str, str]:
    time = text_of(record, "timestamp")
    message = record.get("message")
    # A record that speaks; the first version's have no ids.
    return (f"{text_of(record, 'id')} {time}", time) if isinstance(message, dict) else ("", "")
