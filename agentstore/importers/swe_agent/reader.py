"""A run of SWE-agent as rows.

What becomes a message: the task (the first message of role ``user`` that is no demonstration), of role "user"; and
each step, of role "assistant": its thought, and its action as a tool call with the observation as its result. Steps
and history tell the same twice; the steps are complete, the history has the ids of calls. What SWE-agent shows the
model besides (system prompt, demonstrations, errors of earlier tries) is counted and kept out. A step without an
action is the end that SWE-agent adds after an error: its observation is a message of role "system".

In a file with a history alone nothing was run. Its messages are shown, and its actions are no tool calls.

The messages of a step's query (``messages`` up to 1.0, ``query`` since) repeat all that was said before, on each
step: they are read only where there is no history.

Tokens are known for the run only (``info.model_stats``), and stand at the last response, so that they are counted;
what was in the context at most nobody knows. There are no times.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agentstore.importers.conversation import Conversation, OpenMessage, Usage, tokens
from agentstore.importers.git_remotes import Remote, remote_of
from agentstore.importers.jsonl import Record, Report, read_values, to_json
from agentstore.importers.money import nanodollars
from agentstore.importers.swe_agent.actions import call_of, calls_of
from agentstore.importers.swe_agent.runs import SWE_AGENT, Run, records_of, text_at, text_in
from agentstore.importers.tools import describe_call, text_of

_LOOKED_AHEAD = 4
_SWE_BENCH = re.compile(r"([\w.-]{1,100}?)__([\w.-]{1,100})-\d{1,7}")


class About(msgspec.Struct):
    """What a run tells of itself, besides what is said in it."""

    cwd: str = ""
    remote: Remote = Remote()
    title: str = ""
    model: str = ""
    has_context: bool = False


class RunReader:
    """Turns a run of SWE-agent into messages and calls."""

    def __init__(self, run: Run, stem: str, report: Report) -> None:
        self.conversation = Conversation()
        self.skipped: dict[str, int] = {}
        self.unknown: dict[str, int] = {}
        self._report = report
        self._document = run.document
        self._history = records_of(run.document.get("history"))
        self._steps = run.steps
        self.about = _about(run, stem)
        self._calls = calls_of(self._history)
        self._next = 0

    def read(self, session_id: str) -> None:
        self._take_history()
        last: OpenMessage | None = None
        for number, step in enumerate(self._steps):
            try:
                last = self._take_step(step, f"{session_id}:{number}") or last
            except RecursionError:
                self._report(0, f"step {number}: nested too deeply")
        if last and (usage := _usage(self._document.get("info"))):
            self.conversation.spend(last, usage)

    def _take_history(self) -> None:
        has_task = False
        entries = self._history or (self._query() if self._steps else [])
        for entry in entries:
            role, text = entry.get("role"), text_in(entry.get("content"))
            if entry.get("is_demo") is True:
                self._skip("history/demonstration")
            elif role == "user" and not has_task:
                has_task = True
                if text.strip():
                    self.conversation.add("user", text)
            elif role == "assistant" and not self._steps:
                self._show(entry, text)
            elif role in ("assistant", "user", "tool", "system"):
                self._skip(f"history/{role}")
            else:
                label = f"history/{role}" if isinstance(role, str) and len(role) < 80 else "history/(no role)"
                self.unknown[label] = self.unknown.get(label, 0) + 1

    def _query(self) -> list[Record]:
        first = self._steps[0]
        return records_of(first.get("query") or first.get("messages"))

    def _show(self, entry: Record, text: str) -> None:
        """A response of a demonstration: what it would do is said, and was not done."""
        shown = [text]
        action, calls = entry.get("action"), records_of(entry.get("tool_calls"))
        if isinstance(action, str) and calls:
            name, arguments, _ = call_of(action, calls[0])
            shown.append(describe_call(name, arguments))
        self.conversation.add("assistant", "\n".join(filter(None, shown)))

    def _take_step(self, step: Record, source_id: str) -> OpenMessage | None:
        action, observation = text_of(step, "action"), text_in(step.get("observation"))
        said = text_of(step, "thought") or text_of(step, "response")
        called, thoughts = self._called(action)
        if not (action.strip() or said.strip()):
            if observation.strip():
                self.conversation.add("system", observation)
            return None
        message = self.conversation.add("assistant", "", source_id=source_id, model=self.about.model)
        for thought in thoughts:
            self.conversation.think(message, thought)
        self.conversation.say(message, said.strip("\n"))
        if action.strip():
            name, arguments, id = call_of(action, called)
            call = self.conversation.call(message, id, name, arguments)
            if "observation" in step:
                self.conversation.answer_of(call, observation)
        elif observation.strip():
            self.conversation.add("system", observation)
        return message

    def _called(self, action: str) -> tuple[Record | None, list[str]]:
        """What the history has of a step: its call and its thoughts. Of tries that failed it may have more."""
        for place in range(self._next, min(self._next + _LOOKED_AHEAD, len(self._calls))):
            written, called, entry = self._calls[place]
            if written.strip() == action.strip():
                self._next = place + 1
                blocks = records_of(entry.get("thinking_blocks"))
                return called, [text for block in blocks if (text := text_of(block, "thinking"))]
        return None, []

    def _skip(self, label: str) -> None:
        self.skipped[label] = self.skipped.get(label, 0) + 1


def _usage(info: Any) -> Usage | None:
    stats = info.get("model_stats") if isinstance(info, dict) else None
    if not isinstance(stats, dict):
        return None
    return Usage(
        input=tokens(stats.get("tokens_sent")),
        output=tokens(stats.get("tokens_received")),
        raw=to_json(stats),
        cost=nanodollars(stats.get("instance_cost")),
    )


def _about(run: Run, stem: str) -> About:
    config = run.document.get("replay_config")
    if isinstance(config, str):
        values = read_values(config.encode("utf-8", errors="replace"), lambda _line, _reason: None)
        config = values[0] if values else None
    problem = text_at(config, "problem_statement", "id")
    instance = problem or stem
    remote = remote_of(text_at(config, "env", "repo", "github_url"))
    if not remote and (named := _SWE_BENCH.fullmatch(instance)):
        # As SWE-bench names its tasks: owner__repository-number.
        remote = remote_of(f"https://github.com/{named.group(1)}/{named.group(2)}")
    return About(
        cwd=next((cwd for step in run.steps[:50] if (cwd := _working_dir(step.get("state")))), ""),
        remote=remote,
        title=instance if run.agent == SWE_AGENT and instance != "full" else "",
        model=text_at(config, "agent", "model", "name"),
    )


def _working_dir(state: Any) -> str:
    """Up to 1.0 the state is JSON in a text."""
    if isinstance(state, str):
        values = read_values(state.encode("utf-8", errors="replace")[:65536], lambda _line, _reason: None)
        state = values[0] if values else None
    found = text_at(state, "working_dir")
    return "" if found == "n/a" else found
