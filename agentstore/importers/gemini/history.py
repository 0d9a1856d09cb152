"""Chats that are read together: which file is which session, who is whose subagent, and where they were.

The same session may be in a ``.json`` and in the ``.jsonl`` that followed it, and in copies of both: the one that has
all is imported, and of those that went different ways each (``copies``). A subagent's chat (since 2026)
is in ``chats/<session id of its parent>/<its own id>.jsonl``, and the call that started it says its id.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import msgspec

from agentstore.importers.copies import Trace, Traced, sort_out
from agentstore.importers.documents import is_unchanged, read_whole, state_of, too_large, unchanged
from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.gemini.directory import ROOT, Registry, files_of_registry, root_beside
from agentstore.importers.gemini.reader import PREFIX, ChatReader, Place
from agentstore.importers.gemini.records import Chat, read_chat, session_of
from agentstore.importers.git_directory import repository_of
from agentstore.importers.git_remotes import Remote
from agentstore.importers.importer import HEAD, NO_FACTS, FileFacts, Options
from agentstore.importers.intake import Intake
from agentstore.importers.projects import Project, Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState

_HELD = "file/held by another"
_VERSION = 1


class Said(msgspec.Struct, array_like=True):
    """What a chat says of who and where it is. ``traced`` is there where others say that they are the same session."""

    session_id: str = ""
    project_hash: str = ""
    own: str = ""  # its directory, proved by its hash
    listed: str = ""  # one that it names
    traced: Traced | None = None


class GeminiHistory:
    """The chats of one or more folders ``.gemini``."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self.files = sorted(files, key=lambda path: (_parent_of(path) == "", path.as_posix()))
        self._options = options
        self._look = Intake("", options, is_kept=False)
        self._notes = Notes(Said, _VERSION, self._look_into, options, known, grown)
        self._registries: dict[pathlib.Path | None, Registry] = {}
        self._repositories = Repositories()
        self._looked_up: set[str] = set()
        self._places = self._look_over()
        for path in self.files:
            self._learn(self._directory(path, self._places.get(path, Place())))

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        place = self._places.get(path, Place())
        if place.relationship == "held":
            return digest_of(True)
        cwd = self._directory(path, place)
        return digest_of(place, cwd, self._repositories.about(cwd))

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        name = name_of(path)
        place = self._places.get(path, Place())
        if place.relationship == "held":
            yield ImportResult(file=name, skipped_records={_HELD: 1})
            return
        data = read_whole(path)
        if data is None:
            yield too_large(name)
            return
        if state is not None and is_unchanged(data, state):
            yield unchanged(name, state)
            return
        intake = Intake(name, self._options)
        if (folder := _project_folder(path)) is not None and not root_beside(folder, intake):
            Registry(_home_of(folder), intake)  # both were looked up for the place: here they are kept
        yield intake.filled(self._read(path, place, data, intake))

    def _read(self, path: pathlib.Path, place: Place, data: bytes, intake: Intake) -> ImportResult:
        name = name_of(path)
        problems: list[ImportProblem] = []

        def report(line: int, reason: str) -> None:
            problems.append(ImportProblem(name, line, reason))

        chat = read_chat(intake.whole(data), report)
        if not chat.session_id:
            if not problems:
                report(0, "no sessionId: it is not known whose messages these are")
            return ImportResult(file=name, problems=problems, unknown_records=chat.unknown, state=state_of(data))
        if not place.id:  # it was looked at while it could not be read, or was another
            place = self._place(path, PREFIX + chat.session_id)
        reader = ChatReader(chat, report)
        reader.read()
        cwd = reader.directory(place) or self._registry(_project_folder(path)).directory("", reader.project_hash)
        project = self._project(reader, cwd)
        return reader.result(name, place, self._options, project, problems, state_of(data))

    def _directory(self, path: pathlib.Path, place: Place) -> str:
        """Where a chat was, as ``_read`` finds it."""
        said = self._notes.said(path) or Said()
        own = said.own or place.cwd or said.listed
        return own or self._registry(_project_folder(path)).directory("", said.project_hash)

    def _learn(self, cwd: str) -> None:
        if self._options.local_git and cwd and cwd not in self._looked_up:
            self._looked_up.add(cwd)
            found = repository_of(cwd, self._options.mask)
            if found.root:
                self._repositories.learn_worktree(cwd, found.root)
                self._repositories.learn_remote(found.root, found.remote)

    def _project(self, reader: ChatReader, cwd: str) -> Project:
        self._learn(cwd)
        seen = reader.seen_remotes
        origin = next((one.remote for one in seen if one.is_origin), None)
        others = {one.remote for one in seen}
        remote = origin or (others.pop() if len(others) == 1 else Remote())
        return self._repositories.project(cwd, remote, is_sure=origin is not None)

    # --- all files ---------------------------------------------------------------------------------------------------

    def _look_over(self) -> dict[pathlib.Path, Place]:
        claims: dict[str, list[pathlib.Path]] = {}
        for path in self.files:
            if (said := self._notes.said(path)) and (session_id := said.session_id):
                claims.setdefault(session_id, []).append(path)
        places: dict[pathlib.Path, Place] = {}
        for session_id, paths in claims.items():
            if len(paths) == 1:
                places[paths[0]] = self._place(paths[0], PREFIX + session_id)
                continue
            names = {name_of(path): path for path in paths}
            traces = {name: self._trace(path) for name, path in names.items()}
            for name, id in sort_out(PREFIX + session_id, traces).items():
                places[names[name]] = self._place(names[name], id) if id else Place(relationship="held")
                if id not in ("", PREFIX + session_id) and not places[names[name]].relationship:
                    fork = self._place(names[name], id)
                    places[names[name]] = Place(id, PREFIX + session_id, "fork", fork.cwd, fork.folder)
        return places

    def _look_into(self, path: pathlib.Path, _before: Noted[Said] | None) -> Noted[Said]:
        session_id = self._look.text(session_of(read_start(path, HEAD), lambda: read_whole(path) or b""))
        data = read_whole(path)
        chat = read_chat(self._look.whole(data), _ignore) if data is not None else Chat()
        reader = ChatReader(chat, _ignore)
        reader.read()
        return Noted(Said(session_id, reader.project_hash, *reader.directories))

    def _trace(self, path: pathlib.Path) -> Trace:
        said = self._notes.said(path) or Said()
        if said.traced is None:
            said.traced = Traced.of(_trace_of(path))
            self._notes.touch(path)
        return said.traced.trace()

    def _place(self, path: pathlib.Path, id: str) -> Place:
        folder = _project_folder(path)
        if folder is None:
            return Place(id)
        parent = _parent_of(path)
        cwd = root_beside(folder, self._look) or self._registry(folder).directory(folder.name, folder.name)
        self._repositories.learn_directory(cwd)
        return Place(
            id, PREFIX + parent if parent else "", "subagent" if parent else "", cwd, name_of(pathlib.Path(folder.name))
        )

    def _registry(self, project: pathlib.Path | None) -> Registry:
        """Of the folder ``.gemini`` in which a project's folder is."""
        home = _home_of(project)
        if home not in self._registries:
            self._registries[home] = Registry(home, self._look)
        return self._registries[home]


def _home_of(project: pathlib.Path | None) -> pathlib.Path | None:
    return project.parent.parent if project is not None and project.parent.name == "tmp" else None


def _project_folder(path: pathlib.Path) -> pathlib.Path | None:
    """The folder of a chat's project; None for files that lie elsewhere."""
    chats = path.parent.parent if _parent_of(path) else path.parent
    return chats.parent if chats.name == "chats" else None


def _parent_of(path: pathlib.Path) -> str:
    """The session that a subagent's file is below; "" for all other files: those have names of another kind, and the
    folder above theirs may be a project that is called "chats"."""
    is_below = path.parent.parent.name == "chats" and path.parent.name != "chats"
    return name_of(pathlib.Path(path.parent.name)) if is_below and not path.name.startswith("session-") else ""


def files_around(path: pathlib.Path) -> list[pathlib.Path]:
    """The files that may tell where a chat was; they are about many."""
    folder = _project_folder(path)
    if folder is None:
        return []
    registry = files_of_registry(folder.parent.parent) if folder.parent.name == "tmp" else []
    return [folder / ROOT, *registry]


def _ignore(_line: int, _reason: str) -> None:
    """The import of the file says what is wrong with it."""


def _trace_of(path: pathlib.Path) -> Trace:
    try:
        data = read_whole(path) or b""
    except OSError:
        data = b""
    chat = read_chat(data, lambda _line, _reason: None) if data else Chat()
    return chat.trace(len(data), is_log=path.suffix == ".jsonl")
