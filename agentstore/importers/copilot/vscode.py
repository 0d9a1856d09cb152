"""Copilot's chats in VS Code, VS Code Insiders and VSCodium as one importer among others.

``User/workspaceStorage/<hash>/chatSessions/<id>.json``, or ``<id>.jsonl`` since it is a log of mutations
(``mutation_log``); ``workspace.json`` above tells the folder. Chats of windows without a folder are in
``globalStorage/emptyWindowChatSessions``, and for a moment in ``transferredChatSessions``. Of several files of one
name the log is the newer one, and of equals the largest; the others add nothing.

Both kinds are changed in place, so that they are read whole: a state tells only that one has not changed. Older
versions kept chats in ``state.vscdb`` (``interactive.sessions``); those are not read.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from agentstore.importers.copilot.chat import Chat
from agentstore.importers.copilot.mutation_log import replay
from agentstore.importers.documents import is_same, state_of_file, unchanged
from agentstore.importers.editors import WORKSPACE, cwd_of_workspace, user_folders
from agentstore.importers.facts import Noted, Notes, digest_of
from agentstore.importers.file_blocks import name_of
from agentstore.importers.git_remotes import remote_of
from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options
from agentstore.importers.intake import Intake, masked_text
from agentstore.importers.jsonl import BOM, REFUSED, Record, Report, read_document
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState
from agentstore.importers.times import parse_millis
from agentstore.importers.tools import text_of
from agentstore.models import Session

AGENT = "vscode-copilot"
MOST_BYTES = 256 * 1024 * 1024
_PRODUCTS = ("Code", "Code - Insiders", "VSCodium")
_FOLDERS = ("chatSessions", "emptyWindowChatSessions", "transferredChatSessions")
_HELD = "file/held by another"
_VERSION = 1
_LOG = re.compile(rb'\s*\{"kind"\s*:\s*0\s*,\s*"v"\s*:\s*\{')
_CHAT = re.compile(rb'"(?:requests|responderUsername|requesterUsername|creationDate|initialLocation)"\s*:')
_MOST_ID = 200


class VSCodeCopilot:
    """The chats of Copilot in VS Code, and in other editors that are made of it."""

    name = AGENT
    version = 1

    def places(self, home: Home) -> list[pathlib.PurePath]:
        folders = user_folders(home, _PRODUCTS)
        if portable := home.environ.get("VSCODE_PORTABLE", ""):
            folders.insert(0, home.path / portable / "user-data" / "User")
        return [
            place
            for folder in folders
            for place in (folder / "workspaceStorage", *(folder / "globalStorage" / name for name in _FOLDERS[1:]))
        ]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        body = head.removeprefix(b"\xef\xbb\xbf")
        if path.suffix == ".jsonl":
            return _LOG.match(body) is not None and _CHAT.search(body) is not None
        is_there = path.parent.name in _FOLDERS
        if path.suffix != ".json" or not body.lstrip().startswith(b"{"):
            return False
        return _CHAT.search(body) is not None and (is_there or b'"responderUsername"' in body)

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return [_folder(path) / WORKSPACE]

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return ()

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> ChatHistory:
        return ChatHistory(files, options, known, grown)


class Said(msgspec.Struct, array_like=True):
    """Which session a file has. ``speaks``: whether it has any message, once that was asked: where others have it."""

    id: str
    speaks: bool | None = None


class ChatHistory:
    """Chats that are read together."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self.files = sorted(files, key=lambda path: path.as_posix())
        self._options = options
        self._look = Intake("", options, is_kept=False)
        self._notes = Notes(Said, _VERSION, self._look_over, options, known, grown)
        self._repositories = Repositories()
        self._cwds = {folder: cwd_of_workspace(folder, self._look) for folder in {_folder(path) for path in self.files}}
        for cwd in self._cwds.values():
            self._repositories.learn_directory(cwd)
        best: dict[str, pathlib.Path] = {}
        for path in self.files:
            best[path.stem] = max(best.get(path.stem, path), path, key=_fullness)
        self._held = {path for path in self.files if best[path.stem] != path}
        claims: dict[str, list[pathlib.Path]] = {}
        for path in self.files:
            if path not in self._held and (said := self._notes.said(path)):
                claims.setdefault(said.id, []).append(path)
        for claiming in claims.values():
            speaking = [path for path in claiming if self._speaks(path)] if len(claiming) > 1 else []
            self._held.update(speaking[1:])

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def context(self, path: pathlib.Path) -> bytes:
        cwd = self._cwds.get(_folder(path), "")
        return digest_of(path in self._held, cwd, self._repositories.about(cwd))

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        name = name_of(path)
        if path in self._held:
            yield ImportResult(file=name, skipped_records={_HELD: 1})
            return
        now = state_of_file(path) if path.stat().st_size <= MOST_BYTES else None
        if state is not None and now is not None and is_same(now, state):
            yield unchanged(name, now)
            return
        problems: list[ImportProblem] = []
        intake = Intake(name, self._options)
        result = self._read(path, intake, lambda line, reason: problems.append(ImportProblem(name, line, reason)))
        yield intake.filled(msgspec.structs.replace(result, file=name, problems=problems, state=now))

    def _read(self, path: pathlib.Path, intake: Intake, report: Report) -> ImportResult:
        if path.stat().st_size > MOST_BYTES:
            report(0, f"more than {MOST_BYTES:,} bytes, not read")
            document: Record = {}
        elif path.suffix == ".jsonl":
            document = replay(path, report, intake)
        else:
            document = read_document(intake.whole(path.read_bytes()), report) or {}
        try:
            return self._result(path, document, intake)
        except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
            report(0, "nested too deeply")
            return ImportResult()

    # --- all files ---------------------------------------------------------------------------------------------------

    def _look_over(self, path: pathlib.Path, _before: Noted[Said] | None) -> Noted[Said]:
        """Whose a chat is: nothing else of it is kept, so that nothing else has to be masked."""
        if path.stat().st_size > MOST_BYTES:
            document: Record = {}
        elif path.suffix == ".jsonl":
            document = replay(path, _ignore, Intake("", Options(), is_kept=False))
        else:
            data = path.read_bytes()
            try:
                document = {"sessionId": _identified.decode(data.removeprefix(BOM)).sessionId}
            except REFUSED:
                document = read_document(data, _ignore) or {}
        return Noted(Said(masked_text(self._options.mask, _id_of(path, document))))

    def _speaks(self, path: pathlib.Path) -> bool:
        said = self._notes.said(path)
        if said is not None and said.speaks is None:
            try:
                said.speaks = bool(self._read(path, self._look, _ignore).sessions)
            except OSError:
                said.speaks = False
            self._notes.touch(path)
        return said is not None and bool(said.speaks)

    def _result(self, path: pathlib.Path, document: Record, intake: Intake) -> ImportResult:
        chat = Chat(f"{AGENT}:{_id_of(path, document)}")
        requests = document.get("requests")
        for request in requests if isinstance(requests, list) else ():
            if isinstance(request, dict):
                chat.take(request)
        for key in ("creationDate", "lastMessageDate"):
            chat.conversation.see_time(parse_millis(document.get(key)))
        session = self._session(path, document, chat.session_id, intake)
        messages, calls, links = chat.conversation.rows(session.id, self._options.user_id)
        return ImportResult(
            sessions=chat.conversation.totals(session),
            messages=messages,
            tool_calls=calls,
            git_links=links,
            file_touches=chat.conversation.file_touches(session.id, session.project_path),
        )

    def _session(self, path: pathlib.Path, document: Record, id: str, intake: Intake) -> Session:
        options, repository = self._options, document.get("repoData")
        cwd = cwd_of_workspace(_folder(path), intake)
        remote = remote_of(text_of(repository, "remoteUrl"))
        project = self._repositories.project(cwd, remote, is_sure=bool(remote))
        return Session(
            id=id,
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=options.machine,
            agent_type=AGENT,
            display_name=text_of(document, "customTitle")[:300],
            git_branch=text_of(repository, "localBranch")[:300],
        )


class _Identified(msgspec.Struct):
    sessionId: str = ""


_identified = msgspec.json.Decoder(_Identified)


def _ignore(_line: int, _reason: str) -> None:
    """The import of the file says what is wrong with it."""


def _id_of(path: pathlib.Path, document: Record) -> str:
    id = text_of(document, "sessionId")
    return id if 0 < len(id) <= _MOST_ID else name_of(pathlib.Path(path.stem))


def _folder(path: pathlib.Path) -> pathlib.Path:
    """Where the file is that tells a chat's directory."""
    return path.parent.parent


def _fullness(path: pathlib.Path) -> tuple[bool, int, str]:
    try:
        size = path.stat().st_size
    except OSError:
        size = -1
    return path.suffix == ".jsonl", size, path.as_posix()
