"""The tool calls of one Claude Code session: each once, joined with its result and its subagent."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from agentstore.importers.claude_facts import text
from agentstore.importers.git_links import FoundLink, links_in
from agentstore.importers.jsonl import Record, to_json
from agentstore.importers.projects import parse_time
from agentstore.importers.prompts import result_text
from agentstore.importers.tools import category, skill_name, starts_subagent
from agentstore.models import GitLink, ToolCall

_AGENT_IN_RESULT = re.compile(r"\bagentId: ([\w-]+)")
_TASK_NOTIFICATION = re.compile(r"<task-id>([\w-]+)</task-id>\s*<tool-use-id>([^<\s]+)</tool-use-id>")


@dataclasses.dataclass(slots=True)
class Result:
    """What a tool answered."""

    text: str
    is_error: bool
    timestamp: dt.datetime | None


@dataclasses.dataclass(slots=True, eq=False)
class Call:
    """A tool call; ``index`` is its position among the calls of its message."""

    message_ordinal: int
    index: int
    id: str
    name: str
    arguments: Any
    result: Result | None = None

    def to_row(self, session_id: str, agent_id: str) -> ToolCall:
        result = self.result.text if self.result else ""
        return ToolCall(
            session_id=session_id,
            message_ordinal=self.message_ordinal,
            tool_use_id=self.id,
            call_index=self.index,
            tool_name=self.name,
            tool_category=category(self.name),
            input_json=to_json(self.arguments),
            skill_name=skill_name(self.name, self.arguments, result),
            result_content=result,
            result_content_length=len(result) if self.result else None,
            is_error=self.result is not None and self.result.is_error,
            subagent_session_id=self._subagent(result, agent_id),
        )

    def _subagent(self, result: str, agent_id: str) -> str:
        # Only of tools that start subagents: other results may quote such a line, from a log or a transcript.
        if not starts_subagent(self.name):
            return ""
        named = None if agent_id else _AGENT_IN_RESULT.search(result)
        agent_id = named.group(1) if named else agent_id
        return f"agent-{agent_id}" if agent_id else ""


class Calls:
    """All calls of a file in order. A result may come before its call, hours after it, twice, or never."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._by_id: dict[str, Call] = {}
        self._by_line: dict[str, list[Call]] = {}  # those without an id, by the uuid of their line
        self._results: dict[str, Result] = {}  # by tool_use_id; of two results the first stands
        self._agent_ids: dict[str, str] = {}  # by tool_use_id
        self._pull_requests: list[tuple[int, dt.datetime | None, FoundLink]] = []
        self._unmatched = 0

    def __contains__(self, tool_id: str) -> bool:
        return tool_id in self._by_id

    def add(self, call: Call, line_uuid: str) -> None:
        self._calls.append(call)
        if call.id:
            self._by_id[call.id] = call
        else:
            self._by_line.setdefault(line_uuid, []).append(call)

    def take_result(self, record: Record, block: Record) -> None:
        """A result belongs to the call with its id; without an id, to a waiting call of the line that it names."""
        content = block.get("content", block.get("text"))
        moment = parse_time(record.get("timestamp"))
        result = Result(result_text(content), block.get("is_error") is True, moment)
        if tool_id := text(block, "tool_use_id"):
            self._results.setdefault(tool_id, result)
            if agent_id := text(record.get("toolUseResult"), "agentId"):
                self._agent_ids[tool_id] = agent_id
            return
        # Nothing tells which call of that line it answers: it goes to the first one that still waits.
        candidates = self._by_line.get(text(record, "sourceToolAssistantUUID"), [])
        waiting = next((call for call in candidates if call.result is None), None)
        if waiting:
            waiting.result = result
        else:
            self._unmatched += 1

    def take_agent(self, tool_id: str, agent_id: str) -> None:
        # What the result itself says has precedence, and is written over this; see ``take_result``.
        if tool_id and agent_id:
            self._agent_ids.setdefault(tool_id, agent_id)

    def take_notifications(self, said: str) -> None:
        """A ``<task-notification>`` names the subagent and the call that started it."""
        for agent_id, tool_id in _TASK_NOTIFICATION.findall(said):
            self.take_agent(tool_id, agent_id)

    def take_pull_request(self, ordinal: int, record: Record) -> None:
        if url := text(record, "prUrl"):
            moment = parse_time(record.get("timestamp"))
            self._pull_requests.append((ordinal, moment, FoundLink("pr", "high", pr_url=url)))

    def join(self) -> int:
        """Give every call its result; returns how many results have no call here."""
        for call in self._calls:
            call.result = call.result or self._results.get(call.id)
        return self._unmatched + len(self._results.keys() - self._by_id.keys())

    def rows(self, session_id: str) -> list[ToolCall]:
        return [call.to_row(session_id, self._agent_ids.get(call.id, "")) for call in self._calls]

    def git_links(self, session_id: str, user_id: str) -> list[GitLink]:
        """Each commit and pull request once, by its best proof."""
        best: dict[tuple[str, str], GitLink] = {}
        for ordinal, moment, found in self._found_links():
            link = GitLink(
                session_id,
                *found[:2],
                user_id=user_id,
                message_ordinal=ordinal,
                detected_at=moment,
                commit_sha=found.commit_sha,
                pr_url=found.pr_url,
            )
            known = best.setdefault((link.commit_sha, link.pr_url), link)
            # It takes the place of the weaker one: the links stay in the order of the file.
            if (known.confidence, link.confidence) == ("medium", "high"):
                best[link.commit_sha, link.pr_url] = link
        return list(best.values())

    def _found_links(self) -> Iterator[tuple[int, dt.datetime | None, FoundLink]]:
        for call in self._calls:
            if call.result:
                for found in links_in(call.name, call.arguments, call.result.text, is_error=call.result.is_error):
                    yield call.message_ordinal, call.result.timestamp, found
        yield from self._pull_requests
