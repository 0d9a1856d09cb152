"""OpenCode's history on disk: which files there are, and which of them has a session that several have."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.git_directory import Repository, repository_of
from agentstore.importers.importer import HEAD, NO_FACTS, FileFacts, Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record
from agentstore.importers.opencode import files
from agentstore.importers.opencode.database import Listed, messages_of, sessions_of
from agentstore.importers.opencode.identity import agent_of
from agentstore.importers.opencode.reader import Problems, Told, directory_of, read_session
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportResult
from agentstore.importers.sqlite_files import Database, is_sqlite, open_database
from agentstore.importers.states import STATE_VERSION, ImportState, StaleStateError, proofs_in, state_of_sessions
from agentstore.importers.tools import text_of

_HELD = "file/held by another"
_DATABASE, _TREE, _EXPORT = 2, 1, 0
_VERSION = 1


class _Claim(NamedTuple):
    """A file that has a session: the greatest is imported. What was written last has most; a database goes on where the
    tree stopped (1.2 copied the one into the other), and an export may have been redacted."""

    updated: int
    kind: int
    file: str


class One(msgspec.Struct, array_like=True):
    """A session in a file, where it ran, and the milliseconds when it began and was last written."""

    id: str
    cwd: str
    created: int
    updated: int


class Said(msgspec.Struct, array_like=True):
    """``cwd``: where the session of a tree ran, also where only its project says it."""

    kind: int
    sessions: list[One] = []
    cwd: str = ""


class OpenCodeHistory:
    """Trees, databases and exports that are read together, since one session may be in several of them."""

    def __init__(
        self, paths: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self._options = options
        self._look = Intake("", options, is_kept=False)
        self._notes = Notes(Said, _VERSION, self._look_over, options, known, grown)
        self._git: dict[str, Repository] = {}
        self._claims: dict[tuple[str, str], _Claim] = {}
        said = {path: self._notes.said(path) or Said(_EXPORT) for path in paths}
        for path, told in said.items():
            name, agent = name_of(path), agent_of(path)
            for one in told.sessions:
                claim, key = _Claim(one.updated, told.kind, name), (agent, one.id)
                self._claims[key] = max(claim, self._claims.get(key, claim))
        self._repositories = self._learned(one for told in said.values() for one in told.sessions)
        # The newest first: subagents are younger than who asked for them.
        began = {path: max((one.created for one in told.sessions), default=0) for path, told in said.items()}
        self.files = sorted(paths, key=lambda path: (-began[path], path.as_posix()))

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        """Of a database only what other files say: what it says itself is in the proof of each of its sessions."""
        said, name, agent = self._notes.said(path), name_of(path), agent_of(path)
        if said is None:
            return b""
        held = [one.id for one in said.sessions if not self._is_best(agent, one.id, name)]
        if said.kind != _DATABASE:
            cwds = [said.cwd, *(one.cwd for one in said.sessions)]
            is_told = any(cwds)
            about = [self._repositories.about(cwd) for cwd in cwds] if is_told else self._repositories.everything()
            return digest_of(held, cwds, about)
        if len(self.files) == 1:
            return b""
        own = self._learned(said.sessions)
        beyond = self._repositories.beyond(own, (one.cwd for one in said.sessions))
        return digest_of(held, beyond) if held or beyond else b""

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        """Of a database one result a session (``<file>#<session>``) and one of the file with the state, from which
        only sessions that have changed are read again. Of a tree or an export the state tells that nothing has
        changed; ``StaleStateError`` if anything has."""
        if state is not None and state.version != STATE_VERSION:
            raise StaleStateError(f"the state has version {state.version}, this is version {STATE_VERSION}")
        kind = _kind_of(path)
        if kind == _DATABASE:
            yield from self._read_database(path, state)
        elif kind == _TREE:
            yield from self._read_tree(path, state)
        else:
            yield from self._read_export(path, state)

    # --- the three shapes --------------------------------------------------------------------------------------------

    def _read_database(self, path: pathlib.Path, state: ImportState | None) -> Iterator[ImportResult]:
        name, agent = name_of(path), agent_of(path)
        proofs = proofs_in(state)
        kept: dict[str, bytes] = {}
        problems = Problems(name)
        held = 0
        with open_database(path, problems.report, self._options.mask) as database:
            for one in sessions_of(database):
                if not self._is_best(agent, one.id, name):
                    held += 1
                    continue
                proof = self._proof(one)
                if not proof or proofs.get(one.id) != proof:
                    told = Told(agent, f"{name}#{one.id}", one.id, one.info, one.worktree)
                    found = Problems(told.file)
                    messages = messages_of(database, one.id, found)
                    results = read_session(told, messages, found, self._options, self._repositories)
                    yield from _without_gaps(results, database)
                if proof:
                    kept[one.id] = proof
            whole = database.is_whole
        yield ImportResult(
            file=name,
            problems=problems.take(),
            skipped_records={_HELD: held} if held else {},
            state=state_of_sessions(kept if whole else proofs),
        )

    def _read_tree(self, path: pathlib.Path, state: ImportState | None) -> Iterator[ImportResult]:
        name, agent = name_of(path), agent_of(path)
        problems = Problems(name)
        intake = Intake(name, self._options)
        info = files.read_json(path, problems, intake) or {}
        tree = files.Tree(path, info, intake)
        now = ImportState(STATE_VERSION, 0, 0, tree.proof(), b"", b"")
        if _is_unchanged(state, now):
            yield ImportResult(file=name, state=now)
            return
        id = text_of(info, "id") or path.stem
        if not self._is_best(agent, id, name):
            yield ImportResult(file=name, skipped_records={_HELD: 1}, state=now)
            return
        worktree = "" if directory_of(info, "") else tree.worktree(problems)
        told = Told(agent, name, id, info, worktree, now)
        results = read_session(told, tree.messages(problems), problems, self._options, self._repositories)
        yield from map(intake.filled, results)

    def _read_export(self, path: pathlib.Path, state: ImportState | None) -> Iterator[ImportResult]:
        name, agent = name_of(path), agent_of(path)
        problems = Problems(name)
        now = ImportState(STATE_VERSION, 0, 0, files.proof_of_file(path), b"", b"")
        if _is_unchanged(state, now):
            yield ImportResult(file=name, state=now)
            return
        intake = Intake(name, self._options)
        document = files.read_json(path, problems, intake)
        info = document.get("info") if document else None
        id = text_of(info, "id")
        if document is None or not isinstance(info, dict) or not id:
            if document is not None:
                problems.report("no session's id")
            yield intake.filled(ImportResult(file=name, problems=problems.take(), state=now))
            return
        if not self._is_best(agent, id, name):
            yield ImportResult(file=name, skipped_records={_HELD: 1}, state=now)
            return
        told = Told(agent, name, id, info, "", now)
        messages = files.exported_messages(document, problems)
        results = read_session(told, messages, problems, self._options, self._repositories)
        yield from map(intake.filled, results)

    # --- what all files say ------------------------------------------------------------------------------------------

    def _look_over(self, path: pathlib.Path, _before: Noted[Said] | None) -> Noted[Said]:
        """Who is in a file, and where."""
        ignored = Problems(name_of(path))
        kind, cwd, is_whole = _kind_of(path), "", True
        if kind == _DATABASE:
            with open_database(path, ignored.report, self._options.mask) as database:
                listed = sessions_of(database)
                is_whole = database.is_whole
        elif kind == _TREE:
            info = files.read_json(path, ignored, self._look) or {}
            listed = [Listed(text_of(info, "id") or path.stem, "", info, "", b"")]
            cwd = directory_of(info, "") or directory_of({}, files.Tree(path, info, self._look).worktree(ignored))
        else:
            info = files.exported_info(path, self._look)
            listed = [Listed(text_of(info, "id"), "", info, "", b"")]
        sessions = [
            One(one.id, directory_of(one.info, one.worktree), _time(one.info, "created"), _time(one.info, "updated"))
            for one in listed
        ]
        return Noted(Said(kind, sessions, cwd), is_whole=is_whole)

    def _learned(self, sessions: Iterable[One]) -> Repositories:
        """What sessions tell of directories, with what git says of these."""
        learned = Repositories()
        for cwd in dict.fromkeys(one.cwd for one in sessions if one.cwd):
            learned.learn_directory(cwd)
            if self._options.local_git:
                if cwd not in self._git:
                    self._git[cwd] = repository_of(cwd, self._options.mask)
                learned.learn_worktree(cwd, self._git[cwd].root)
                learned.learn_remote(self._git[cwd].root, self._git[cwd].remote)
        return learned

    def _proof(self, one: Listed) -> bytes:
        """What changes when a session does, or what is known of where it ran."""
        cwd = directory_of(one.info, one.worktree)
        about = self._repositories.about(cwd) if cwd else self._repositories.everything()
        return digest_of(one.proof, about) if one.proof else b""

    def _is_best(self, agent: str, id: str, file: str) -> bool:
        claim = self._claims.get((agent, id))
        return claim is None or claim.file == file


def _without_gaps(results: Iterator[ImportResult], database: Database) -> Iterator[ImportResult]:
    """The results of a session while all of it can be read: rows with gaps would take the place of better ones."""
    failures = database.failures
    for result in results:
        if database.failures > failures:
            if result.problems:
                yield ImportResult(file=result.file, problems=result.problems, piece=result.piece)
            return
        yield result


def _kind_of(path: pathlib.Path) -> int:
    head = read_start(path, HEAD)
    if is_sqlite(head):
        return _DATABASE
    return _TREE if files.is_tree(path, head) else _EXPORT


def _time(info: Record, name: str) -> int:
    times = info.get("time")
    value = times.get(name) if isinstance(times, dict) else None
    # One that is no time, of whatever size, could not be packed.
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


def _is_unchanged(state: ImportState | None, now: ImportState) -> bool:
    if state is not None and state.head != now.head:
        raise StaleStateError("the session has changed since it was read")
    return state is not None
