"""Reads the events of one Copilot CLI session in order.

=====================================================  ===============================================================
event                                                  becomes
=====================================================  ===============================================================
``user.message``, ``source`` "" or "user"              a message of role "user"; "system" where the program or another
                                                       session wrote it (``<system_notification>``,
                                                       ``<cross_session_message>`` around the text)
``user.message``, ``source`` "agent-…"                 the first prompt of a subagent, where it can be told whose
``user.message``, ``source`` "skill-…" and             nothing: bodies of skills and instructions
"instruction-discovery"
``user.message``, any other ``source``                 a message of role "system" (autopilot, system)
``assistant.message``                                  a message of role "assistant"; chunks of one API call are one
``assistant.reasoning``                                the thinking of the message that follows, or of the one before
``tool.execution_complete``                            the result of the call that ``toolRequests`` named
``tool.execution_start``                               nothing: what it says stands in ``toolRequests``
``tool.user_requested``                                a message of role "system": a person ran a tool
``session.compaction_complete``                        its summary as a message of role "system", with its tokens
``session.usage_record``, ``assistant.usage``          the tokens of a response
``session.shutdown``, ``session.usage_checkpoint``     what is told of tokens by nobody else, as a message (``usage``)
``session.start``, ``resume``, ``context_changed``,    facts of the session
``model_change``, ``auto_mode_resolved``,
``title_changed``
=====================================================  ===============================================================

All else is kept out and counted by type. An event with ``parentToolCallId``, or with the ``agentId`` of a subagent,
belongs to the subagent that this call started: its messages become a session of their own,
``<session>:agent-<call>``.

How sure this is. Read in public source: the types of all events (github/copilot-sdk, generated from the program's
schema, of 2026-08), how agentsview and specstory read them, the fixtures of jazzyalex/agent-sessions, and single lines
of real files in other projects' tests (that of ``subagent.started``, whose ``agentId`` is the call's id, and of
``session.usage_record``: ``usage`` {model, inputTokens with cache, …, apiCallId}). A subagent whose own id is another
one, and is told nowhere, is taken for the only one that has said nothing yet. No large real file was at hand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec

from agentstore.importers.conversation import Usage
from agentstore.importers.copilot.memory import Told, unpacked
from agentstore.importers.copilot.part import Part, model_of, result_of
from agentstore.importers.copilot.parts import Parts
from agentstore.importers.copilot.usage import Counted, model_name, sums_of, usage_of
from agentstore.importers.importer import Options
from agentstore.importers.jsonl import MAX_LINE_BYTES, Record, read_records, to_json
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState
from agentstore.importers.times import parse_time
from agentstore.importers.tools import describe_call, text_of
from agentstore.models import GitLink, Message, Session, ToolCall

AGENT = "copilot"
_MOST_TYPES = 200
_MOST_NAME = 300
# The types of the program's schema that say nothing about the conversation, by what their names begin with.
_KEPT_OUT = (
    "abort", "assistant.", "auto_mode_switch.", "capabilities.", "command.", "commands.", "elicitation.",
    "exit_plan_mode.", "external_tool.", "factory.", "hook.", "mcp.", "mcp_app.", "model.", "pending_messages.",
    "permission.", "sampling.", "session.", "session_limits_exhausted.", "skill.", "subagent.", "system.", "tool.",
    "tool_search.", "ui.", "user_input.",
)  # fmt: skip


class EventsReader:
    """Takes the lines of one file in order and gives its rows, piece by piece."""

    def __init__(
        self,
        file: str,
        session_id: str,
        title: str,
        options: Options,
        repositories: Repositories,
        state: ImportState | None = None,
    ) -> None:
        self.lines = state.line if state else 0
        self._pieces = 1 if state and state.offset else 0
        self._file, self._title, self._options, self._repositories = file, title, options, repositories
        self._problems: list[ImportProblem] = []
        memory = self._memory = unpacked(state)
        self._facts, self._ledger = memory.facts, memory.ledger
        self._parts = Parts(session_id, memory)
        self._main = self._parts.main
        self._takers: dict[str, Callable[[Record, Record, dt.datetime | None], None]] = {
            "user.message": self._take_user,
            "assistant.message": self._take_assistant,
            "assistant.reasoning": lambda event, data, _: self._parts.of(event, data).take_thought(
                text_of(data, "content")
            ),
            "assistant.turn_end": lambda event, data, _: self._parts.of(event, data).end_turn(self._ledger),
            "assistant.usage": self._take_usage,
            "session.usage_record": self._take_usage,
            "session.usage_checkpoint": self._take_sums,
            "session.shutdown": self._take_shutdown,
            "session.compaction_complete": self._take_compaction,
            "tool.execution_complete": self._take_result,
            "tool.user_requested": self._take_request,
            "subagent.started": self._take_subagent,
            "session.start": self._take_start,
            "session.resume": self._take_resume,
            "session.context_changed": lambda _event, data, _: self._facts.see_context(data),
            "session.model_change": self._take_model,
            "session.auto_mode_resolved": self._take_model,
            "session.title_changed": self._take_title,
        }

    # --- lines -------------------------------------------------------------------------------------------------------

    def take(self, data: bytes, *, complete: bool = True) -> None:
        """Whole lines; or the last one, whose end is missing (``complete``)."""
        first = self.lines
        for number, event in read_records(data, lambda line, reason: self._report(first + line, reason)):
            try:
                self._take(event)
            except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
                self._report(first + number, "nested too deeply")
        if complete:
            self.lines += data.count(b"\n")

    def skip_line(self) -> None:
        self.lines += 1
        self._report(self.lines, f"a line of more than {MAX_LINE_BYTES:,} bytes, skipped")

    def _report(self, line: int, reason: str) -> None:
        self._problems.append(ImportProblem(self._file, line, reason))

    def _take(self, event: Record) -> None:
        kind, data = event.get("type"), event.get("data")
        kind = kind[:_MOST_NAME] if isinstance(kind, str) else ""
        if not kind or not isinstance(data, dict) or event.get("ephemeral") is True:
            self._count(self._memory.unknown if not kind else self._memory.skipped, kind)
            return
        written = text_of(event, "timestamp")[:64]
        moment = parse_time(written)
        self._main.conversation.see_time(moment, written)
        taker = self._takers.get(kind)
        if taker is not None:
            taker(event, data, moment)
        else:
            known = kind.startswith(_KEPT_OUT)
            self._count(self._memory.skipped if known else self._memory.unknown, kind)

    @staticmethod
    def _count(counts: dict[str, int], kind: str) -> None:
        if kind in counts or len(counts) < _MOST_TYPES:
            counts[kind] = counts.get(kind, 0) + 1

    def _take_subagent(self, event: Record, data: Record, _moment: dt.datetime | None) -> None:
        self._count(self._memory.skipped, "subagent.started")
        self._parts.start(event, data)

    # --- messages ----------------------------------------------------------------------------------------------------

    def _take_user(self, event: Record, data: Record, moment: dt.datetime | None) -> None:
        text = text_of(data, "content") or _attached(data.get("attachments"))
        source = text_of(data, "source").strip()
        if not text.strip():
            return
        if source.startswith("skill-") or source == "instruction-discovery" or text.startswith("<skill-context"):
            self._count(self._memory.skipped, "user.message/injected")
            return
        part = self._parts.of(event, data)
        if source.startswith("agent-") and part is self._main:
            part = self._parts.of_instance(source)
        is_typed = source in ("", "user") and data.get("isAutopilotContinuation") is not True
        is_prompt = is_typed and not _is_others(text, text_of(data, "transformedContent"))
        # What a subagent was asked is its prompt, as in the files of other agents' subagents.
        role = "user" if is_prompt or part is not self._main else "system"
        part.take_prompt(event, role, text, moment, self._ledger)
        self._parts.link(part)

    def _take_assistant(self, event: Record, data: Record, moment: dt.datetime | None) -> None:
        part = self._parts.of(event, data)
        part.take_response(event, data, model_of(data, self._facts.model), moment, self._ledger)
        self._parts.link(part)

    def _take_result(self, event: Record, data: Record, moment: dt.datetime | None) -> None:
        id = text_of(data, "toolCallId")[:_MOST_NAME]
        for part in self._parts.all():
            if (call := part.conversation.waiting(id)) is not None:
                failed = data.get("success") is False
                part.conversation.answer_of(call, result_of(data), is_error=failed, moment=moment)
                return
        self._count(self._memory.skipped, "tool.execution_complete")

    def _take_request(self, event: Record, data: Record, moment: dt.datetime | None) -> None:
        name = text_of(data, "toolName")[:_MOST_NAME]
        if name:
            text = describe_call(name, data.get("arguments"))
            self._parts.of(event, data).take_prompt(event, "system", text, moment, self._ledger)

    def _take_compaction(self, event: Record, data: Record, moment: dt.datetime | None) -> None:
        part, used = self._parts.of(event, data), data.get("compactionTokensUsed")
        usage = usage_of(used) if isinstance(used, dict) else Usage()
        summary = text_of(data, "summaryContent")
        if summary or usage.output or usage.context:
            model = model_of(used, self._facts.model) if isinstance(used, dict) else ""
            self._ledger.count(model, usage)
            part.add_usage(summary, usage, model, part.source_id(event.get("id")), moment)

    # --- tokens ------------------------------------------------------------------------------------------------------

    def _take_usage(self, event: Record, data: Record, moment: dt.datetime | None) -> None:
        part, used = self._parts.of(event, data), data.get("usage")
        used = used if isinstance(used, dict) else data
        usage, request = usage_of(used), text_of(used, "apiCallId")
        if usage.output or usage.context:
            told = Told(usage, model_of(used, self._facts.model), part.source_id(request or event.get("id")), moment)
            part.take_usage(told, request, self._ledger)

    def _take_shutdown(self, event: Record, data: Record, moment: dt.datetime | None) -> None:
        self._take_sums(event, data, moment)
        self._ledger.begin_part()

    def _take_sums(self, event: Record, data: Record, moment: dt.datetime | None) -> None:
        self._count(self._memory.skipped, str(event["type"]))
        for part in self._parts.all():
            part.settle(self._ledger)
        sums = sums_of(data, self._facts.model)
        if not sums:
            return
        id = self._main.source_id(event.get("id"))
        for model, rest in self._ledger.rest(sums).items():
            usage = Usage(*_fields(rest), to_json(msgspec.structs.asdict(rest)), is_sum=True)
            self._main.add_usage(f"[Usage: {model}]", usage, model, f"{id}:usage:{model}" if id else "", moment)

    # --- facts -------------------------------------------------------------------------------------------------------

    def _take_start(self, _event: Record, data: Record, _moment: dt.datetime | None) -> None:
        self._facts.see_context(data.get("context"))
        self._facts.model = model_name(data.get("selectedModel")) or self._facts.model
        parent = text_of(data, "detachedFromSpawningParentSessionId")[:_MOST_NAME]
        self._facts.parent = self._facts.parent or parent
        started = text_of(data, "startTime")
        self._main.conversation.see_time(parse_time(started), started)

    def _take_resume(self, _event: Record, data: Record, _moment: dt.datetime | None) -> None:
        self._count(self._memory.skipped, "session.resume")
        self._facts.see_context(data.get("context"))
        self._facts.model = model_name(data.get("selectedModel")) or self._facts.model
        if data.get("sessionWasActive") is not True:
            self._ledger.begin_part()

    def _take_model(self, _event: Record, data: Record, _moment: dt.datetime | None) -> None:
        self._facts.model = model_name(data.get("newModel") or data.get("chosenModel")) or self._facts.model

    def _take_title(self, _event: Record, data: Record, _moment: dt.datetime | None) -> None:
        self._facts.title = text_of(data, "title")[:_MOST_NAME] or self._facts.title

    # --- rows --------------------------------------------------------------------------------------------------------

    def memory(self) -> bytes:
        self._parts.hold()
        return msgspec.msgpack.encode(self._memory)

    def piece(self, state: ImportState) -> ImportResult:
        sessions: list[Session] = []
        messages: list[Message] = []
        calls: list[ToolCall] = []
        links: list[GitLink] = []
        for part in self._parts.all():
            sessions += part.conversation.totals(self._session(part))
            new = part.conversation.rows(part.session_id, self._options.user_id)
            messages += new[0]
            calls += new[1]
            links += new[2]
        problems, self._problems = self._problems, []
        self._pieces += 1
        return ImportResult(
            file=self._file,
            sessions=sessions,
            messages=messages,
            tool_calls=calls,
            git_links=links,
            problems=problems,
            skipped_records=dict(self._memory.skipped),
            unknown_records=dict(self._memory.unknown),
            piece=self._pieces - 1,
            state=state,
        )

    def _session(self, part: Part) -> Session:
        facts, options, main = self._facts, self._options, self._main
        project = self._repositories.project(facts.cwd, facts.remote, is_sure=bool(facts.remote))
        is_main = part is main
        parent = f"{AGENT}:{facts.parent}" if facts.parent else ""
        return Session(
            id=part.session_id,
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=options.machine,
            agent_type=AGENT,
            parent_session_id=parent if is_main else main.session_id,
            relationship_type=("continuation" if parent else "") if is_main else "subagent",
            display_name=(self._title or facts.title) if is_main else part.title,
            git_branch=facts.branch,
        )


def _fields(counted: Counted) -> tuple[int, int, int, int]:
    return counted.input, counted.cache_read, counted.cache_write, counted.output


def _is_others(text: str, transformed: str) -> bool:
    """Whether the program or another session wrote what looks like a prompt. A prompt may quote the words."""
    if text.lstrip().startswith(("<system_notification", "<system-notification", "<cross_session_message")):
        return True
    return "<cross_session_message" in transformed.replace(text, "")


def _attached(attachments: Any) -> str:
    names = [text_of(one, "displayName", "path") for one in attachments] if isinstance(attachments, list) else []
    return "\n".join(f"[Attachment: {name}]" for name in names[:100] if name)
