"""The tool calls of one Claude Code session: each once, joined with its result and its subagent.

A call is held until its result came (a call that starts a subagent until its result named it). So is a result without a
call, since it may precede it. What is held is bounded: beyond that the oldest is let go, and stays as it was reported.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable

import msgspec

from agentstore.importers.claude_code.identity import LONGEST_ID, subagent_id
from agentstore.importers.claude_code.known import Known, digest
from agentstore.importers.claude_code.lines import Line, lenient, value_of
from agentstore.importers.git_links import FoundLink, links_in
from agentstore.importers.git_remotes import Seen, seen_in
from agentstore.importers.jsonl import REFUSED
from agentstore.importers.tools import category, skill_name, text_of
from agentstore.importers.tools import starts_subagent as _starts_subagent
from agentstore.models import GitLink, ToolCall

HELD_CALLS = 200
HELD_RESULTS = 50
HELD_CHARACTERS = 2_000_000  # of all of them
_AGENT_IN_RESULT = re.compile(r"\bagentId: ([\w-]+)")
_TASK_NOTIFICATION = re.compile(r"<task-id>([\w-]+)</task-id>\s*<tool-use-id>([^<\s]+)</tool-use-id>")


starts_subagent = functools.lru_cache(1000)(_starts_subagent)


class Outcome(msgspec.Struct, gc=False):
    """What ``toolUseResult`` says about the subagent that a call started."""

    agentId: str | None = None


_decode_outcome = msgspec.json.Decoder(Outcome).decode


def _agent_in(line: Line) -> str:
    if not bytes(line.toolUseResult).startswith(b"{"):
        return ""
    try:
        return _decode_outcome(line.toolUseResult).agentId or ""
    except REFUSED:
        value = value_of(line.toolUseResult)
        return lenient(Outcome, value).agentId or "" if isinstance(value, dict) else ""


class Result(msgspec.Struct, array_like=True, gc=False):
    """What a tool answered."""

    text: str
    is_error: bool
    timestamp: dt.datetime | None
    agent_id: str = ""


class Call(msgspec.Struct, array_like=True, gc=False):
    """A tool call; ``index`` is its position among the calls of its message.

    ``agent_id``: the subagent that it started, as its result says (``is_sure``) or another record.
    """

    message_ordinal: int
    index: int
    id: str
    name: str
    input_json: str
    result: Result | None = None
    agent_id: str = ""
    is_sure: bool = False
    line_uuid: str = ""

    def characters(self) -> int:
        return len(self.input_json) + (len(self.result.text) if self.result else 0)

    def take_agent(self, agent_id: str) -> None:
        # What the result itself says has precedence; of others the first stands.
        self.agent_id = self.agent_id or agent_id

    def to_row(self, session_id: str, root: str) -> ToolCall:
        result = self.result.text if self.result else ""
        return ToolCall(
            session_id=session_id,
            message_ordinal=self.message_ordinal,
            tool_use_id=self.id,
            call_index=self.index,
            tool_name=self.name,
            tool_category=category(self.name),
            input_json=self.input_json,
            skill_name=self._skill(result),
            result_content=result,
            result_content_length=len(result) if self.result else None,
            is_error=self.result is not None and self.result.is_error,
            subagent_session_id=self._subagent(result, root),
        )

    def arguments(self) -> object:
        # Decoded again for the few that need it, so that what is held, and kept in the state, is one text.
        return value_of(self.input_json.encode("utf-8", errors="replace"))

    def _skill(self, result: str) -> str:
        named = self.name in ("Skill", "skill")
        return skill_name(self.name, self.arguments(), result) if named or "SKILL.md" in self.input_json else ""

    def _subagent(self, result: str, root: str) -> str:
        # Only of tools that start subagents: other results may quote such a line, from a log or a transcript.
        if not starts_subagent(self.name):
            return ""
        named = None if self.agent_id else _AGENT_IN_RESULT.search(result)
        agent_id = named.group(1) if named else self.agent_id
        return subagent_id(root, agent_id) if 0 < len(agent_id) <= LONGEST_ID else ""


class CallsMemory(msgspec.Struct, array_like=True):
    """What is held of the calls of a session."""

    calls: dict[int, Call] = {}  # by the number of their turn; those that wait
    results: dict[str, Result] = {}  # by tool_use_id; those that precede their call
    agent_ids: dict[str, str] = {}  # likewise
    next: int = 0
    links: dict[int, bool] = {}  # by digest: whether the best proof was found
    unsent: list[GitLink] = []  # found before anybody spoke: there is no session yet


class Calls:
    """All calls of a file in order. A result may come before its call, hours after it, twice, or never.

    ``count_orphan`` is told of results without a call: 1 for each that comes, -1 for each whose call comes after it;
    ``see_remote`` of the remote of the repository, where a call printed it.
    """

    def __init__(
        self,
        memory: CallsMemory,
        known: Known,
        count_orphan: Callable[[int], None],
        see_remote: Callable[[Seen], None],
    ) -> None:
        self.memory = memory
        self._known = known
        self._count_orphan = count_orphan
        self._see_remote = see_remote
        self._turns = {call.id: turn for turn, call in memory.calls.items() if call.id}
        self._held = sum(call.characters() for call in memory.calls.values())
        self._held += sum(len(result.text) for result in memory.results.values())
        self._changed: dict[int, Call] = {}
        self._links = {digest(link.commit_sha, link.pr_url): link for link in memory.unsent}

    def number(self, tool_id: str) -> int:
        """What to know a call by, if it is new; 0 if it is known."""
        if tool_id in self._turns:
            return 0
        number = digest("tool", tool_id)
        return 0 if number in self._known else number

    def add(self, call: Call, number: int, line_uuid: str) -> None:
        memory = self.memory
        turn = memory.next
        memory.next = turn + 1
        memory.calls[turn] = self._changed[turn] = call
        self._held += len(call.input_json)
        if not call.id:
            call.line_uuid = line_uuid
        else:
            self._known.add(number)
            self._turns[call.id] = turn
            if memory.agent_ids:
                call.take_agent(memory.agent_ids.pop(call.id, ""))
            if memory.results and (early := memory.results.pop(call.id, None)):
                self._held -= len(early.text)
                self._count_orphan(-1)
                self._answer(turn, early)
        if len(memory.calls) > HELD_CALLS or self._held > HELD_CHARACTERS:
            self._let_go()

    def take_result(self, tool_id: str, line: Line, result: Result) -> None:
        """A result belongs to the call with its id; without an id, to a waiting call of the line that it names."""
        turn = self._turns.get(tool_id) if tool_id else self._turn_without_id(line)
        if turn is None or starts_subagent(self.memory.calls[turn].name):
            result.agent_id = _agent_in(line)
        if turn is not None:
            self._answer(turn, result)
        elif not tool_id:
            self._count_orphan(1)
        elif tool_id not in self.memory.results and digest("tool", tool_id) not in self._known:
            self.memory.results[tool_id] = result
            self._held += len(result.text)
            self._count_orphan(1)
            self._let_go()

    def _turn_without_id(self, line: Line) -> int | None:
        # Nothing tells which call of that line it answers: it goes to the first one that still waits.
        named = line.sourceToolAssistantUUID or ""
        waiting = (
            turn
            for turn, call in self.memory.calls.items()
            if not call.id and call.line_uuid == named and call.result is None
        )
        return next(waiting, None)

    def _answer(self, turn: int, result: Result) -> None:
        """Of two results the first stands, but a later one may name the subagent."""
        call = self.memory.calls[turn]
        self._changed[turn] = call
        if result.agent_id:
            call.agent_id, call.is_sure = result.agent_id, True
        if call.result is None:
            call.result = result
            self._held += len(result.text)
            if category(call.name) == "Bash" or call.name.endswith("create_pull_request"):
                self._learn(call, result)
        if call.is_sure or not starts_subagent(call.name):
            self._forget(turn)

    def _learn(self, call: Call, result: Result) -> None:
        """What the answer to a command proves: few do, and only those are looked at closely."""
        text = call.input_json
        if "git" in text or "gh" in text or "glab" in text or category(call.name) != "Bash":
            arguments = call.arguments()
            for found in links_in(call.name, arguments, result.text, is_error=result.is_error):
                self._take_link(call.message_ordinal, result.timestamp, found)
            if "git" in text and (seen := seen_in(text_of(arguments, "command", "cmd"), result.text)):
                self._see_remote(seen)

    def _forget(self, turn: int) -> None:
        call = self.memory.calls.pop(turn)
        if call.id:
            del self._turns[call.id]
        self._held -= call.characters()

    def _let_go(self) -> None:
        memory = self.memory
        while len(memory.calls) > HELD_CALLS or (self._held > HELD_CHARACTERS and len(memory.calls) > 1):
            self._forget(next(iter(memory.calls)))
        while len(memory.results) > HELD_RESULTS or (self._held > HELD_CHARACTERS and len(memory.results) > 1):
            self._held -= len(memory.results.pop(next(iter(memory.results))).text)

    def take_agent(self, tool_id: str, agent_id: str) -> None:
        """Another record than the result says which subagent a call started."""
        if not tool_id or not agent_id:
            return
        turn = self._turns.get(tool_id)
        if turn is not None:
            self.memory.calls[turn].take_agent(agent_id)
            self._changed[turn] = self.memory.calls[turn]
        elif digest("tool", tool_id) not in self._known:
            self.memory.agent_ids.setdefault(tool_id, agent_id)
            if len(self.memory.agent_ids) > HELD_RESULTS:
                self.memory.agent_ids.pop(next(iter(self.memory.agent_ids)))

    def take_notifications(self, said: str) -> None:
        """A ``<task-notification>`` names the subagent and the call that started it."""
        if "<task-id>" in said:
            for agent_id, tool_id in _TASK_NOTIFICATION.findall(said):
                self.take_agent(tool_id, agent_id)

    def take_pull_request(self, ordinal: int, moment: dt.datetime | None, url: str | None) -> None:
        if url:
            self._take_link(ordinal, moment, FoundLink("pr", "high", pr_url=url))

    def _take_link(self, ordinal: int, moment: dt.datetime | None, found: FoundLink) -> None:
        """Each commit and pull request once, by its best proof: the first of these."""
        key = digest(found.commit_sha, found.pr_url)
        is_best = found.confidence == "high"
        known = self.memory.links.get(key)
        if known is None or (is_best and not known):
            self.memory.links[key] = is_best
            self._links[key] = GitLink(
                "",
                found.link_type,
                found.confidence,
                message_ordinal=ordinal,
                commit_sha=found.commit_sha,
                pr_url=found.pr_url,
                detected_at=moment,
            )

    def changed(self, session_id: str, root: str) -> list[ToolCall]:
        """The rows that are new or have changed since this was called last; ``root`` as in ``Identity``."""
        rows = [call.to_row(session_id, root) for _, call in sorted(self._changed.items())]
        self._changed.clear()
        return rows

    def held(self, *, has_session: bool) -> CallsMemory:
        self.memory.unsent = [] if has_session else list(self._links.values())
        return self.memory

    def changed_links(self, session_id: str, user_id: str) -> list[GitLink]:
        links = [msgspec.structs.replace(link, session_id=session_id, user_id=user_id) for link in self._links.values()]
        self._links.clear()
        return links
