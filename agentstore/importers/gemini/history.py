"""Chats that are read together: which file is which session, who is whose subagent, and where they were.

The same session may be in a ``.json`` and in the ``.jsonl`` that followed it, and in copies of both: the one that has
all is imported, and of those that went different ways each (``copies``). A subagent's chat (since 2026)
is in ``chats/<session id of its parent>/<its own id>.jsonl``, and the call that started it says its id.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

from agentstore.importers.copies import Trace, sort_out
from agentstore.importers.documents import is_unchanged, read_whole, state_of, too_large, unchanged
from agentstore.importers.facts import Unremembered
from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.gemini.directory import Registry, root_beside
from agentstore.importers.gemini.reader import PREFIX, ChatReader, Place
from agentstore.importers.gemini.records import Chat, read_chat, session_of
from agentstore.importers.git_directory import repository_of
from agentstore.importers.git_remotes import Remote
from agentstore.importers.importer import HEAD, Options
from agentstore.importers.intake import Intake
from agentstore.importers.projects import Project, Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState

_HELD = "file/held by another"


class GeminiHistory(Unremembered):
    """The chats of one or more folders ``.gemini``."""

    def __init__(self, files: Sequence[pathlib.Path], options: Options) -> None:
        self.files = sorted(files, key=lambda path: (_parent_of(path) == "", path.as_posix()))
        self._options = options
        self._look = Intake("", options, is_kept=False)
        self._registries: dict[pathlib.Path | None, Registry] = {}
        self._repositories = Repositories()
        self._looked_up: set[str] = set()
        self._places = self._look_over()

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

    def _project(self, reader: ChatReader, cwd: str) -> Project:
        if self._options.local_git and cwd and cwd not in self._looked_up:
            self._looked_up.add(cwd)
            found = repository_of(cwd, self._options.mask)
            if found.root:
                self._repositories.learn_worktree(cwd, found.root)
                self._repositories.learn_remote(found.root, found.remote)
        seen = reader.seen_remotes
        origin = next((one.remote for one in seen if one.is_origin), None)
        others = {one.remote for one in seen}
        remote = origin or (others.pop() if len(others) == 1 else Remote())
        return self._repositories.project(cwd, remote, is_sure=origin is not None)

    # --- all files ---------------------------------------------------------------------------------------------------

    def _look_over(self) -> dict[pathlib.Path, Place]:
        claims: dict[str, list[pathlib.Path]] = {}
        for path in self.files:
            if session_id := self._look.text(_session_of(path)):
                claims.setdefault(session_id, []).append(path)
        places: dict[pathlib.Path, Place] = {}
        for session_id, paths in claims.items():
            if len(paths) == 1:
                places[paths[0]] = self._place(paths[0], PREFIX + session_id)
                continue
            names = {name_of(path): path for path in paths}
            traces = {name: _trace_of(path) for name, path in names.items()}
            for name, id in sort_out(PREFIX + session_id, traces).items():
                places[names[name]] = self._place(names[name], id) if id else Place(relationship="held")
                if id not in ("", PREFIX + session_id) and not places[names[name]].relationship:
                    fork = self._place(names[name], id)
                    places[names[name]] = Place(id, PREFIX + session_id, "fork", fork.cwd, fork.folder)
        return places

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


def _session_of(path: pathlib.Path) -> str:
    try:
        return session_of(read_start(path, HEAD), lambda: read_whole(path) or b"")
    except OSError:
        return ""


def _trace_of(path: pathlib.Path) -> Trace:
    try:
        data = read_whole(path) or b""
    except OSError:
        data = b""
    chat = read_chat(data, lambda _line, _reason: None) if data else Chat()
    return chat.trace(len(data), is_log=path.suffix == ".jsonl")
