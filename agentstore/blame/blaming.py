"""Blame, put together: git, git links, edit calls, prompts."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace as changed

from agentstore.blame.choosing import Chooser
from agentstore.blame.committed import LARGEST, Commit, commits_of, is_shallow, lines_at_head, lines_of
from agentstore.blame.differing import common
from agentstore.blame.git import GitError
from agentstore.blame.prompting import prompts_before
from agentstore.blame.records import Blame, BlamedLines
from agentstore.blame.replay import Edit, replay
from agentstore.blame.touching import MOST_CALLS, edits_of
from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.faces.repositories import project_at
from agentstore.models import GitLinkResult
from agentstore.protocols import ReadStore

MOST_COMMITS = 200
_AT_ONCE = 8

Lines = tuple[int, int]


async def blame(
    store: ReadStore, org: str, top: str, path: str, *, wanted: Lines | None = None, project_id: str | None = None
) -> Blame:
    """The origins of lines of a file: ``path`` below the working tree ``top``; ``wanted`` first and last, from 1.

    Lines in a row that have one origin are told together. git is asked for nothing but objects; where it cannot answer,
    a note says so, and edit calls alone decide. Edit calls are those of the project of the repository, or of
    ``project_id``; "" is any.
    """
    named, path = path, await asyncio.to_thread(_itself, top, path)
    lines = await asyncio.to_thread(_read, os.path.join(top, path))
    numbers = _numbers(wanted, len(lines))
    notes: list[str] = []
    commits = await _commits(top, path, lines, numbers, notes)
    links = await _links(store, org, {commit.sha for commit in commits.values() if commit.sha}, notes)
    if project_id is None:
        project_id = await project_at(store, org, top)
    paths = [path, named, *dict.fromkeys(commit.path for commit in commits.values())]
    history = await edits_of(store, org, project_id, paths)
    if history.left_out:
        notes.append(f"{history.left_out} edit calls before the last {MOST_CALLS} were not looked at")
    judge = _Judge(lines, history.edits, commits, links)
    told = _joined([await _alone(judge, number) for number in numbers])
    places = [(one.session_id, one.message_ordinal) for one in told if one.session_id]
    prompts = await prompts_before(store, org, places)
    found = []
    for one in told:
        prompt = prompts.get((one.session_id, one.message_ordinal))
        found.append(changed(one, prompt_ordinal=prompt.ordinal, prompt=prompt.content) if prompt else one)
    return Blame(path, found, notes)


async def _alone(judge: _Judge, number: int) -> BlamedLines:
    """One line; others may work in between, for a long file takes a while."""
    if number % 100 == 0:
        await asyncio.sleep(0)
    return judge.told(number)


class _Judge:
    """Decides line by line between what git and what the edit calls say."""

    def __init__(
        self, lines: list[str], edits: list[Edit], commits: dict[int, Commit], links: dict[str, GitLinkResult]
    ) -> None:
        self._edits, self._commits, self._links = edits, commits, links
        self._chooser = Chooser(lines, edits, replay(edits))

    def told(self, number: int) -> BlamedLines:
        """The origin of the line with this number."""
        commit = self._commits.get(number)
        link = self._links.get(commit.sha) if commit else None
        session = link.session_id if link else ""
        choice = self._chooser.choose(number - 1, until=commit.when if commit else None, session_id=session)
        sha = commit.sha if commit else ""
        if choice.edit < 0:
            return self._by_link(number, sha, link, choice.reason)
        edit = self._edits[choice.edit]
        confidence, reason = choice.confidence, choice.reason
        if link and edit.session_id != link.session_id and confidence == "high":
            confidence, reason = "medium", "an edit call wrote this line, and another session committed it"
        return BlamedLines(
            first=number, last=number, confidence=confidence, reason=reason, commit=sha,
            session_id=edit.session_id, message_ordinal=edit.message_ordinal, tool_use_id=edit.tool_use_id,
            call_index=edit.call_index, tool_name=edit.tool_name, touched_at=edit.when,
        )  # fmt: skip

    @staticmethod
    def _by_link(number: int, sha: str, link: GitLinkResult | None, why: str) -> BlamedLines:
        if link is None:
            reason = f"{why}, and its commit is linked to no session" if sha else why
            return BlamedLines(first=number, last=number, reason=reason, commit=sha)
        return BlamedLines(
            first=number, last=number, confidence="medium", commit=sha, session_id=link.session_id,
            reason=f"the session made the commit; {why}", message_ordinal=link.message_ordinal,
            touched_at=link.started_at,
        )  # fmt: skip


def _itself(top: str, path: str) -> str:
    """The path of the file that a link of this working tree leads to, as of ``CLAUDE.md`` to ``AGENTS.md``."""
    try:
        real = os.path.relpath(os.path.realpath(os.path.join(top, path)), os.path.realpath(top))
    except ValueError:  # no path has a NUL
        return path
    return path if real.startswith(os.pardir) else pathlib.PurePath(real).as_posix()


def _read(path: str) -> list[str]:
    try:
        if os.path.getsize(path) > LARGEST or not os.path.isfile(path):
            raise InvalidArgumentError("it is no file, or larger than 4 MiB", field="path")
        with open(path, "rb") as file:
            return lines_of(file.read(LARGEST + 1))
    except FileNotFoundError:
        raise NotFoundError("there is no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidArgumentError):
            raise
        raise InvalidArgumentError(f"the file cannot be read: {error}", field="path") from None


def _numbers(wanted: Lines | None, total: int) -> range:
    first, last = wanted or (1, total)
    if wanted and not 1 <= first <= last <= total:
        named = f"is no line {first}" if first == last else f"are no lines {first} to {last}"
        raise InvalidArgumentError(f"there {named}: the file has {total}", field="line")
    return range(first, last + 1)


async def _commits(top: str, path: str, lines: list[str], numbers: range, notes: list[str]) -> dict[int, Commit]:
    """The commits of those lines that are as they were committed."""
    try:
        committed = await lines_at_head(top, path)
    except GitError as error:
        notes.append(f"git tells nothing of it: {error}")
        return {}
    at_head = {here + 1: there + 1 for there, here in common(committed, lines) if here + 1 in numbers}
    try:
        found = await commits_of(top, path, at_head.values(), len(committed))
        if any(commit.is_oldest for commit in found.values()) and await is_shallow(top):
            notes.append("the clone is shallow: lines of the oldest commit that it has may be of any before it")
            found = {at: one._replace(sha="") if one.is_oldest else one for at, one in found.items()}
    except GitError as error:
        notes.append(f"git blame failed: {error}")
        return {}
    return {here: found[there] for here, there in at_head.items() if there in found}


async def _links(store: ReadStore, org: str, shas: Iterable[str], notes: list[str]) -> dict[str, GitLinkResult]:
    """The sessions that made these commits."""
    wanted = sorted(shas)
    if len(wanted) > MOST_COMMITS:
        notes.append(f"links of {MOST_COMMITS} of {len(wanted)} commits were looked up: ask for fewer lines")
    gate = asyncio.Semaphore(_AT_ONCE)

    async def looked_up(sha: str) -> list[GitLinkResult]:
        async with gate:
            return await store.lookup_git_links(org, sha=sha)

    found = await asyncio.gather(*(looked_up(sha) for sha in wanted[:MOST_COMMITS]))
    return {sha: links[0] for sha, links in zip(wanted, found, strict=False) if links}


class _Origin(NamedTuple):
    """What lines in a row must have in common to be told together."""

    confidence: str
    reason: str
    commit: str
    session_id: str
    message_ordinal: int
    tool_use_id: str
    call_index: int
    touched_at: dt.datetime | None


def _origin(one: BlamedLines) -> _Origin:
    return _Origin(*(getattr(one, name) for name in _Origin._fields))


def _joined(lines: list[BlamedLines]) -> list[BlamedLines]:
    found: list[BlamedLines] = []
    for line in lines:
        if found and _origin(found[-1]) == _origin(line):
            found[-1] = changed(found[-1], last=line.last)
        else:
            found.append(line)
    return found
