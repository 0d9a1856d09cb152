"""What the results of a conversation's calls prove: commits and requests, the repository's remote, touched files."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import msgspec

from agentstore.importers.file_touches import TouchingCall, may_touch, touches_in
from agentstore.importers.git_links import FoundLink, links_in, may_link
from agentstore.importers.git_remotes import Seen, seen_in
from agentstore.importers.running import Running, later, note
from agentstore.importers.shell_text import command_of
from agentstore.models import FileTouch, GitLink

_MOST_REMOTES = 8


class Answered(Protocol):
    """A call with what is known of it."""

    ordinal: int
    index: int
    id: str
    name: str
    input_json: str
    result: str | None
    is_error: bool

    def arguments(self) -> object: ...


class Remembered(Protocol):
    """What is remembered of proofs between two pieces of a file."""

    links: dict[str, bool]
    seen: list[Seen]
    running: Running
    cwd: str
    root: str


class Proofs:
    """Takes the calls that were answered, in order."""

    def __init__(self, memory: Remembered) -> None:
        self._memory = memory
        self._links: dict[str, GitLink] = {}  # new since the last piece, as the next
        self._touching: list[TouchingCall] = []

    def take(self, call: Answered, moment: dt.datetime | None) -> None:
        """A call that has its result."""
        if may_link(call.name, call.input_json):
            self._learn(call, moment)
        if self._memory.running and (command := later(self._memory.running, call.input_json)):
            self._find_links(call, "bash", {"command": command}, moment)
        if not call.is_error and may_touch(call.name):
            self.touch(call, moment)

    def _learn(self, call: Answered, moment: dt.datetime | None) -> None:
        arguments, result = call.arguments(), call.result or ""
        self._find_links(call, call.name, arguments, moment)
        note(self._memory.running, arguments, result)
        command, seen = command_of(arguments), self._memory.seen
        if "git" in command and (told := seen_in(command, result)) and len(seen) < _MOST_REMOTES:
            seen.append(told)

    def _find_links(self, call: Answered, name: str, arguments: object, moment: dt.datetime | None) -> None:
        for found in links_in(name, arguments, call.result or "", is_error=call.is_error):
            self.link(call.ordinal, found, moment)

    def link(self, ordinal: int, found: FoundLink, moment: dt.datetime | None) -> None:
        """Each commit and pull request once, by its best proof: the first of these."""
        key, is_best = found.commit_sha or found.pr_url, found.confidence == "high"
        known = self._memory.links.get(key)
        if known is None or (is_best and not known):
            self._memory.links[key] = is_best
            self._links[key] = found.row(ordinal, moment)

    def touch(self, call: Answered, moment: dt.datetime | None) -> None:
        """A call that did what it says with files."""
        if touched := touches_in(call.name, call.input_json, call.result or ""):
            place = (self._memory.cwd, self._memory.root)
            self._touching.append(TouchingCall(call.ordinal, call.index, call.id, moment, touched, *place))

    def links(self, session_id: str, user_id: str) -> list[GitLink]:
        """The links that are new or have changed since this was called last."""
        links, self._links = self._links, {}
        return [msgspec.structs.replace(one, session_id=session_id, user_id=user_id) for one in links.values()]

    def touches(self, session_id: str, cwd: str) -> list[FileTouch]:
        """Likewise the touched files; ``cwd`` is where the session ran, where nothing else told it."""
        touching, self._touching = self._touching, []
        return [row for call in touching for row in call.rows(session_id, cwd)]
