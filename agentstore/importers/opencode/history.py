"""OpenCode's history on disk: which files there are, and which of them has a session that several have."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from agentstore.importers.facts import Unremembered
from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.git_directory import repository_of
from agentstore.importers.importer import HEAD, Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record
from agentstore.importers.opencode import files
from agentstore.importers.opencode.database import Listed, messages_of, sessions_of
from agentstore.importers.opencode.identity import agent_of
from agentstore.importers.opencode.reader import Problems, Told, directory_of, read_session
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportResult
from agentstore.importers.sqlite_files import Database, is_sqlite, open_database
from agentstore.importers.states import STATE_VERSION, ImportState, StaleStateError
from agentstore.importers.tools import text_of

_HELD = "file/held by another"
_DATABASE, _TREE, _EXPORT = 2, 1, 0


class _Claim(NamedTuple):
    """A file that has a session: the greatest is imported. What was written last has most; a database goes on where the
    tree stopped (1.2 copied the one into the other), and an export may have been redacted."""

    updated: int
    kind: int
    file: str


class OpenCodeHistory(Unremembered):
    """Trees, databases and exports that are read together, since one session may be in several of them."""

    def __init__(self, paths: Sequence[pathlib.Path], options: Options) -> None:
        self._options = options
        self._look = Intake("", options, is_kept=False)
        self._repositories = Repositories()
        self._claims: dict[tuple[str, str], _Claim] = {}
        self._looked_up: set[str] = set()
        created = {path: self._look_over(path) for path in paths}
        # The newest first: subagents are younger than who asked for them.
        self.files = sorted(paths, key=lambda path: (-created[path], path.as_posix()))

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
        proofs = _proofs_in(state)
        kept: dict[str, bytes] = {}
        problems = Problems(name)
        held = 0
        with open_database(path, problems.report, self._options.mask) as database:
            for one in sessions_of(database):
                if not self._is_best(agent, one.id, name):
                    held += 1
                    continue
                if not one.proof or proofs.get(one.id) != one.proof:
                    told = Told(agent, f"{name}#{one.id}", one.id, one.info, one.worktree)
                    found = Problems(told.file)
                    messages = messages_of(database, one.id, found)
                    results = read_session(told, messages, found, self._options, self._repositories)
                    yield from _without_gaps(results, database)
                if one.proof:
                    kept[one.id] = one.proof
            whole = database.is_whole
        memory = msgspec.msgpack.encode(kept) if whole else msgspec.msgpack.encode(proofs)
        yield ImportResult(
            file=name,
            problems=problems.take(),
            skipped_records={_HELD: held} if held else {},
            state=ImportState(STATE_VERSION, 0, 0, b"", b"", memory),
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

    def _look_over(self, path: pathlib.Path) -> int:
        """Learn who is in a file; when the newest of its sessions began. What cannot be read is told by its import."""
        name, agent = name_of(path), agent_of(path)
        ignored = Problems(name)
        try:
            kind = _kind_of(path)
            if kind == _DATABASE:
                with open_database(path, ignored.report, self._options.mask) as database:
                    listed = sessions_of(database)
            elif kind == _TREE:
                info = files.read_json(path, ignored, self._look) or {}
                listed = [Listed(text_of(info, "id") or path.stem, "", info, "", b"")]
            else:
                info = files.exported_info(path, self._look)
                listed = [Listed(text_of(info, "id"), "", info, "", b"")]
        except OSError:
            return 0
        for one in listed:
            claim = _Claim(_time(one.info, "updated"), kind, name)
            key = (agent, one.id)
            self._claims[key] = max(claim, self._claims.get(key, claim))
            self._learn(directory_of(one.info, one.worktree))
        return max((_time(one.info, "created") for one in listed), default=0)

    def _learn(self, cwd: str) -> None:
        if not cwd or cwd in self._looked_up:
            return
        self._looked_up.add(cwd)
        self._repositories.learn_directory(cwd)
        if self._options.local_git:
            found = repository_of(cwd, self._options.mask)
            self._repositories.learn_worktree(cwd, found.root)
            self._repositories.learn_remote(found.root, found.remote)

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
    return value if type(value) is int else 0


def _is_unchanged(state: ImportState | None, now: ImportState) -> bool:
    if state is not None and state.head != now.head:
        raise StaleStateError("the session has changed since it was read")
    return state is not None


def _proofs_in(state: ImportState | None) -> dict[str, bytes]:
    if state is None or not state.memory:
        return {}
    try:
        return msgspec.msgpack.decode(state.memory, type=dict[str, bytes])
    except msgspec.MsgspecError as error:
        raise StaleStateError("the state is not one of a database") from error
