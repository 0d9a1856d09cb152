"""The Copilot CLI as one importer among others.

``~/.copilot/session-state/<id>/events.jsonl`` with ``workspace.yaml`` beside it, or a flat ``<id>.jsonl`` of older
versions (``COPILOT_HOME`` names another place for ``~/.copilot``). Where several files claim one session (both of
these, or copies), it is the one in a folder, and of equals the largest; the others add nothing.

VS Code writes the same events of its chats to ``…/GitHub.copilot-chat/transcripts/<id>.jsonl``; those files are left
alone: the chats are in ``chatSessions`` (``vscode``), with more of them, and would count twice.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from agentstore.importers.copilot.memory import remote_in
from agentstore.importers.copilot.reader import AGENT, EventsReader
from agentstore.importers.copilot.workspace import WORKSPACE, workspace_beside
from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.git_directory import repository_of
from agentstore.importers.git_remotes import Remote
from agentstore.importers.importer import HEAD, NO_FACTS, FileFacts, Home, Options
from agentstore.importers.intake import Intake, Mask
from agentstore.importers.jsonl import Record, read_records, stretches
from agentstore.importers.pieces import pieces_of
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportResult, by_session
from agentstore.importers.states import ImportState, Trace
from agentstore.importers.tools import text_of

_HELD = "file/held by another"
_VERSION = 1
_ON_THIS_MACHINE = -1  # a rank: surer than anything that a record says
_MOST_ID = 200
_EVENT = re.compile(
    rb'"type"\s*:\s*"(?:session\.start|session\.resume|user\.message|assistant\.message|assistant\.turn_start)"'
)
_START = re.compile(rb'"type"\s*:\s*"session\.start"[^\n]{0,4000}"(?:copilotVersion|producer)"\s*:')
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATA = re.compile(rb'"data"\s*:\s*\{')


class Copilot:
    """GitHub Copilot's CLI, and what else keeps its sessions in the CLI's folder (the app, VS Code's Agents window)."""

    name = AGENT
    version = 1

    def places(self, home: Home) -> list[pathlib.PurePath]:
        named = home.environ.get("COPILOT_HOME", "").strip()
        root = home.path.joinpath(named) if named else home.path / ".copilot"
        return [root / "session-state"]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        if path.suffix != ".jsonl" or path.parent.name == "transcripts":
            return False
        if _is_named(path) and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return True  # its content was destroyed: the import says so
        # Another agent's file may quote such an event further down.
        first = head if _is_named(path) else head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0]
        return bool(_START.search(first) or (_EVENT.search(first) and _DATA.search(first)))

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return [path.with_name(WORKSPACE)] if path.name == "events.jsonl" else []

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return ()

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> CopilotHistory:
        return CopilotHistory(files, options, known, grown)


def _is_named(path: pathlib.Path) -> bool:
    """Whether a file has the place of a session."""
    if path.name == "events.jsonl":
        return path.parent.parent.name == "session-state"
    return path.parent.name == "session-state"


class Said(msgspec.Struct, array_like=True):
    """What the first record of a file says."""

    id: str
    cwd: str = ""
    remote: Remote = Remote()


class CopilotHistory:
    """Files that are read together: sessions in one directory are one project, whichever of them says where it is."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self.files = sorted(files, key=lambda path: path.as_posix())
        self._options = options
        self._repositories = Repositories()
        self._notes = Notes(Said, _VERSION, self._look_over, options, known, grown)
        best: dict[str, pathlib.Path] = {}
        for path in self.files:
            id = self._id_of(path)
            best[id] = max(best.get(id, path), path, key=_fullness)
            if said := self._notes.said(path):
                self._learn(said)
        self._held = {path for path in self.files if best[self._id_of(path)] != path}

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        if path in self._held:
            return digest_of(True)
        said = self._notes.said(path)
        # Where the first record does not say where it was, a later one may name any directory.
        is_told = said is not None and said.cwd
        about = self._repositories.about(said.cwd) if said and is_told else self._repositories.everything()
        return digest_of(about)

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        name = name_of(path)
        if path in self._held:
            yield ImportResult(file=name, skipped_records={_HELD: 1})
            return
        intake = Intake(name, self._options)
        title = workspace_beside(path, intake).get("name", "")
        with path.open("rb") as stream:
            if state is not None:
                state.open(stream)
            id = self._id_of(path)
            reader = EventsReader(name, id, title, self._options, self._repositories, state)
            pieces = pieces_of(reader, Trace(stream, state), stretches(stream), self._options.piece_bytes, intake)
            yield from by_session(pieces, id)

    def _look_over(self, path: pathlib.Path, _before: Noted[Said] | None) -> Noted[Said]:
        start = _first_record(read_start(path, HEAD), self._options.mask)
        data = start.get("data") if start.get("type") == "session.start" else {}
        context = data.get("context") if isinstance(data, dict) else None
        return Noted(Said(text_of(data, "sessionId"), text_of(context, "cwd"), remote_in(context)))

    def _learn(self, said: Said) -> None:
        cwd = said.cwd
        self._repositories.learn_directory(cwd)
        self._repositories.learn_remote(cwd, said.remote)
        if self._options.local_git and cwd and (found := repository_of(cwd, self._options.mask)).root:
            self._repositories.learn_worktree(cwd, found.root)
            self._repositories.learn_remote(found.root, found.remote, _ON_THIS_MACHINE)

    def _id_of(self, path: pathlib.Path) -> str:
        """The session's id: the folder's name, as the program itself takes it, since a fork begins with a copy of
        another session's records. Else the first record says it, or the name of the file."""
        said = self._notes.said(path)
        id = said.id if said else ""
        named = path.parent.name if path.name == "events.jsonl" else path.stem
        if not id or len(id) > _MOST_ID or (path.name == "events.jsonl" and _UUID.fullmatch(named)):
            id = name_of(pathlib.Path(named))
        return f"{AGENT}:{id}"


def _fullness(path: pathlib.Path) -> tuple[bool, int, str]:
    try:
        size = path.stat().st_size
    except OSError:
        size = -1
    return path.name == "events.jsonl", size, path.as_posix()


def _first_record(head: bytes, mask: Mask | None) -> Record:
    """The first line, masked, which only a session that is being written for the first time has not whole."""
    end = head.find(b"\n")
    line = head[: end + 1] if end >= 0 else head
    for _, record in read_records(mask(line) if mask else line, lambda _line, _reason: None):
        return record
    return {}
