"""Antigravity's own transcripts: the lines of one file become one session.

``~/.gemini/antigravity-cli/brain/<conversation>/.system_generated/logs/transcript.jsonl``, in which long texts are cut
(``truncated_fields``), and ``transcript_full.jsonl`` beside it, which has them whole (the desktop's are in
``~/.gemini/antigravity`` and ``antigravity-ide``). A line is a step: ``{step_index, source, type, status, created_at,
content?, thinking?, tool_calls?: [{name, args}]}``. Seen in two real files that another project (warden) publishes, in
verbatim lines of others, and read the same way by half a dozen public parsers; none of them lies here.

* ``USER_INPUT`` of source ``USER_EXPLICIT``: a prompt, in ``<USER_REQUEST>``; what stands around it is the program's. A
  change of the model is told there, and nowhere else
* ``PLANNER_RESPONSE``: one message; its calls have no ids, and their results are the next steps of other types
  (``RUN_COMMAND``, ``CODE_ACTION``, ``VIEW_FILE``, ``GENERIC`` …), one after the other: the first result is that of the
  first call without one. (Checked on the real lines; that several calls are answered in their order is what other
  parsers take for granted, too.)
* ``INVOKE_SUBAGENT``: the result of a call that started conversations, and their ids
* ``SYSTEM_MESSAGE``, ``ERROR_MESSAGE``: messages of role "system"; checkpoints and histories are kept out

Tokens come from the database beside (``usage``). What is not here, since nobody shows it for sure: conversations that
have no transcript (the same database has their steps as protobuf without a published schema; older ones are encrypted
``.pb``). They have no rows, rather than guessed ones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import msgspec

from agentstore.importers.antigravity.steps import (
    KEPT_OUT,
    MODEL,
    SHOWN,
    SUBAGENT,
    USER,
    arguments_of,
    chosen_model,
    has_failed,
    is_unfinished,
    notice_text,
    result_text,
    started_in,
    typed_text,
)
from agentstore.importers.antigravity.usage import Generation
from agentstore.importers.conversation import Conversation, Memory, OpenMessage
from agentstore.importers.jsonl import BOM, Record, read_records
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState, StaleStateError
from agentstore.importers.times import parse_time
from agentstore.importers.tools import text_of
from agentstore.models import Session

_MOST_UNANSWERED = 200
_MOST_KINDS = 50


class FileMemory(msgspec.Struct, array_like=True):
    """What is remembered of a transcript between two pieces of it."""

    conversation: Memory
    skipped: dict[str, int] = {}
    unknown: dict[str, int] = {}
    unanswered: list[str] = []  # the ids of the last response's calls that have no result
    model: str = ""
    cwd: str = ""
    highest: int = -1  # the greatest step so far


class StepReader:
    """Takes the lines of a transcript in order and gives its rows, piece by piece. See ``pieces.LinesReader``."""

    def __init__(
        self,
        file: str,
        session: Callable[[str, Conversation], Session],
        generations: Mapping[int, Generation],
        user_id: str,
        state: ImportState | None = None,
    ) -> None:
        self.lines = state.line if state else 0
        self._file = file
        self._session = session
        self._generations = generations
        self._user_id = user_id
        self._held = _unpacked(state.memory) if state else FileMemory(Memory())
        self._conversation = Conversation(self._held.conversation)
        self._problems: list[ImportProblem] = []
        self._pieces = 1 if state and state.offset else 0
        self._id = session("", self._conversation).id
        if state:
            self._spend_late()

    def memory(self) -> bytes:
        self._held.conversation = self._conversation.held()
        return msgspec.msgpack.encode(self._held)

    def _spend_late(self) -> None:
        """What responses cost whose tokens were not yet in the database when they were read."""
        for message in self._conversation.opened():
            number = message.source_id.rpartition(":")[2].partition("@")[0]
            generation = self._generations.get(int(number)) if number.isdecimal() else None
            if generation and message.role == "assistant" and not message.usage.raw:
                message.model = message.model or generation.model
                self._conversation.spend(message, generation.usage)

    # --- steps -------------------------------------------------------------------------------------------------------

    def take(self, data: bytes, *, complete: bool = True) -> None:
        first = self.lines
        body = data.removeprefix(BOM) if not first else data
        for number, record in read_records(body, lambda line, reason: self._report(first + line, reason)):
            try:
                self._take(record)
            except RecursionError:
                self._report(first + number, "nested too deeply")
        self.lines += data.count(b"\n") + (not complete)

    def skip_line(self) -> None:
        self.lines += 1
        self._report(self.lines, "a line that is too long, skipped")

    def _report(self, line: int, reason: str) -> None:
        self._problems.append(ImportProblem(self._file, line, reason))

    def _take(self, step: Record) -> None:
        kind, content, held = text_of(step, "type"), text_of(step, "content"), self._held
        written = text_of(step, "created_at")
        moment = parse_time(written)
        self._conversation.see_time(moment, written)
        index = step.get("step_index")
        number = index if type(index) is int and 0 <= index < 2**31 else held.highest + 1
        if kind in (USER, MODEL) and number <= held.highest:
            self._count(held.skipped, "step/again")
            return
        held.highest = max(held.highest, number)
        if kind == USER:
            self._take_input(step, number, content, moment)
        elif kind == MODEL:
            self._take_response(step, number, content, moment)
        elif kind in SHOWN and step.get("source") != "MODEL":
            if notice := notice_text(content).strip("\n"):
                self._conversation.add("system", notice, moment, source_id=self._source(number, moment))
        elif kind in KEPT_OUT:
            self._count(held.skipped, kind)
        elif not kind:
            self._count(held.unknown, "(no type)")
        else:
            self._take_result(step, number, kind, content, moment)

    def _take_input(self, step: Record, number: int, content: str, moment: dt.datetime | None) -> None:
        self._held.model = chosen_model(content) or self._held.model
        typed = typed_text(content)
        if not typed.strip():
            self._count(self._held.skipped, "USER_INPUT/empty")
            return
        by_person = text_of(step, "source") in ("", "USER_EXPLICIT")
        role = "user" if by_person else "system"
        self._conversation.add(role, typed, moment, source_id=self._source(number, moment))

    def _take_response(self, step: Record, number: int, content: str, moment: dt.datetime | None) -> None:
        thinking, listed = text_of(step, "thinking").strip(), step.get("tool_calls")
        calls = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        self._held.unanswered = []
        if not (thinking or content.strip() or calls or number in self._generations):
            self._count(self._held.skipped, "PLANNER_RESPONSE/empty")
            return
        generation = self._generations.get(number)
        model = self._held.model or (generation.model if generation else "")
        message = self._conversation.add("assistant", "", moment, source_id=self._source(number, moment), model=model)
        if generation:
            self._conversation.spend(message, generation.usage)
        if thinking:
            self._conversation.think(message, thinking)
        self._conversation.say(message, content)
        self._take_calls(message, number, calls)

    def _take_calls(self, message: OpenMessage, number: int, calls: list[Record]) -> None:
        held = self._held
        for place, call in enumerate(calls):
            arguments = arguments_of(call.get("args"))
            held.cwd = held.cwd or text_of(arguments, "Cwd")
            self._conversation.be_in(held.cwd)
            id = f"step-{number}-{place}"  # the agent gives none
            self._conversation.call(message, id, text_of(call, "name") or "unknown", arguments)
            if len(held.unanswered) < _MOST_UNANSWERED:
                held.unanswered.append(id)

    def _take_result(self, step: Record, number: int, kind: str, content: str, moment: dt.datetime | None) -> None:
        if is_unfinished(step):
            self._count(self._held.skipped, "result/unfinished")
            return
        listed = step.get("tool_calls")
        if not self._held.unanswered and isinstance(listed, list):
            # Some versions write the call into the step of its result, and into no response.
            calls = [one for one in listed if isinstance(one, dict)]
            if calls:
                source = self._source(number, moment)
                model = self._held.model
                message = self._conversation.add("assistant", "", moment, source_id=source, model=model)
                self._take_calls(message, number, calls)
        call = self._conversation.waiting(self._held.unanswered.pop(0)) if self._held.unanswered else None
        if call is None:
            self._count(self._held.skipped, f"{kind[:80]}/without a call")
            return
        if kind == SUBAGENT and (started := started_in(content)):
            self._conversation.starts(call, f"{self._id.partition(':')[0]}:{started[0]}")
        result = result_text(content)
        self._conversation.answer_of(call, result, is_error=has_failed(step, result), moment=moment)

    def _source(self, number: int, moment: dt.datetime | None) -> str:
        """A step by its number and time, which it has in each copy of the conversation: those that diverged have others
        under the same number."""
        if moment is None:
            return f"{self._id}:{number}"
        return f"{self._id.partition('~')[0]}:{number}@{round(moment.timestamp() * 1000)}"

    def _count(self, counts: dict[str, int], label: str) -> None:
        label = label if label in counts or len(counts) < _MOST_KINDS else "(others)"
        counts[label] = counts.get(label, 0) + 1

    # --- rows --------------------------------------------------------------------------------------------------------

    def report(self, reason: str) -> None:
        """Something is wrong with the file as a whole."""
        self._report(0, reason)

    def piece(self, state: ImportState) -> ImportResult:
        session = self._session(self._held.cwd, self._conversation)
        messages, calls, links = self._conversation.rows(session.id, self._user_id)
        problems, self._problems = self._problems, []
        self._pieces += 1
        return ImportResult(
            file=self._file,
            sessions=self._conversation.totals(session),
            messages=messages,
            tool_calls=calls,
            git_links=links,
            file_touches=self._conversation.file_touches(session.id),
            problems=problems,
            skipped_records=dict(self._held.skipped),
            unknown_records=dict(self._held.unknown),
            piece=self._pieces - 1,
            state=state,
        )


def _unpacked(packed: bytes) -> FileMemory:
    try:
        return msgspec.msgpack.decode(packed, type=FileMemory)
    except msgspec.MsgspecError as error:
        raise StaleStateError(f"what the state remembers cannot be read: {error}") from error
