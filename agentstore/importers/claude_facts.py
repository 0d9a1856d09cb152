"""What the records of a Claude Code file say about the session as a whole."""

from __future__ import annotations

import datetime as dt
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from agentstore.importers.jsonl import Record
from agentstore.importers.projects import parse_time, project_of
from agentstore.models import RelationshipType, Session

AGENT = "claude-code"


def text(record: Any, key: str) -> str:
    """A text field; "" where it is missing or something else."""
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, str) else ""


class Owner(NamedTuple):
    """What a transcript does not tell: whose it is, and where it was made."""

    user_id: str
    user_name: str
    machine: str


class Identity(NamedTuple):
    """Who a session is, and whom it comes from."""

    id: str
    parent: str
    relationship: RelationshipType


class Facts:
    """Collects the facts, record by record.

    Of working directories the first counts, of branches the last. A session begins at the earliest time of all records
    and ends at the latest one, since the order of a file is not the order of time.
    """

    def __init__(self) -> None:
        self.cwd = ""
        self.git_branch = ""
        self.started: dt.datetime | None = None
        self.ended: dt.datetime | None = None
        self.started_text = ""
        self.sidechain: bool | None = None
        self._session_id = ""
        self._first_uuid = ""
        self._agent_id = ""
        self._forked_from = ""
        self._custom_title = ""
        self._ai_title = ""
        self._summaries: dict[str, str] = {}
        self._uuids: dict[str, None] = {}  # a set that keeps its order: the latest summary counts

    def see(self, record: Record) -> None:
        self.cwd = self.cwd or text(record, "cwd")
        self.git_branch = text(record, "gitBranch") or self.git_branch
        self._see_time(text(record, "timestamp") or text(record.get("snapshot"), "timestamp"))
        if uuid := text(record, "uuid"):
            self._uuids[uuid] = None

    def see_speaker(self, record: Record) -> None:
        """The first line of a person or the model says whose session it is."""
        # Only the first: where a session goes on in a new file it still names the old one, and so the parent.
        if self.sidechain is None:
            self.sidechain = record.get("isSidechain") is True
            self._session_id = text(record, "sessionId")
            self._first_uuid = text(record, "uuid")
            self._agent_id = text(record, "agentId")
            self._forked_from = text(record.get("forkedFrom"), "sessionId")

    def see_title(self, kind: str, record: Record) -> None:
        if kind == "custom-title":
            self._custom_title = text(record, "customTitle") or self._custom_title
        elif kind == "ai-title":
            self._ai_title = text(record, "aiTitle") or self._ai_title
        elif leaf := text(record, "leafUuid"):
            self._summaries[leaf] = text(record, "summary")

    def _see_time(self, written: str) -> None:
        moment = parse_time(written)
        if moment is None:
            return
        if self.started is None or moment < self.started:
            self.started, self.started_text = moment, written
        if self.ended is None or moment > self.ended:
            self.ended = moment

    def _display_name(self, titles: Mapping[str, str]) -> str:
        """What the user called it, else what the agent did, else the summary of its latest record that has one."""
        summaries = (self._summaries.get(uuid) or titles.get(uuid) for uuid in reversed(self._uuids))
        return self._custom_title or self._ai_title or next(filter(None, summaries), "")

    def titles_of_others(self) -> dict[str, str]:
        return {leaf: title for leaf, title in self._summaries.items() if leaf not in self._uuids and title}

    def session(self, file: str, owner: Owner, titles: Mapping[str, str]) -> Session:
        """The session's row, all but what is counted from its messages."""
        identity, project = self._identity(file), project_of(self.cwd)
        return Session(
            id=identity.id,
            user_id=owner.user_id,
            user_name=owner.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=owner.machine,
            agent_type=AGENT,
            started_at=self.started,
            ended_at=self.ended,
            parent_session_id=identity.parent,
            relationship_type=identity.relationship,
            source_created_at=self.started_text,
            display_name=self._display_name(titles),
            git_branch=self.git_branch,
        )

    def _id_without_file_name(self) -> str:
        if self.sidechain and self._agent_id:
            return f"agent-{self._agent_id}"
        return self._session_id or self._first_uuid or "unknown"

    def _identity(self, file: str) -> Identity:
        # Not the path class of this machine: the transcript may have been written on another one.
        path = pathlib.PurePosixPath(file.replace("\\", "/"))
        own = path.stem or self._id_without_file_name()
        folders = path.parts[:-1]
        if "subagents" in folders:
            # The last folder of this name: one further up may have it, too, and says nothing.
            above = folders[: len(folders) - 1 - folders[::-1].index("subagents")]
            return Identity(own, above[-1] if above else self._session_id, "subagent")
        if own.startswith("agent-"):
            return Identity(own, self._session_id, "subagent")
        if self._forked_from and self._forked_from != own:
            return Identity(own, self._forked_from, "fork")
        if self._session_id and self._session_id != own:
            return Identity(own, self._session_id, "continuation")
        return Identity(own, "", "")
