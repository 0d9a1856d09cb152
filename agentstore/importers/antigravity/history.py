"""Transcripts that are read together: of two files of a conversation the whole one, who started whom, and where."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Sequence

import msgspec

from agentstore.importers.antigravity.reader import StepReader
from agentstore.importers.antigravity.steps import SUBAGENT, arguments_of, started_in
from agentstore.importers.antigravity.usage import generations_in
from agentstore.importers.conversation import Conversation
from agentstore.importers.copies import Trace, Traced, TraceMaker, sort_out, trace_of
from agentstore.importers.documents import read_object
from agentstore.importers.facts import Looking, Noted, Notes, digest_of
from agentstore.importers.file_blocks import lines_with, name_of, read_start
from agentstore.importers.git_directory import repository_of
from agentstore.importers.git_remotes import Remote
from agentstore.importers.importer import NO_FACTS, FileFacts, Options
from agentstore.importers.intake import Intake, masked_text
from agentstore.importers.jsonl import Record, read_records, stretches
from agentstore.importers.pieces import pieces_of
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportResult
from agentstore.importers.sqlite_files import with_log
from agentstore.importers.states import ImportState
from agentstore.importers.states import Trace as Read
from agentstore.importers.tools import text_of
from agentstore.models import Session

CLI, DESKTOP = "antigravity-cli", "antigravity"
NAMES = ("transcript_full.jsonl", "transcript.jsonl")
_HELD = "file/held by another"
_TELLS = re.compile(rb'"(?:' + SUBAGENT.encode() + rb'|Cwd)"')
_STEP = re.compile(rb'"step_index"')
_PREFERRED = 1 << 40
_VERSION = 1
_MOST_CWDS = 8
_HISTORY, _LAST = "history.jsonl", "cache/last_conversations.json"
_MOST = 64 << 20


class Said(msgspec.Struct, array_like=True):
    """What a transcript says of others: ``started`` are conversations. ``traced`` is there where another file has the
    same conversation, as most have."""

    started: list[str] = []
    cwds: list[str] = []  # the first directories that its calls ran in
    traced: Traced | None = None


class AntigravityHistory:
    """Transcripts of one or more folders ``brain``."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self._options = options
        self._notes = Notes(Said, _VERSION, self._look_into, options, known, grown)
        self._repositories = Repositories()
        self._looked_up: set[str] = set()
        self._workspaces: dict[pathlib.Path, dict[str, str]] = {}
        self._parents: dict[str, str] = {}
        self._ids: dict[pathlib.Path, str] = {}
        self._look_over(sorted(files))
        # Subagents first, so that who sees a session in a list sees all of it.
        self.files = sorted(files, key=lambda path: (_id_of(path) not in self._parents, path.as_posix()))

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        own = _id_of(path)
        id = self._ids.get(path, own)
        if not id:
            return digest_of(True)
        about = [(cwd, self._repositories.about(cwd)) for cwd in self._directories(path)]
        return digest_of(id, self._parents.get(own, ""), self._workspace(path), about)

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        name, id = name_of(path), self._ids.get(path, _id_of(path))
        if not id:
            yield ImportResult(file=name, skipped_records={_HELD: 1})
            return
        with path.open("rb") as stream:
            trace = Read()
            if state is not None:
                state.open(stream)
                trace = Read(stream, state)
            problems: list[str] = []
            reader = StepReader(
                name,
                lambda cwd, said: self._session(path, id, cwd, said),
                generations_in(_database(path), problems.append, self._options.mask),
                self._options.user_id,
                state,
            )
            for reason in problems:
                reader.report(reason)
            intake = Intake(name, self._options)
            _keep_workspace(path, intake)
            yield from pieces_of(reader, trace, stretches(stream), self._options.piece_bytes, intake)

    def _session(self, path: pathlib.Path, id: str, cwd: str, said: Conversation) -> Session:
        own, options = _id_of(path), self._options
        parent = self._parents.get(own, "")
        cwd = self._workspace(path) or cwd
        self._learn(cwd)
        origin = next((one.remote for one in said.memory.seen if one.is_origin), Remote())
        project = self._repositories.project(cwd, origin, is_sure=bool(origin))
        fork = id != own
        return Session(
            id=id,
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=options.machine,
            agent_type=own.partition(":")[0],
            parent_session_id=parent or (own if fork else ""),
            relationship_type="subagent" if parent else "fork" if fork else "",
        )

    # --- all files ---------------------------------------------------------------------------------------------------

    def _look_over(self, files: Sequence[pathlib.Path]) -> None:
        claims: dict[str, list[pathlib.Path]] = {}
        for path in files:
            own = _id_of(path)
            claims.setdefault(own, []).append(path)
            said = self._notes.said(path) or Said()
            for started in said.started:
                child = f"{own.partition(':')[0]}:{started}"
                # Two that claim to have started each other did not: the first claim stands.
                if child != own and self._parents.get(own) != child:
                    self._parents.setdefault(child, own)
            for cwd in self._directories(path):
                self._learn(cwd)
        for id, paths in claims.items():
            if len(paths) > 1:
                names = {name_of(path): path for path in paths}
                traces = {name: self._trace(path) for name, path in names.items()}
                self._ids.update({names[name]: own for name, own in sort_out(id, traces).items()})

    def _look_into(self, path: pathlib.Path, before: Noted[Said] | None, *, is_traced: bool = False) -> Noted[Said]:
        said = before.said if before else Said()
        maker = TraceMaker(said.traced.trace() if said.traced else None) if is_traced or said.traced else None
        with path.open("rb") as stream:
            looking = Looking(stream, before.until if before else None)
            for stretch in looking.stretches():
                if stretch.kind in ("lines", "tail"):
                    self._look(said, stretch.data)
                    for key in _keys(stretch.data) if maker else ():
                        maker.add(*key) if maker else None
        if maker:
            said.traced = Traced.of(maker.trace(_PREFERRED * (path.name == NAMES[0])))
        return Noted(said, looking.until())

    def _look(self, said: Said, data: bytes) -> None:
        for step in _records(data, _TELLS):
            if step.get("type") == SUBAGENT:
                started = started_in(text_of(step, "content"))
                said.started += [id for id in started if id not in said.started]
            for call in dicts_in(step.get("tool_calls")):
                cwd = masked_text(self._options.mask, text_of(arguments_of(call.get("args")), "Cwd"))
                if cwd and cwd not in said.cwds and len(said.cwds) < _MOST_CWDS:
                    said.cwds.append(cwd)

    def _trace(self, path: pathlib.Path) -> Trace:
        said = self._notes.said(path)
        if said is not None and said.traced is None:
            try:
                noted = self._look_into(path, None, is_traced=True)
            except OSError:
                noted = Noted(Said(traced=Traced()))
            self._notes.keep(path, noted)
            said = noted.said
        return said.traced.trace() if said and said.traced else trace_of(())

    def _directories(self, path: pathlib.Path) -> list[str]:
        """Where a conversation may have been: what the list of prompts says counts first."""
        workspace = self._workspace(path)
        return [workspace] if workspace else (self._notes.said(path) or Said()).cwds

    def _learn(self, cwd: str) -> None:
        if self._options.local_git and cwd and cwd not in self._looked_up:
            self._looked_up.add(cwd)
            found = repository_of(cwd, self._options.mask)
            if found.root:
                self._repositories.learn_worktree(cwd, found.root)
                self._repositories.learn_remote(found.root, found.remote)

    def _workspace(self, path: pathlib.Path) -> str:
        """What ``history.jsonl``, the list of prompts, says about the conversation's directory."""
        brain = _conversation(path).parent
        if brain.name != "brain":
            return ""
        if brain not in self._workspaces:
            self._workspaces[brain] = _workspaces_in(brain.parent, Intake("", self._options, is_kept=False))
        return self._workspaces[brain].get(_conversation(path).name, "")


def _conversation(path: pathlib.Path) -> pathlib.Path:
    """The folder of a conversation; of a file that lies elsewhere, its own folder."""
    logs = path.parent
    return logs.parent.parent if (logs.parent.name, logs.name) == (".system_generated", "logs") else logs


def _database(path: pathlib.Path) -> pathlib.Path:
    folder = _conversation(path)
    return folder.parent.parent / "conversations" / f"{folder.name}.db"


def _id_of(path: pathlib.Path) -> str:
    folder = _conversation(path)
    agent = DESKTOP if folder.parent.parent.name in ("antigravity", "antigravity-ide") else CLI
    return f"{agent}:{name_of(pathlib.Path(folder.name)) or 'unknown'}"


def files_beside(path: pathlib.Path) -> list[pathlib.Path]:
    """The database with a conversation's tokens."""
    return with_log(_database(path))


def files_around(path: pathlib.Path) -> list[pathlib.Path]:
    """The files that tell where conversations were."""
    brain = _conversation(path).parent
    return [brain.parent / name for name in (_HISTORY, _LAST)] if brain.name == "brain" else []


def dicts_in(value: object) -> list[Record]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _records(data: bytes, needle: re.Pattern[bytes]) -> Iterator[Record]:
    for line in lines_with(data, needle):
        yield from (record for _, record in read_records(line, lambda _line, _reason: None))


def _keys(data: bytes) -> Iterator[tuple[str, str]]:
    """What the steps are known by: not by their texts, which one of the two files has cut."""
    for step in _records(data, _STEP):
        if type(step.get("step_index")) is int:
            kind, moment = text_of(step, "type"), text_of(step, "created_at")
            yield f"{step['step_index']} {kind} {moment}", moment


def _keep_workspace(path: pathlib.Path, intake: Intake) -> None:
    """What was read of the directory is kept with the conversation."""
    brain = _conversation(path).parent
    if brain.name != "brain" or intake.line_with(brain.parent / _HISTORY, _conversation(path).name):
        return
    _read_cache(brain.parent, intake)


def _read_cache(folder: pathlib.Path, intake: Intake) -> bytes:
    cache = folder / _LAST
    try:
        return b"" if cache.is_symlink() else intake.whole(read_start(cache, 1 << 20), cache)
    except (OSError, ValueError):
        return b""


def _workspaces_in(folder: pathlib.Path, intake: Intake) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        data = b"" if (folder / _HISTORY).is_symlink() else read_start(folder / _HISTORY, _MOST)
    except (OSError, ValueError):
        data = b""
    for _, row in read_records(intake.whole(data), lambda _line, _reason: None):
        id, workspace = text_of(row, "conversationId"), text_of(row, "workspace")
        if id and workspace:
            found.setdefault(id, workspace)
    data = _read_cache(folder, intake)
    for workspace, id in (read_object(data, lambda _line, _reason: None) or {}).items() if data else ():
        if isinstance(id, str):
            found.setdefault(id, workspace)
    return found
