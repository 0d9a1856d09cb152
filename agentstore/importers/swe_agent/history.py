"""Trajectories that are read together: the same run may be in several files, and in one of them among others."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import msgspec

from agentstore.importers.copies import Trace, Traced, sort_out, trace_of
from agentstore.importers.documents import is_unchanged, read_value, read_whole, state_of, too_large, unchanged
from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.file_blocks import name_of
from agentstore.importers.importer import NO_FACTS, FileFacts, Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Report
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState
from agentstore.importers.swe_agent.mini import MiniReader
from agentstore.importers.swe_agent.reader import RunReader
from agentstore.importers.swe_agent.runs import MINI, Run, id_of, runs_in, trace
from agentstore.models import Session

_HELD = "file/held by another"
_VERSION = 1


class Said(msgspec.Struct, array_like=True):
    """The runs in a file, by their labels, and who each is; of those that others have too, what they are known by."""

    runs: list[tuple[str, str]] = []
    traced: dict[str, Traced] = {}


class SweHistory:
    """Trajectory files of one or more folders."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self.files = sorted(files, key=lambda path: path.as_posix())
        self._options = options
        self._look = Intake("", options, is_kept=False)
        self._repositories = Repositories()
        self._notes = Notes(Said, _VERSION, self._look_into, options, known, grown)
        self._ids = self._look_over()

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        runs = (self._notes.said(path) or Said()).runs
        told = [(label, own, self._ids.get((path, label, own))) for label, own in runs]
        elsewhere = [(label, own, id) for label, own, id in told if id not in (None, own)]
        return digest_of(elsewhere) if elsewhere else b""

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        name = name_of(path)
        data = read_whole(path)
        if data is None:
            yield too_large(name)
            return
        if state is not None and is_unchanged(data, state):
            yield unchanged(name, state)
            return
        problems: list[ImportProblem] = []
        intake = Intake(name, self._options)
        runs = _runs(intake.whole(data), lambda line, reason: problems.append(ImportProblem(name, line, reason)))
        if not runs:
            if not problems:
                problems.append(ImportProblem(name, 0, "no trajectory, no history and no messages"))
            yield intake.filled(ImportResult(file=name, problems=problems, state=state_of(data)))
        is_used = False  # else other files have all of it
        for number, run in enumerate(runs):
            # The state and what could not be read are the file's: they come with its last run.
            is_last = number == len(runs) - 1
            result = self._read(name, path, run, problems if is_last else [])
            is_used = is_used or _HELD not in result.skipped_records
            if is_last:
                result = msgspec.structs.replace(result, state=state_of(data))
            yield intake.filled(result) if is_last and is_used else result

    def _read(self, name: str, path: pathlib.Path, run: Run, problems: list[ImportProblem]) -> ImportResult:
        file = f"{name}#{run.label}" if run.label else name
        claimed = _id(run)
        id = self._ids.get((path, run.label, claimed), claimed)
        if not claimed or not id:
            return ImportResult(file=file, problems=problems, skipped_records={_HELD: 1} if claimed else {})
        found = list(problems)

        def report(line: int, reason: str) -> None:
            found.append(ImportProblem(name, line, reason))

        stem = name_of(pathlib.Path(path.name)).removesuffix(".json").removesuffix(".traj")
        reader = MiniReader(run, report) if run.agent == MINI else RunReader(run, stem, report)
        reader.read(id)
        about, options = reader.about, self._options
        project = self._repositories.project(about.cwd, about.remote, is_sure=True)
        session = Session(
            id=id,
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=options.machine,
            agent_type=run.agent,
            display_name=about.title,
            parent_session_id=claimed if id != claimed else "",
            relationship_type="fork" if id != claimed else "",
        )
        messages, calls, links = reader.conversation.rows(id, options.user_id)
        sessions = reader.conversation.totals(session)
        if not about.has_context:
            sessions = [msgspec.structs.replace(one, peak_context_tokens=0) for one in sessions]
        return ImportResult(
            file=file,
            sessions=sessions,
            messages=messages,
            tool_calls=calls,
            git_links=links,
            file_touches=reader.conversation.file_touches(id, project.path),
            problems=found,
            skipped_records=reader.skipped,
            unknown_records=reader.unknown,
        )

    def _look_over(self) -> dict[tuple[pathlib.Path, str, str], str]:
        """The id of each run that several claim; "" where another file has all of it."""
        claims: dict[str, list[tuple[pathlib.Path, str]]] = {}
        for path in self.files:
            for label, id in (self._notes.said(path) or Said()).runs:
                claims.setdefault(id, []).append((path, label))
        ids: dict[tuple[pathlib.Path, str, str], str] = {}
        for id, places in claims.items():
            if len(places) > 1:
                names = {f"{name_of(path)}#{label}": (path, label) for path, label in places}
                traces = {name: self._trace(path, label) for name, (path, label) in names.items()}
                ids |= {(*names[name], id): own for name, own in sort_out(id, traces).items()}
        return ids

    def _look_into(self, path: pathlib.Path, _before: Noted[Said] | None) -> Noted[Said]:
        return Noted(Said([(run.label, id) for run in self._runs_of(path) if (id := _id(run))]))

    def _runs_of(self, path: pathlib.Path) -> list[Run]:
        # Masked, since a run is known by a digest of what it says: that of its original is the same.
        return _runs(self._look.whole(read_whole(path) or b""), lambda _line, _reason: None)

    def _trace(self, path: pathlib.Path, label: str) -> Trace:
        said = self._notes.said(path) or Said()
        if label not in said.traced:
            said.traced[label] = Traced.of(self._trace_of(path, label))
            self._notes.touch(path)
        return said.traced[label].trace()

    def _trace_of(self, path: pathlib.Path, label: str) -> Trace:
        with contextlib.suppress(RecursionError, OSError):
            runs = self._runs_of(path)
            return next((trace(run, len(run.document)) for run in runs if run.label == label), trace_of(()))
        return trace_of(())


def _runs(data: bytes, report: Report) -> list[Run]:
    try:
        return runs_in(read_value(data, report))
    except RecursionError:
        report(0, "nested too deeply")
        return []


def _id(run: Run) -> str:
    try:
        return id_of(run)
    except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
        return ""
