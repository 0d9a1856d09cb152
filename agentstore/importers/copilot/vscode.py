"""Copilot's chats in VS Code, VS Code Insiders and VSCodium as one importer among others.

``User/workspaceStorage/<hash>/chatSessions/<id>.json``, or ``<id>.jsonl`` since it is a log of mutations
(``mutation_log``); ``workspace.json`` above tells the folder. Chats of windows without a folder are in
``globalStorage/emptyWindowChatSessions``, and for a moment in ``transferredChatSessions``. Of several files of one
name the log is the newer one, and of equals the largest; the others add nothing.

Both kinds are changed in place, so that they are read whole: there is no state to continue from. Older versions kept
chats in ``state.vscdb`` (``interactive.sessions``); those are not read.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from agentstore.importers.copilot.chat import Chat
from agentstore.importers.copilot.mutation_log import replay
from agentstore.importers.editors import cwd_of_workspace, user_folders
from agentstore.importers.facts import Unremembered
from agentstore.importers.file_blocks import name_of
from agentstore.importers.git_remotes import remote_of
from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record, read_document
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
        return ()

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> ChatHistory:
        return ChatHistory(files, options)


class ChatHistory(Unremembered):
    """Chats that are read together."""

    def __init__(self, files: Sequence[pathlib.Path], options: Options) -> None:
        self.files = sorted(files, key=lambda path: path.as_posix())
        self._options = options
        best: dict[str, pathlib.Path] = {}
        for path in self.files:
            best[path.stem] = max(best.get(path.stem, path), path, key=_fullness)
        self._held = {path for path in self.files if best[path.stem] != path}
        self._read: dict[str, pathlib.Path] = {}  # by the ids of sessions
        self._repositories = Repositories()
        look = Intake("", options, is_kept=False)
        for folder in {path.parent.parent for path in self.files}:
            self._repositories.learn_directory(cwd_of_workspace(folder, look))

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        name = name_of(path)
        if path in self._held:
            yield ImportResult(file=name, skipped_records={_HELD: 1})
            return
        problems: list[ImportProblem] = []
        intake = Intake(name, self._options)

        def report(line: int, reason: str) -> None:
            problems.append(ImportProblem(name, line, reason))

        if path.stat().st_size > MOST_BYTES:
            report(0, f"more than {MOST_BYTES:,} bytes, not read")
            document: Record = {}
        elif path.suffix == ".jsonl":
            document = replay(path, report, intake)
        else:
            document = read_document(intake.whole(path.read_bytes()), report) or {}
        try:
            result = self._result(path, document, intake)
        except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
            report(0, "nested too deeply")
            result = ImportResult()
        for session in result.sessions:
            if self._read.setdefault(session.id, path) != path:
                yield ImportResult(file=name, problems=problems, skipped_records={_HELD: 1})
                return
        yield intake.filled(msgspec.structs.replace(result, file=name, problems=problems))

    def _result(self, path: pathlib.Path, document: Record, intake: Intake) -> ImportResult:
        id = text_of(document, "sessionId")
        chat = Chat(f"{AGENT}:{id if 0 < len(id) <= _MOST_ID else name_of(pathlib.Path(path.stem))}")
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
        cwd = cwd_of_workspace(path.parent.parent, intake)
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


def _fullness(path: pathlib.Path) -> tuple[bool, int, str]:
    try:
        size = path.stat().st_size
    except OSError:
        size = -1
    return path.suffix == ".jsonl", size, path.as_posix()
