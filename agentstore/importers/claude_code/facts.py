"""What the records of a Claude Code file say about the session as a whole."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import msgspec

from agentstore.importers.claude_code.identity import Identity, Named
from agentstore.importers.claude_code.lines import Line, Worktree
from agentstore.importers.claude_code.names import Names
from agentstore.importers.git_remotes import Remote, Seen, remote_of_request
from agentstore.importers.projects import Project, Repositories, is_named, root_of
from agentstore.models import Session

_MOST_WORKTREES = 16


class Owner(NamedTuple):
    """What a transcript does not tell: whose it is, and where it was made."""

    user_id: str
    user_name: str
    machine: str


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
    names: Names = msgspec.field(default_factory=Names)
    origin: Remote = Remote()
    talks: list[Remote] = []  # those it pushed to or fetched from, at most two
    requests: list[Remote] = []  # the repositories of its first pull requests, at most two
    worktrees: list[tuple[str, str]] = []  # and where each was made from
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
        self.names.take_custom(line.customTitle or "")
        self.names.take_ai(line.aiTitle or "")

    def see_worktree(self, worktree: Worktree) -> None:
        self.names.take_worktree(worktree.worktreeName or "")
        made = (worktree.worktreePath or "", worktree.originalCwd or "")
        if all(made) and made not in self.worktrees and len(self.worktrees) < _MOST_WORKTREES:
            self.worktrees = [*self.worktrees, made]

    def see_remote(self, seen: Seen, cwd: str) -> None:
        """A command told the remote of the directory that it ran in. The first origin stands."""
        if root_of(cwd).path != root_of(self.cwd).path:
            return
        if seen.is_origin:
            self.origin = self.origin or seen.remote
        elif is_named(seen.remote, cwd):
            self.talks = _with(self.talks, seen.remote)

    def see_request(self, url: str) -> None:
        self.requests = _with(self.requests, remote_of_request(url))

    def named(self, last_session_id: str) -> Named:
        """What the records say about who the session is."""
        return Named(
            session_id=self.session_id,
            last_session_id=last_session_id or self.session_id,
            agent_id=self.agent_id,
            uuid=self.first_uuid,
            sidechain=self.sidechain is True,
            forked_from=self.forked_from,
        )

    def project(self, repositories: Repositories | None) -> Project:
        """The project, by what all files of a tree say, or by what this one does."""
        if repositories is None:
            repositories = Repositories()
            for worktree, origin in self.worktrees:
                repositories.learn_worktree(worktree, origin)
        remote = self.origin or _only(self.talks) or _only(self.requests)
        return repositories.project(self.cwd, remote, is_sure=bool(self.origin))

    def session(self, identity: Identity, owner: Owner, agent: str, project: Project, meta: bytes = b"") -> Session:
        """The session's row, all but what is counted from its messages."""
        return Session(
            id=identity.id,
            user_id=owner.user_id,
            user_name=owner.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=owner.machine,
            agent_type=agent,
            started_at=self.started,
            ended_at=self.ended,
            parent_session_id=identity.parent,
            relationship_type=identity.relationship,
            source_created_at=self.started_text,
            display_name=self.names.best(meta, self.summary),
            git_branch=self.git_branch,
        )


def _with(known: list[Remote], remote: Remote) -> list[Remote]:
    if not remote or remote.key in {other.key for other in known}:
        return known
    return [*known, remote][:2]


def _only(known: list[Remote]) -> Remote:
    """The one there is; of two it is not plain which of them the directory is."""
    return known[0] if len(known) == 1 else Remote()
