"""What the records of a Claude Code file say about the session as a whole."""

from __future__ import annotations

import datetime as dt
import pathlib
from typing import NamedTuple

import msgspec

from agentstore.importers.claude_lines import Line
from agentstore.importers.projects import project_of
from agentstore.models import RelationshipType, Session

AGENT = "claude-code"


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


class Facts(msgspec.Struct, array_like=True):
    """Collects the facts, record by record.

    Of working directories the first counts, of branches the last (but a detached HEAD is none). A session begins at the
    earliest time of all records and ends at the latest one, since the order of a file is not the order of time.
    """

    cwd: str = ""
    git_branch: str = ""
    started: dt.datetime | None = None
    ended: dt.datetime | None = None
    started_text: str = ""
    sidechain: bool | None = None
    session_id: str = ""
    first_uuid: str = ""
    agent_id: str = ""
    forked_from: str = ""
    custom_title: str = ""
    ai_title: str = ""
    summary: str = ""  # of its latest record that has one

    def see_place(self, line: Line) -> None:
        self.cwd = self.cwd or line.cwd or ""
        branch = line.gitBranch
        if branch and (branch != "HEAD" or not self.git_branch):
            self.git_branch = branch

    def see_time(self, moment: dt.datetime | None, written: str) -> None:
        if moment is None:
            return
        if self.started is None or moment < self.started:
            self.started, self.started_text = moment, written
        if self.ended is None or moment > self.ended:
            self.ended = moment

    def see_speaker(self, line: Line) -> None:
        """The first line of a person or the model says whose session it is."""
        # Only the first: where a session goes on in a new file it still names the old one, and so the parent.
        self.sidechain = line.isSidechain is True
        self.session_id = line.sessionId or ""
        self.first_uuid = line.uuid or ""
        self.agent_id = line.agentId or ""
        self.forked_from = (line.forkedFrom.sessionId if line.forkedFrom else None) or ""

    def see_title(self, line: Line) -> None:
        self.custom_title = line.customTitle or self.custom_title
        self.ai_title = line.aiTitle or self.ai_title

    def _display_name(self) -> str:
        """What the user called it, else what the agent did, else the summary of its latest record that has one."""
        return self.custom_title or self.ai_title or self.summary

    def session(self, file: str, owner: Owner) -> Session:
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
            display_name=self._display_name(),
            git_branch=self.git_branch,
        )

    def _id_without_file_name(self) -> str:
        if self.sidechain and self.agent_id:
            return f"agent-{self.agent_id}"
        return self.session_id or self.first_uuid or "unknown"

    def _identity(self, file: str) -> Identity:
        # Not the path class of this machine: the transcript may have been written on another one.
        path = pathlib.PurePosixPath(file.replace("\\", "/"))
        own = path.stem or self._id_without_file_name()
        folders = path.parts[:-1]
        if "subagents" in folders:
            # The last folder of this name: one further up may have it, too, and says nothing.
            above = folders[: len(folders) - 1 - folders[::-1].index("subagents")]
            return Identity(own, above[-1] if above else self.session_id, "subagent")
        if own.startswith("agent-"):
            return Identity(own, self.session_id, "subagent")
        if self.forked_from and self.forked_from != own:
            return Identity(own, self.forked_from, "fork")
        if self.session_id and self.session_id != own:
            return Identity(own, self.session_id, "continuation")
        return Identity(own, "", "")
