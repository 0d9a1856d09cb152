"""One conversation while it is being read: records in, rows out, and what has to be remembered between them.

An older response is closed (``window``). Blocks that come for it later are mostly a replay and known as such;
one that was never seen becomes a message of its own, without tokens: nothing is lost, and ordinals never move.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

import msgspec

from agentstore.importers.claude_code.blocks import block_text, blocks_of, result_text
from agentstore.importers.claude_code.calls import Calls, Result
from agentstore.importers.claude_code.known import Known, digest
from agentstore.importers.claude_code.lines import Block, Line, Said
from agentstore.importers.claude_code.memory import Context, Memory, add
from agentstore.importers.claude_code.outputs import STUB, whole_output
from agentstore.importers.claude_code.prompts import Speaker, first_line, is_message_of_others, read_prompt, speaker_of
from agentstore.importers.claude_code.rows import Draft
from agentstore.importers.claude_code.titles import Titles
from agentstore.importers.claude_code.window import Window
from agentstore.importers.jsonl import to_json
from agentstore.importers.money import nanodollars_in
from agentstore.importers.times import parse_time
from agentstore.models import FileTouch, GitLink, Message, ToolCall

_METADATA = frozenset({"cwd", "version", "gitBranch", "slug"})  # what a record that is written again may change
_NO_PROMPT = re.compile(r"\s*<[a-z]{1,30}-notification\b")  # of the program; it queues them as well


class Conversation:
    """Takes the records of one conversation in order."""

    def __init__(self, memory: Memory, context: Context, titles: Mapping[str, str]) -> None:
        self._memory = memory
        self._context = context
        self._known = Known(memory.known)
        self.facts = memory.facts
        self.titles = Titles(memory.titles, titles)
        self.calls = Calls(
            memory.calls,
            self._known,
            lambda number: context.skip("tool_result/orphan", number),
            lambda seen: self.facts.see_remote(seen, self._cwd),
            lambda: self.facts.cwd,
        )
        self.window = Window(memory, self._known)
        self.moment: dt.datetime | None = None  # of the record at hand, as the two that follow
        self._written: str | None = None
        self._cwd = ""

    def memory(self) -> bytes:
        """All that is remembered, on its own: later records do not change it."""
        memory = self._memory
        memory.titles, memory.known = self.titles.held(), self._known.packed()
        memory.calls = self.calls.held(has_session=memory.messages > 0)
        memory.drafts = list(self.window.open.values())
        return msgspec.msgpack.encode(memory)

    def see(self, line: Line) -> None:
        """Every record, also of those that are kept out: they have times and directories, too."""
        facts, written = self.facts, line.timestamp
        # Much is as on the line before.
        if written != self._written:
            self._written = written
            self.moment = moment = parse_time(written) if written else None
            if moment and not (facts.started and facts.ended and facts.started <= moment <= facts.ended):
                facts.see_time(moment, written or "")
        self._cwd = line.cwd or ""
        if line.gitBranch != facts.git_branch or not facts.cwd:
            facts.see_place(line)

    def see_uuids(self, uuids: list[str]) -> None:
        """The ids of records, which may be those that a title is for. Their order counts, not what stands between."""
        if title := self.titles.see(uuids):
            self.facts.summary = title

    def see_summary(self, line: Line) -> None:
        if title := self.titles.take(line.leafUuid or "", line.summary or ""):
            self.facts.summary = title

    # --- people ----------------------------------------------------------------------------------------------------

    def take_user(self, line: Line) -> None:
        if self.facts.sidechain is None:
            self.facts.see_speaker(line)
        content = line.message.content if line.message else None
        if content is None:
            self._context.report("user record without message content")
            return
        spoken = []
        # Results are taken also from lines that are kept out below: their calls would look as if nothing came back.
        for block in content if isinstance(content, list) else blocks_of(content):
            if block.type is not None and block.type.endswith("tool_result"):
                self._take_result(line, block)
            else:
                spoken.append(block)
        if line.isMeta is True and not _is_of_others(line, spoken):
            self._context.skip("user/meta")
        elif spoken:
            self.add_prompt(line, spoken, injected=line.isCompactSummary is True or self._is_inline(line))

    def _is_inline(self, line: Line) -> bool:
        """Whether the line is of a sidechain inside the file of another session: the agent wrote the prompts there."""
        return line.isSidechain is True and not self.facts.sidechain

    def add_prompt(self, line: Line, blocks: list[Block], *, injected: bool = False, attached: bool = False) -> None:
        fresh = self._fresh(line, blocks)
        said = "\n".join(filter(None, map(block_text, fresh)))
        if not said.strip():
            self._context.skip("user/replayed or empty")
            return
        self.calls.take_notifications(said)
        prompt = read_prompt(said, injected=injected, speaker=_speaker(line))
        twin = None
        if self._memory.queue.waiting or self._memory.queue.removed:
            written = prompt.content if said != prompt.content else "\n".join(block.text or "" for block in fresh)
            twin = self._memory.queue.twin(written, self.moment, is_attachment=attached)
        if twin is not None:
            self._complete(twin, line, prompt.content)
            return
        self.window.new(prompt.role, line.uuid or "", self.moment, [prompt.content])
        if prompt.role == "user":
            self._count_typed(prompt.typed)

    def _count_typed(self, typed: str) -> None:
        self._memory.typed += 1
        if self._memory.typed == 1:
            self._memory.first_message = first_line(typed)

    def _complete(self, ordinal: int, line: Line, content: str) -> None:
        """A prompt from the queue has come again as a line of its own, which may have images, and has an id."""
        self._context.skip("user/queued before")
        draft = self.window.open.get(ordinal)
        if draft is not None:
            draft.source_id = line.uuid or ""
            draft.parts = [content]
            self.window.changed[ordinal] = draft

    def take_queue(self, line: Line) -> None:
        """See ``queue``."""
        queue, said = self._memory.queue, result_text(line.content)
        self.calls.take_notifications(said)
        self._context.skip("queue-operation")
        if line.operation == "enqueue":
            queue.put(said)
        elif line.operation == "popAll":
            queue.clear()
        elif line.operation in ("remove", "dequeue") and (text := queue.take(said)):
            self._take_queued(line, text)

    def _take_queued(self, line: Line, text: str) -> None:
        # A dequeued command is carried out by the program, and is a prompt only if it prompts the model. One that was
        # taken out while the model worked was given to the model, as text.
        is_command = line.operation == "dequeue" and text.startswith("/")
        prompt = read_prompt(f"<command-name>{text}</command-name>" if is_command else text)
        if prompt.role != "user" or _NO_PROMPT.match(text) or not self._fresh(line, [Block("text", text)]):
            return
        is_dequeued = line.operation == "dequeue"
        self._memory.queue.became(text, self._memory.messages, self.moment, is_dequeued=is_dequeued)
        self.window.new("user", "", self.moment, [text])
        self._count_typed(text)

    def take_total(self, line: Line) -> None:
        self._context.skip("cost-state")
        self.window.take_total(nanodollars_in(bytes(line.totalCostUSD).decode("ascii", "replace")))

    def add_system(self, line: Line, content: str, *, injected: bool) -> None:
        if self._fresh(line, [Block(content=content)]):
            shown = read_prompt(content, injected=injected).content
            self.window.new("system", line.uuid or "", self.moment, [shown])

    def _fresh(self, line: Line, blocks: list[Block]) -> list[Block]:
        """The blocks that no earlier line said at the same instant: a file may be written again into itself.

        A replay has new uuids, may split a prompt's blocks over lines, and may change ``cwd``, ``version`` and the
        like. Where the time is missing, only a second copy of the whole record counts as one.
        """
        if self.moment is None:
            whole = {key: value for key, value in self._context.whole().items() if key not in _METADATA}
            keys = [digest("record", to_json(whole))] * len(blocks)
        else:
            moment = line.timestamp or ""
            keys = [digest("said", moment, _written(block)) for block in blocks]
        # All of them before any is noted: one record may say the same thing twice, and without a time all its blocks
        # have one key.
        fresh = [block for key, block in zip(keys, blocks, strict=True) if key not in self._known]
        self._known.update(keys)
        return fresh

    # --- the model -------------------------------------------------------------------------------------------------

    def take_assistant(self, line: Line) -> None:
        if self.facts.sidechain is None:
            self.facts.see_speaker(line)
        message = line.message
        if message is None:
            self._context.report("assistant record without message")
            return
        if message.misshapen:
            self._context.report("assistant message whose content is neither text nor blocks")
        source_id = message.id or line.uuid or ""
        window = self.window
        draft = window.responses.get(source_id) or window.new_response(source_id, self.moment)
        if draft is None:
            self._take_late(line, message, source_id)
            return
        window.changed[draft.ordinal] = draft
        if message.model and not draft.model:
            draft.model = message.model
        usage = bytes(message.usage)
        if usage != draft.usage:
            draft.take_usage(usage)
        if cost := bytes(line.costUSD):
            window.take_cost(draft, nanodollars_in(cost.decode("ascii", "replace")))
        content = message.content
        if isinstance(content, list) and len(content) == 1:
            if key := self._take_block(line, draft, content[0], source_id):
                draft.seen.add(key)
        else:
            # Only what earlier lines said is a replay: one line may well say the same thing twice.
            draft.seen.update([self._take_block(line, draft, block, source_id) for block in blocks_of(content)])

    def _take_late(self, line: Line, message: Said, source_id: str) -> None:
        """A line of a response that is closed."""
        fresh = [block for block in blocks_of(message.content) if not self._is_late_replay(block, source_id)]
        if not fresh:
            return
        draft = self.window.new("assistant", line.uuid or "", self.moment, [])
        draft.model = message.model or ""
        self._known.update([self._take_block(line, draft, block, source_id) for block in fresh])

    def _is_late_replay(self, block: Block, source_id: str) -> bool:
        kind = block.type or ""
        if kind.endswith("tool_use"):
            if block.id:
                return not self.calls.number(block.id)
            return digest(source_id, "call", block.name or "", to_json(block.input)) in self._known
        return (
            kind.endswith("tool_result") or digest(source_id, kind, block.thinking or block.text or "") in self._known
        )

    def _take_block(self, line: Line, draft: Draft, block: Block, source_id: str) -> int:
        """Add a block to its response, unless it is a replay. Returns what to know it by; 0 for a call with an id."""
        kind = block.type or ""
        if kind.endswith("tool_use"):
            return self._take_call(line, draft, block, source_id)
        key = digest(source_id, kind, block.thinking or block.text or "")
        part = ""
        if kind == "text":
            part = block.text or ""
        elif kind == "thinking" or kind == "redacted_thinking":
            draft.has_thinking = True
            part = f"[Thinking]\n{block.thinking}\n[/Thinking]" if block.thinking else ""
        elif kind.endswith("tool_result"):
            self._take_result(line, block)
        else:
            part = block_text(block)
            if not part:
                add(self._context.unknown, f"block/{kind}")
        if part and key not in draft.seen:
            draft.parts.append(part)
        return key

    def _take_call(self, line: Line, draft: Draft, block: Block, source_id: str) -> int:
        # Calls are known across the whole file by their id; without one only within the response, by name and input.
        name = block.name or ""
        if block.id:
            if number := self.calls.number(block.id):
                self.calls.add(draft.new_call(block.id, name, block.input), number, line.uuid or "", self._cwd)
            return 0
        key = digest(source_id, "call", name, to_json(block.input))
        if key not in draft.seen:
            self.calls.add(draft.new_call("", name, block.input), 0, line.uuid or "", self._cwd)
        return key

    def _take_result(self, line: Line, block: Block) -> None:
        tool_id, content = block.tool_use_id or "", block.content
        text = content if isinstance(content, str) else result_text(block.text if content is None else content)
        if text.startswith(STUB):
            text = whole_output(text, tool_id, line.toolUseResult, self._context.read_output)
        self.calls.take_result(tool_id, line, Result(text, block.is_error is True, self.moment))

    # --- rows ------------------------------------------------------------------------------------------------------

    def changed(self, session_id: str, root: str) -> tuple[list[Message], list[ToolCall]]:
        """The rows that are new or have changed since this was called last."""
        return self.window.rows(session_id), self.calls.changed(session_id, root)

    def changed_links(self, session_id: str, user_id: str) -> list[GitLink]:
        return self.calls.changed_links(session_id, user_id) if self._memory.messages else []

    def changed_touches(self, session_id: str) -> list[FileTouch]:
        return self.calls.changed_touches(session_id)

    def add_link(self, line: Line) -> None:
        self.facts.see_request(line.prUrl or "")
        self.calls.take_pull_request(max(0, self._memory.messages - 1), self.moment, line.prUrl)


def _written(block: Block) -> str:
    """All of a block, also of image data."""
    return (
        f"text {block.text}" if block.type == "text" else msgspec.json.encode(block).decode("utf-8", errors="replace")
    )


def _speaker(line: Line) -> Speaker:
    """Who says so itself; what was attached says it inside."""
    origin = (line.attachment.origin if line.attachment else None) or line.origin
    return speaker_of((origin.kind if origin else None) or "", line.promptSource or "")


def _is_of_others(line: Line, spoken: list[Block]) -> bool:
    """Whether an injected line is what another agent or session said."""
    return bool(spoken) and is_message_of_others(block_text(spoken[0]), _speaker(line))
