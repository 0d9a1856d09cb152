"""agentsview's databases on disk."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

import msgspec

from agentstore.importers.agentsview.identity import Identities, Known, is_alternate
from agentstore.importers.agentsview.reader import Reader
from agentstore.importers.agentsview.tables import SESSIONS, is_agentsview, number, proofs, records, text
from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.file_blocks import name_of
from agentstore.importers.git_directory import Repository, repository_of
from agentstore.importers.git_remotes import Remote, remote_of
from agentstore.importers.importer import NO_FACTS, FileFacts, Options
from agentstore.importers.jsonl import Record
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.sqlite_files import Database, open_database
from agentstore.importers.states import ImportState, proofs_in, state_of_sessions
from agentstore.models import RelationshipType

_VERSION = 1


class Said(msgspec.Struct, array_like=True):
    """The directories that a database has sessions of, and the remotes that it knows."""

    cwds: list[str] = []
    remotes: list[tuple[str, Remote]] = []


class AgentsViewHistory:
    """Databases that are read one after the other. A state tells which sessions have not changed since."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self.files = sorted(files)
        self._options = options
        self._git: dict[str, Repository] = {}
        self._notes = Notes(Said, _VERSION, self._look_over, options, known, grown)
        self._repositories = self._learned(said for path in self.files if (said := self._notes.said(path)))

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        """Only what other files say: what it says itself is in the proof of each of its sessions."""
        said = self._notes.said(path)
        if said is None or len(self.files) == 1:
            return b""
        beyond = self._repositories.beyond(self._learned([said]), ("", *said.cwds))
        return digest_of(beyond) if beyond else b""

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        """One result a session (``<file>#<session>``), all of it, and one of the file with the state."""
        known, kept = proofs_in(state), dict[str, bytes]()
        name, found, skipped = name_of(path), list[ImportProblem](), dict[str, int]()

        def report(reason: str) -> None:
            found.append(ImportProblem(name, 0, reason))

        with open_database(path, report, self._options.mask) as database:
            if database.is_whole and not is_agentsview(database):
                report("it has not the tables of agentsview")
            now = proofs(database)
            for parts, reader, started in self._readers(database, skipped):
                about = self._repositories.about(reader.cwd)
                proof = digest_of([now.get(part, b"") for part in parts], reader.owner, started, about)
                kept[parts[0]] = proof
                if known.get(parts[0]) != proof:
                    failures, file = database.failures, f"{name}#{parts[0]}"
                    result = reader.result(file, self._options, self._repositories)
                    if database.failures > failures:
                        continue  # rows with gaps would take the place of better ones
                    problems, found = found, []
                    yield msgspec.structs.replace(result, problems=problems)
            memory = kept if database.is_whole else known
        yield ImportResult(file=name, problems=found, skipped_records=skipped, state=state_of_sessions(memory))

    def _readers(self, database: Database, skipped: dict[str, int]) -> Iterator[tuple[list[str], Reader, list[str]]]:
        """Each session with the rows that it consists of, and what those it started are called; subagents first."""
        rows = {text(row["id"]): row for row in records(database, "sessions", SESSIONS) if text(row["id"])}
        identities = Identities({id: _known(row) for id, row in rows.items()})
        parts: dict[str, list[str]] = {}
        started: dict[str, list[str]] = {}
        for id, row in rows.items():
            started.setdefault(text(row["parent_session_id"]), []).append(id)
            if row["deleted_at"] and not row["deletion_cause"]:
                # A person threw it away. Where only its file has gone it is all that is left.
                skipped["session/deleted"] = skipped.get("session/deleted", 0) + 1
            else:
                whole = identities.whole(id)
                parts.setdefault(whole, []).append(id)
        owners = {whole: identities.owner(whole) for whole in parts}
        order = sorted(parts, key=lambda id: (owners[id].relationship != "subagent", text(rows[id]["started_at"]), id))
        for whole in order:
            own = sorted(parts[whole], key=lambda id: (id != whole, id))
            if own[0] == whole:  # else it was thrown away, and its branches with it
                own = _of_one_file(own, rows, skipped)
                called = sorted(identities.native(one) for part in own for one in started.get(part, ()))
                yield own, Reader(database, identities, rows[whole], own), called

    def _look_over(self, path: pathlib.Path, _before: Noted[Said] | None) -> Noted[Said]:
        with open_database(path, lambda _reason: None, self._options.mask) as database:
            cwds = dict.fromkeys(text(row["cwd"]) for row in records(database, "sessions", ("cwd",)))
            seen = records(database, "project_identity_observations", ("root_path", "git_remote"))
            remotes = dict.fromkeys((text(one["root_path"]), remote_of(text(one["git_remote"]))) for one in seen)
            is_whole = database.is_whole
        return Noted(Said([cwd for cwd in cwds if cwd], list(remotes)), is_whole=is_whole)

    def _learned(self, told: Iterable[Said]) -> Repositories:
        """What databases tell of directories, with what git says of these."""
        learned = Repositories()
        for said in told:
            for cwd in said.cwds:
                learned.learn_directory(cwd)
                if self._options.local_git:
                    if cwd not in self._git:
                        self._git[cwd] = repository_of(cwd, self._options.mask)
                    learned.learn_worktree(cwd, self._git[cwd].root)
                    learned.learn_remote(self._git[cwd].root, self._git[cwd].remote)
            for root, remote in said.remotes:
                learned.learn_remote(root, remote)
        return learned


def _of_one_file(parts: list[str], rows: dict[str, Record], skipped: dict[str, int]) -> list[str]:
    """The rows of a session without those that other files of it gave: of these the one with most counts."""
    files = [id for id in parts if id == parts[0] or is_alternate(id)]
    if len(files) == 1:
        return parts
    skipped["session/alternate"] = skipped.get("session/alternate", 0) + len(files) - 1
    best = max(files, key=lambda id: (number(rows[id]["message_count"]), id == parts[0], id))
    return [best, *(id for id in parts if id not in files and best == parts[0])]


def _known(row: Record) -> Known:
    return Known(
        text(row["id"]),
        text(row["agent"]),
        text(row["parent_session_id"]),
        _relationship(text(row["relationship_type"])),
    )


def _relationship(told: str) -> str:
    # A version that we do not know may have more of them.
    return told if told in get_args(RelationshipType) else ""
