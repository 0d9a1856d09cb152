"""Transcripts that are read together: of two files of a conversation the whole one, who started whom, and where."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Sequence

from agentstore.importers.antigravity.reader import StepReader
from agentstore.importers.antigravity.steps import SUBAGENT, started_in
from agentstore.importers.antigravity.usage import generations_in
from agentstore.importers.conversation import Conversation
from agentstore.importers.copies import Trace, sort_out, trace_of
from agentstore.importers.documents import read_object
from agentstore.importers.facts import Unremembered
from agentstore.importers.file_blocks import blocks, lines_with, name_of, read_start
from agentstore.importers.git_directory import repository_of
from agentstore.importers.git_remotes import Remote
from agentstore.importers.importer import Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record, read_records, stretches
from agentstore.importers.pieces import pieces_of
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportResult
from agentstore.importers.states import ImportState
from agentstore.importers.states import Trace as Read
from agentstore.importers.tools import text_of
from agentstore.models import Session

CLI, DESKTOP = "antigravity-cli", "antigravity"
NAMES = ("transcript_full.jsonl", "transcript.jsonl")
_HELD = "file/held by another"
_INVOKES = re.compile(rb'"' + SUBAGENT.encode() + rb'"')
_STEP = re.compile(rb'"step_index"')
_PREFERRED = 1 << 40
_MOST = 64 << 20


class AntigravityHistory(Unremembered):
    """Transcripts of one or more folders ``brain``."""

    def __init__(self, files: Sequence[pathlib.Path], options: Options) -> None:
        self._options = options
        self._repositories = Repositories()
        self._looked_up: set[str] = set()
        self._workspaces: dict[pathlib.Path, dict[str, str]] = {}
        self._parents: dict[str, str] = {}
        self._ids: dict[pathlib.Path, str] = {}
        self._look_over(files)
        # Subagents first, so that who sees a session in a list sees all of it.
        self.files = sorted(files, key=lambda path: (_id_of(path) not in self._parents, path.as_posix()))

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
        if options.local_git and cwd and cwd not in self._looked_up:
            self._looked_up.add(cwd)
            found = repository_of(cwd, options.mask)
            if found.root:
                self._repositories.learn_worktree(cwd, found.root)
                self._repositories.learn_remote(found.root, found.remote)
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
            claims.setdefault(_id_of(path), []).append(path)
            for child in _started_by(path):
                # Two that claim to have started each other did not: the first claim stands.
                if child != _id_of(path) and self._parents.get(_id_of(path)) != child:
                    self._parents.setdefault(child, _id_of(path))
        for id, paths in claims.items():
            if len(paths) > 1:
                names = {name_of(path): path for path in paths}
                traces = {name: _trace_of(path) for name, path in names.items()}
                self._ids.update({names[name]: own for name, own in sort_out(id, traces).items()})

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


def _records(path: pathlib.Path, needle: re.Pattern[bytes]) -> Iterator[Record]:
    try:
        for block in blocks(path):
            for line in lines_with(block, needle):
                yield from (record for _, record in read_records(line, lambda _line, _reason: None))
    except OSError:
        return


def _started_by(path: pathlib.Path) -> Iterator[str]:
    agent = _id_of(path).partition(":")[0]
    for step in _records(path, _INVOKES):
        if step.get("type") == SUBAGENT:
            yield from (f"{agent}:{id}" for id in started_in(text_of(step, "content")))


def _trace_of(path: pathlib.Path) -> Trace:
    """What the steps are known by: not by their texts, which one of the two files has cut."""
    steps = (step for step in _records(path, _STEP) if type(step.get("step_index")) is int)
    known = ((step["step_index"], text_of(step, "type"), text_of(step, "created_at")) for step in steps)
    keys = ((f"{number} {kind} {moment}", moment) for number, kind, moment in known)
    return trace_of(keys, _PREFERRED * (path.name == NAMES[0]))


def _keep_workspace(path: pathlib.Path, intake: Intake) -> None:
    """What was read of the directory is kept with the conversation."""
    brain = _conversation(path).parent
    if brain.name != "brain" or intake.line_with(brain.parent / "history.jsonl", _conversation(path).name):
        return
    _read_cache(brain.parent, intake)


def _read_cache(folder: pathlib.Path, intake: Intake) -> bytes:
    cache = folder / "cache" / "last_conversations.json"
    try:
        return b"" if cache.is_symlink() else intake.whole(read_start(cache, 1 << 20), cache)
    except (OSError, ValueError):
        return b""


def _workspaces_in(folder: pathlib.Path, intake: Intake) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        data = b"" if (folder / "history.jsonl").is_symlink() else read_start(folder / "history.jsonl", _MOST)
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
