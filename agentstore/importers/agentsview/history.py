"""agentsview's databases on disk."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from typing import get_args

import msgspec

from agentstore.importers.agentsview.identity import Identities, Known, is_alternate
from agentstore.importers.agentsview.reader import Reader
from agentstore.importers.agentsview.tables import SESSIONS, is_agentsview, number, proofs, records, text
from agentstore.importers.facts import Unremembered
from agentstore.importers.file_blocks import name_of
from agentstore.importers.git_directory import repository_of
from agentstore.importers.git_remotes import remote_of
from agentstore.importers.importer import Options
from agentstore.importers.jsonl import Record
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.sqlite_files import Database, open_database
from agentstore.importers.states import STATE_VERSION, ImportState, StaleStateError
from agentstore.models import RelationshipType


class AgentsViewHistory(Unremembered):
    """Databases that are read one after the other. A state tells which sessions have not changed since."""

    def __init__(self, files: Sequence[pathlib.Path], options: Options) -> None:
        self.files = sorted(files)
        self._options = options
        self._repositories = Repositories()
        self._looked_up: set[str] = set()

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        """One result a session (``<file>#<session>``), all of it, and one of the file with the state."""
        known, kept = _proofs_in(state), dict[str, bytes]()
        name, found, skipped = name_of(path), list[ImportProblem](), dict[str, int]()

        def report(reason: str) -> None:
            found.append(ImportProblem(name, 0, reason))

        with open_database(path, report, self._options.mask) as database:
            if database.is_whole and not is_agentsview(database):
                report("it has not the tables of agentsview")
            now = proofs(database)
            for parts, reader in self._readers(database, skipped):
                proof = b"".join(now.get(part, b"") for part in parts)
                kept[parts[0]] = proof
                if known.get(parts[0]) != proof:
                    failures, file = database.failures, f"{name}#{parts[0]}"
                    result = reader.result(file, self._options, self._repositories)
                    if database.failures > failures:
                        continue  # rows with gaps would take the place of better ones
                    problems, found = found, []
                    yield msgspec.structs.replace(result, problems=problems)
            memory = kept if database.is_whole else known
        packed = ImportState(STATE_VERSION, 0, 0, b"", b"", msgspec.msgpack.encode(memory))
        yield ImportResult(file=name, problems=found, skipped_records=skipped, state=packed)

    def _readers(self, database: Database, skipped: dict[str, int]) -> Iterator[tuple[list[str], Reader]]:
        """Each session with the rows that it consists of, subagents first."""
        rows = {text(row["id"]): row for row in records(database, "sessions", SESSIONS) if text(row["id"])}
        for row in rows.values():
            self._learn(text(row["cwd"]))
        for seen in records(database, "project_identity_observations", ("root_path", "git_remote")):
            remote = remote_of(text(seen["git_remote"]))
            self._repositories.learn_remote(text(seen["root_path"]), remote)
        identities = Identities({id: _known(row) for id, row in rows.items()})
        parts: dict[str, list[str]] = {}
        for id, row in rows.items():
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
                yield own, Reader(database, identities, rows[whole], own)

    def _learn(self, cwd: str) -> None:
        if not cwd or cwd in self._looked_up:
            return
        self._looked_up.add(cwd)
        self._repositories.learn_directory(cwd)
        if self._options.local_git:
            found = repository_of(cwd, self._options.mask)
            self._repositories.learn_worktree(cwd, found.root)
            self._repositories.learn_remote(found.root, found.remote)


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


def _proofs_in(state: ImportState | None) -> dict[str, bytes]:
    if state is None:
        return {}
    if state.version != STATE_VERSION:
        raise StaleStateError(f"the state has version {state.version}, this is version {STATE_VERSION}")
    try:
        return msgspec.msgpack.decode(state.memory, type=dict[str, bytes])
    except msgspec.MsgspecError as error:
        raise StaleStateError("the state is not one of a database") from error
