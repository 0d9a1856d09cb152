"""A run of mini-SWE-agent as rows: read in its source (2.x, and 1.x in others' copies) and documentation.

``messages`` are those of the model's interface, with ``extra`` beside what was sent:

* ``system``: kept out; the first ``user``: the task; ``exit``, and later ones of ``user``, are the program's (a
  command's output where no call was made, a format error), unless ``extra.interrupt_type`` says that a person
  interrupted
* ``assistant``, or an object ``response`` of OpenAI's newer interface: ``extra.actions`` (``{command,
  tool_call_id?}``), ``extra.response`` (the response, with ``usage``), ``extra.timestamp`` (seconds). Versions before
  2 have no actions: the command is the one block of ``bash`` in the text
* what came back: ``tool`` (``tool_call_id``), ``function_call_output`` (``call_id``), or the next message of role
  ``user``; ``extra.raw_output`` is the output without what is written around it for the model

The tokens are those of litellm's ``usage``: ``prompt_tokens`` with what was read from and written to the cache,
``completion_tokens`` with reasoning. What a response cost is ``extra.cost``, what the run did
``info.model_stats.instance_cost``; versions before 2 have the latter alone.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

import msgspec

from agentstore.importers.conversation import Conversation, OpenCall, OpenMessage, Usage, tokens
from agentstore.importers.jsonl import Record, Report, to_json
from agentstore.importers.money import nanodollars
from agentstore.importers.swe_agent.actions import BASH
from agentstore.importers.swe_agent.reader import About
from agentstore.importers.swe_agent.runs import Run, is_response, records_of, text_at, text_in
from agentstore.importers.tools import text_of

_BLOCK = re.compile(r"```(?:bash|mswea_bash_command)[ \t]{0,99}\n")
_END_OF_BLOCK = "\n```"
_SPOKEN = ("UserInterruption", "UserNewTask", "UserRejection")  # no set: what is looked for in it may be anything


class MiniReader:
    """Turns a run of mini-SWE-agent into messages and calls."""

    def __init__(self, run: Run, report: Report) -> None:
        self.conversation = Conversation()
        self.skipped: dict[str, int] = {}
        self.unknown: dict[str, int] = {}
        self._messages = run.steps
        self._report = report
        self._unanswered: list[OpenCall] = []  # calls without an id
        info = run.document.get("info")
        config = info.get("config") if isinstance(info, dict) else None
        self.about = About(
            cwd=text_at(config, "environment", "cwd"),
            title=text_of(run.document, "instance_id"),
            model=text_at(config, "model", "model_name"),
            has_context=True,
        )
        self._session_id = ""
        stats = info.get("model_stats") if isinstance(info, dict) else None
        self._rest = nanodollars(stats.get("instance_cost")) if isinstance(stats, dict) else 0
        self._last: OpenMessage | None = None

    def read(self, session_id: str) -> None:
        self._session_id = session_id
        has_task = False
        for number, message in enumerate(self._messages):
            try:
                has_task = self._take(number, message, has_task=has_task)
            except RecursionError:
                self._report(0, f"message {number}: nested too deeply")
        if self._rest > 0 and (last := self._last):
            usage = last.usage
            self.conversation.spend(last, msgspec.structs.replace(usage, cost=usage.cost + self._rest))

    def _take(self, number: int, message: Record, *, has_task: bool) -> bool:
        extra = message.get("extra")
        extra = extra if isinstance(extra, dict) else {}
        moment = _moment(extra.get("timestamp", message.get("timestamp")))
        self.conversation.see_time(moment)
        role, kind = message.get("role"), message.get("type")
        if is_response(message):
            self._take_response(number, message, extra, moment)
        elif role == "tool" or kind == "function_call_output":
            id = text_of(message, "tool_call_id") or text_of(message, "call_id")
            text = text_in(message.get("content", message.get("output")))
            self._answer(self.conversation.waiting(id), text, extra, moment)
        elif role == "user":
            self._take_refused(number, extra, moment)
            self._take_user(message, extra, moment, has_task=has_task)
            return True
        elif role == "exit":
            if text := text_in(message.get("content")):
                self.conversation.add("system", text, moment)
        elif role == "system":
            self.skipped["message/system"] = self.skipped.get("message/system", 0) + 1
        else:
            label = role if isinstance(role, str) and len(role) < 80 else "(no role)"
            self.unknown[label] = self.unknown.get(label, 0) + 1
        return has_task

    def _take_user(self, message: Record, extra: Record, moment: dt.datetime | None, *, has_task: bool) -> None:
        text = text_in(message.get("content"))
        if not has_task or extra.get("interrupt_type") in _SPOKEN:
            if text.strip():
                self.conversation.add("user", text, moment)
        elif self._unanswered:
            self._answer(self._unanswered[0], text, extra, moment)
        elif text.strip():
            self.conversation.add("system", text, moment)

    def _take_refused(self, number: int, extra: Record, moment: dt.datetime | None) -> None:
        """A response that was paid for and could not be read as an action: only the complaint about it has it."""
        response = extra.get("response")
        choices = records_of(response.get("choices")) if isinstance(response, dict) else []
        if choices and isinstance(said := choices[0].get("message"), dict):
            told: Record = {"response": response, "actions": [], "cost": extra.get("cost")}
            self._take_response(number, said, told, moment)

    def _take_response(self, number: int, message: Record, extra: Record, moment: dt.datetime | None) -> None:
        response = extra.get("response")
        response = response if isinstance(response, dict) else message
        id = text_of(response, "id")
        model = text_of(response, "model") or self.about.model
        source_id = id or f"{self._session_id}:{number}"
        added = self.conversation.add("assistant", "", moment, source_id=source_id, model=model)
        self._say(added, message)
        self._unanswered = []
        text = text_in(message.get("content"))
        actions = extra.get("actions")
        listed = records_of(actions) if isinstance(actions, list) else _blocks(text)
        for action in listed:
            call_id = text_of(action, "tool_call_id")
            arguments = {name: value for name, value in action.items() if name != "tool_call_id"}
            call = self.conversation.call(added, call_id, BASH, arguments)
            if not call_id:
                self._unanswered.append(call)
        usage = usage_of(_usage_in(response), nanodollars(extra.get("cost")))
        self.conversation.spend(added, usage)
        self._rest -= usage.cost
        self._last = added

    def _say(self, added: OpenMessage, message: Record) -> None:
        thought = text_of(message, "reasoning_content")
        if thought:
            self.conversation.think(added, thought)
        self.conversation.say(added, text_in(message.get("content")))
        for item in records_of(message.get("output")):
            if item.get("type") == "reasoning":
                self.conversation.think(added, text_in(item.get("summary")))
            elif item.get("type") == "message":
                self.conversation.say(added, text_in(item.get("content")))

    def _answer(self, call: OpenCall | None, text: str, extra: Record, moment: dt.datetime | None) -> None:
        if call is None:
            self.skipped["tool/orphan"] = self.skipped.get("tool/orphan", 0) + 1
            return
        if call in self._unanswered:
            self._unanswered.remove(call)
        code, printed = extra.get("returncode"), extra.get("raw_output")
        failed = type(code) is int and code != 0
        # What the command printed; what stands around it was written for the model.
        text = printed if isinstance(printed, str) else text
        self.conversation.answer_of(call, text, is_error=failed, moment=moment)


def _blocks(text: str) -> list[Record]:
    """The command of a response that has one block of shell, no more and no less. (A pattern for all of a block would
    look for its end from each beginning anew.)"""
    found: list[str] = []
    position = 0
    while len(found) < 2 and (begin := _BLOCK.search(text, position)):
        # The newline before the command may be the one before the end: an empty block.
        position = text.find(_END_OF_BLOCK, begin.end() - 1)
        if position < 0:
            break
        found.append(text[begin.end() : position])
        position += len(_END_OF_BLOCK)
    return [{"command": found[0].strip()}] if len(found) == 1 else []


def _usage_in(response: Record) -> Any:
    """The usage of a response, and the tier that it was served in, which stands beside it."""
    usage, tier = response.get("usage"), response.get("service_tier")
    if isinstance(usage, dict) and isinstance(tier, str) and "service_tier" not in usage:
        return {**usage, "service_tier": tier}
    return usage


def usage_of(value: Any, cost: int = 0) -> Usage:
    """What litellm says that a response cost, in either of its two spellings."""
    if not isinstance(value, dict):
        return Usage(cost=cost)
    details = value.get("prompt_tokens_details", value.get("input_tokens_details"))
    read = tokens(value.get("cache_read_input_tokens")) or tokens(
        details.get("cached_tokens") if isinstance(details, dict) else None
    )
    written = tokens(value.get("cache_creation_input_tokens"))
    given = tokens(value.get("prompt_tokens")) or tokens(value.get("input_tokens"))
    said = tokens(value.get("completion_tokens")) or tokens(value.get("output_tokens"))
    if not value.get("prompt_tokens") and ("cache_read_input_tokens" in value or written):
        given += read + written  # Anthropic's own spelling, without what went through the cache
    reasoning = value.get("completion_tokens_details", value.get("output_tokens_details"))
    thought = tokens(reasoning.get("reasoning_tokens") if isinstance(reasoning, dict) else None)
    total = tokens(value.get("total_tokens"))
    if thought > said or (thought and total == given + said + thought):
        said += thought  # beside the output, as of Gemini in some versions of litellm
    return Usage(max(given - read - written, 0), read, written, said, to_json(value), cost=cost)


def _moment(value: Any) -> dt.datetime | None:
    """Seconds since 1970."""
    if type(value) not in (int, float) or not 0 < value < 7.3e9 or not math.isfinite(value):
        return None
    return dt.datetime.fromtimestamp(value, dt.UTC)
