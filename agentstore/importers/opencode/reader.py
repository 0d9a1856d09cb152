"""A session from any of its three shapes, as results of one session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from agentstore.importers.conversation import Conversation
from agentstore.importers.git_remotes import Remote
from agentstore.importers.importer import Options
from agentstore.importers.jsonl import Record
from agentstore.importers.opencode.identity import session_key, title_of
from agentstore.importers.opencode.messages import Kept, Stored, add_message
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState
from agentstore.importers.times import parse_millis
from agentstore.importers.tools import text_of
from agentstore.models import Session

_INHERITED_MS = 1000  # so much older than its session is what a fork has of another one


class Told(NamedTuple):
    """What is known of a session beside its messages. ``worktree`` is its project's; ``file`` names its results."""

    agent: str
    file: str
    id: str
    info: Record
    worktree: str = ""
    state: ImportState | None = None  # that of the last result


class Problems:
    """What could not be read, since it was asked last."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[ImportProblem] = []

    def report(self, reason: str, file: str = "", line: int = 0) -> None:
        self._found.append(ImportProblem(file or self._file, line, reason))

    def take(self) -> list[ImportProblem]:
        found, self._found = self._found, []
        return found


def read_session(
    told: Told, messages: Iterable[Stored], problems: Problems, options: Options, repositories: Repositories
) -> Iterator[ImportResult]:
    """The results of one session: one, or several where it is large."""
    reader = _Reader(told, options, repositories)
    number, size = 0, 0
    for stored in messages:
        reader.take(stored)
        size += _size(stored)
        if size >= options.piece_bytes:
            yield reader.piece(number, problems, None)
            number, size = number + 1, 0
    yield reader.piece(number, problems, told.state)


def directory_of(info: Record, worktree: str) -> str:
    """Where a session ran: "/" is what projects have that are none."""
    return next((path.strip() for path in (text_of(info, "directory"), worktree) if path.strip() not in ("", "/")), "")


class _Reader:
    def __init__(self, told: Told, options: Options, repositories: Repositories) -> None:
        self._told, self._options, self._repositories = told, options, repositories
        self._conversation = Conversation()
        self._kept = Kept({}, {})
        self._cwd = directory_of(told.info, told.worktree)
        self._is_fork = False
        times = _times(told.info)
        self._created = parse_millis(times.get("created"))
        self._conversation.see_time(self._created)
        self._see_time(times.get("updated"))

    def take(self, stored: Stored) -> None:
        times, path = _times(stored.info), stored.info.get("path")
        for name in ("created", "completed"):
            self._see_time(times.get(name))
        self._cwd = self._cwd or directory_of({"directory": text_of(path, "cwd", "root")}, "")
        add_message(self._conversation, self._told.agent, stored, self._kept)

    def _see_time(self, value: Any) -> None:
        moment = parse_millis(value)
        if moment is None or self._created is None:
            self._conversation.see_time(moment)
        elif self._created - moment > dt.timedelta(milliseconds=_INHERITED_MS):
            self._is_fork = True  # a fork begins with itself
        else:
            self._conversation.see_time(max(moment, self._created))

    def piece(self, number: int, problems: Problems, state: ImportState | None) -> ImportResult:
        sessions = self._conversation.totals(self._session())
        messages, calls, links = self._conversation.rows(self._id, self._options.user_id)
        return ImportResult(
            file=self._told.file,
            sessions=sessions,
            messages=messages,
            tool_calls=calls,
            git_links=links,
            problems=problems.take(),
            skipped_records=dict(self._kept.skipped),
            unknown_records=dict(self._kept.unknown),
            piece=number,
            state=state,
        )

    @property
    def _id(self) -> str:
        return session_key(self._told.agent, self._told.id)

    def _session(self) -> Session:
        info, options = self._told.info, self._options
        origins = [seen.remote for seen in self._conversation.memory.seen if seen.is_origin]
        origin = origins[0] if origins else Remote()
        project = self._repositories.project(self._cwd, origin, is_sure=bool(origin))
        parent, origin_id = text_of(info, "parentID"), text_of(info, "forkSessionID")
        is_fork = bool(origin_id) or (self._is_fork and not parent)
        return Session(
            id=self._id,
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=options.machine,
            agent_type=self._told.agent,
            parent_session_id=session_key(self._told.agent, parent or origin_id),
            relationship_type="subagent" if parent else "fork" if is_fork else "",
            display_name=title_of(info.get("title")),
        )


def _times(info: Record) -> Record:
    times = info.get("time")
    return times if isinstance(times, dict) else {}


def _size(stored: Stored) -> int:
    """About how much a message takes: the texts that can be long."""
    size = 500
    for part in stored.parts:
        state = part.get("state")
        texts = [part.get("text")]
        if isinstance(state, dict):
            texts += [state.get("output"), *(state["input"].values() if isinstance(state.get("input"), dict) else ())]
        size += 200 + sum(len(text) for text in texts if isinstance(text, str))
    return size
