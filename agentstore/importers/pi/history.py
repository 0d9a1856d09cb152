"""The files of Pi and its kin on disk."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

from agentstore.importers import copies
from agentstore.importers.facts import Unremembered
from agentstore.importers.file_blocks import blocks, name_of, read_start
from agentstore.importers.git_directory import repository_of
from agentstore.importers.importer import HEAD, Options
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


class PiHistory(Unremembered):
    """Files that are read together: of copies of one session the one that has all of it is imported, and of those that
    went different ways each (``copies``)."""

    def __init__(self, files: Sequence[pathlib.Path], options: Options) -> None:
        # The deepest first: subagents lie in a folder beside the file of who asked for them.
        self.files = sorted(files, key=lambda path: (-len(path.parts), path.as_posix()))
        self._options = options
        self._repositories = Repositories()
        self._claims: dict[str, list[pathlib.Path]] = {}
        self._ids: dict[pathlib.Path, str] = {}
        self._looked_up: set[str] = set()
        for path in self.files:
            self._look_over(path)
        for key, claiming in self._claims.items():
            if len(claiming) > 1:
                names = {name_of(path): path for path in claiming}
                ids = copies.sort_out(key, {name: _trace(path) for name, path in names.items()})
                self._ids |= {names[name]: id for name, id in ids.items()}

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

    def _look_over(self, path: pathlib.Path) -> None:
        """Learn who a file is. What cannot be read is told by its import."""
        try:
            head = read_start(path, HEAD)
        except OSError:
            return
        header = header_in(head, self._options.mask) or {}
        self._claims.setdefault(session_key(agent_of(path, head), path, id_of(path, header)), []).append(path)
        self._learn(header)

    def _learn(self, header: Record) -> None:
        cwd = text_of(header, "cwd")
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
        parent = path.parent.with_name(path.parent.name + ".jsonl") if path.parent.name else path
        try:
            head = b"" if parent.is_symlink() else read_start(parent, HEAD)
        except (OSError, ValueError):
            return ""
        header = header_in(head, self._options.mask) if is_session(parent, head) else None
        return session_key(agent, parent, id_of(parent, header)) if header else ""


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
