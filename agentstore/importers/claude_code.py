"""Claude Code's transcripts: the bytes of one file become one session, its messages, tool calls and git links.

What becomes a message, in the order of the file, ordinals from 0:

* one response of the model (all lines with the same ``message.id``, adjacent or not) is one message of role
  "assistant"; its usage is the snapshot with the most output; ``source_id`` is the message id, else the line's uuid
* a line of type ``user`` is a message of role "user" or "system" (the table is in ``prompts``); lines that only carry
  tool results are none, their results belong to the calls; injected lines (``isMeta``) are kept out
* a prompt that was queued while the model worked (``attachment/queued_command``) is read like a ``user`` line
* local commands and recaps (``system/local_command``, ``system/away_summary``) are messages of role "system"
* everything else is kept out and counted by type; ``progress`` is among it, also where it carries a subagent's
  messages: they belong to the subagent's own file

Lines of an old inline sidechain stay in the session that holds them; the prompts there, written by the agent, have
role "system". ``has_thinking`` means that a thinking block exists, even one whose text was withheld. Lengths are code
points. ``call_index`` is a call's position among the calls of its message.

A file may have been written again into itself (a resume by a newer version). That doubles nothing: responses are known
by message id, calls by tool id, prompts by time and content. When a file grows, the rows it had keep their ordinals;
they change only where a response goes on, or where a result or the name of a subagent comes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType

import msgspec

from agentstore.importers.claude_calls import Calls
from agentstore.importers.claude_facts import Facts, Owner, text
from agentstore.importers.claude_rows import Draft, Replays
from agentstore.importers.jsonl import Record, read_records, to_json
from agentstore.importers.projects import parse_time
from agentstore.importers.prompts import block_text, blocks_of, first_line, read_prompt
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.models import Message, Session

_TITLES = frozenset({"summary", "custom-title", "ai-title"})
_SHOWN_SYSTEM = frozenset({"local_command", "away_summary"})
_KEPT_OUT = frozenset({
    "agent-name", "atis-latch", "attachment", "bridge-session", "file-history-delta", "file-history-snapshot",
    "frame-link", "last-prompt", "mode", "permission-mode", "progress", "queue-operation", "relocated", "result",
    "started", "system", "worktree-state",
})  # fmt: skip


def import_claude_code(
    data: bytes,
    *,
    file: str = "",
    user_id: str = "",
    user_name: str = "",
    machine: str = "",
    titles: Mapping[str, str] | None = None,
) -> ImportResult:
    """Read one transcript file. Never raises for anything the file contains; equal bytes give equal results.

    ``file`` is its path: its stem is the session's id, and a folder ``subagents`` tells the parent. Without it the id
    is the one in the records. ``titles`` are titles found in other files (``ImportResult.titles``). A file in which
    nobody speaks has no session.
    """
    reader = _Reader(file)
    for line, record in read_records(data, reader.report):
        reader.line = line
        try:
            reader.take(record)
        except RecursionError:  # the decoder may accept what is nested a little too deeply to be written again
            reader.report(line, "nested too deeply")
    return reader.finish(Owner(user_id, user_name, machine), titles or {})


class _Reader:
    """Takes the records of one file in order and builds its rows."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.line = 0
        self.facts = Facts()
        self.calls = Calls()
        self.replays = Replays()
        self.drafts: list[Draft] = []
        self.responses: dict[str, Draft] = {}
        self.typed: list[str] = []  # what a person wrote, one for each message of role "user"
        self.problems: list[ImportProblem] = []
        self.skipped: dict[str, int] = {}
        self.unknown: dict[str, int] = {}

    def report(self, line: int, reason: str) -> None:
        self.problems.append(ImportProblem(self.file, line, reason))

    def take(self, record: Record) -> None:
        # Of every record, also of those that are kept out: they have times and directories, too.
        self.facts.see(record)
        kind = text(record, "type")
        if kind == "user":
            self._take_user(record)
        elif kind == "assistant":
            self._take_assistant(record)
        elif kind in _TITLES:
            self.facts.see_title(kind, record)
        elif kind == "pr-link":
            self.calls.take_pull_request(max(0, len(self.drafts) - 1), record)
        elif kind in _KEPT_OUT:
            self._take_other(kind, record)
        else:
            _add(self.unknown, kind or "(no type)")

    # --- people ------------------------------------------------------------------------------------------------

    def _take_user(self, record: Record) -> None:
        self.facts.see_speaker(record)
        message = record.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, (str, list, dict)):
            self.report(self.line, "user record without message content")
            return
        spoken = []
        # Results are taken also from lines that are kept out below: their calls would look as if nothing came back.
        for block in blocks_of(content):
            if text(block, "type").endswith("tool_result"):
                self.calls.take_result(record, block)
            else:
                spoken.append(block)
        if record.get("isMeta") is True:
            _add(self.skipped, "user/meta")
        elif spoken:
            self._add_prompt(record, spoken, injected=record.get("isCompactSummary") is True or self._is_inline(record))

    def _is_inline(self, record: Record) -> bool:
        """Whether the line is of a sidechain inside the file of another session: the agent wrote the prompts there."""
        return record.get("isSidechain") is True and not self.facts.sidechain

    def _add_prompt(self, record: Record, blocks: list[Record], *, injected: bool = False) -> None:
        said = "\n".join(filter(None, map(block_text, self.replays.fresh(record, blocks))))
        if not said.strip():
            _add(self.skipped, "user/replayed or empty")
            return
        self.calls.take_notifications(said)
        prompt = read_prompt(said, injected=injected)
        self._new_draft(prompt.role, record, text(record, "uuid"), prompt.content)
        if prompt.role == "user":
            self.typed.append(prompt.typed)

    # --- the model ---------------------------------------------------------------------------------------------

    def _take_assistant(self, record: Record) -> None:
        self.facts.see_speaker(record)
        message = record.get("message")
        if not isinstance(message, dict):
            self.report(self.line, "assistant record without message")
            return
        draft = self._response(record, message)
        draft.model = draft.model or text(message, "model")
        draft.take_usage(message.get("usage"))
        content = message.get("content")
        if not isinstance(content, (str, list, dict, NoneType)):
            self.report(self.line, "assistant message whose content is neither text nor blocks")
        # Only what earlier lines said is a replay: one line may well say the same thing twice.
        draft.seen.update([self._take_block(record, draft, block) for block in blocks_of(content)])

    def _response(self, record: Record, message: Record) -> Draft:
        # Lines of one response need not be adjacent, so it is looked up among all. Without this each line would be a
        # message, and its tokens would be counted once for each.
        source_id = text(message, "id") or text(record, "uuid")
        known = self.responses.get(source_id)
        if known is not None:
            return known
        draft = self._new_draft("assistant", record, source_id)
        if source_id:
            self.responses[source_id] = draft
        return draft

    def _take_block(self, record: Record, draft: Draft, block: Record) -> tuple[str, str]:
        """Add a block to its response, unless it is a replay. Returns what to know it by."""
        kind = text(block, "type")
        if kind.endswith("tool_use"):
            return self._take_call(record, draft, block)
        key = part = ""
        if kind.endswith("tool_result"):
            self.calls.take_result(record, block)
        elif kind in ("thinking", "redacted_thinking"):
            draft.has_thinking = True
            key = text(block, "thinking")
            part = f"[Thinking]\n{key}\n[/Thinking]" if key else ""
        else:
            key = part = block_text(block)
            if not part and kind != "text":
                _add(self.unknown, f"block/{kind}")
        if part and (kind, key) not in draft.seen:
            draft.parts.append(part)
        return kind, key

    def _take_call(self, record: Record, draft: Draft, block: Record) -> tuple[str, str]:
        tool_id, name, arguments = text(block, "id"), text(block, "name"), block.get("input")
        # Across the whole file by its id; without an id only within the response, by name and input.
        key = ("call", tool_id or f"{name} {to_json(arguments)}")
        if tool_id not in self.calls and key not in draft.seen:
            self.calls.add(draft.new_call(tool_id, name, arguments), text(record, "uuid"))
        return key

    # --- the program -------------------------------------------------------------------------------------------

    def _take_other(self, kind: str, record: Record) -> None:
        data = record.get({"progress": "data", "attachment": "attachment"}.get(kind, ""))
        subtype = text(record, "subtype") if kind == "system" else text(data, "type")
        content = text(record, "content")
        if kind == "system" and subtype in _SHOWN_SYSTEM and content:
            self._add_system_message(record, content, injected=subtype != "local_command")
        elif subtype == "queued_command" and isinstance(data, dict) and data.get("commandMode") in (None, "prompt"):
            self._add_prompt(record, blocks_of(data.get("prompt")))
        else:
            self.calls.take_notifications(content)
            if subtype == "agent_progress":
                self.calls.take_agent(text(record, "parentToolUseID"), text(data, "agentId"))
            _add(self.skipped, f"{kind}/{subtype}" if subtype else kind)

    def _add_system_message(self, record: Record, content: str, *, injected: bool) -> None:
        if self.replays.fresh(record, [{"content": content}]):
            shown = read_prompt(content, injected=injected).content
            self._new_draft("system", record, text(record, "uuid"), shown)

    def _new_draft(self, role: str, record: Record, source_id: str, *parts: str) -> Draft:
        # Counted in the order of first appearance, and never given away again: so ordinals stay when the file grows.
        draft = Draft(len(self.drafts), role, parse_time(record.get("timestamp")), source_id, list(parts))
        self.drafts.append(draft)
        return draft

    # --- the end -----------------------------------------------------------------------------------------------

    def finish(self, owner: Owner, titles: Mapping[str, str]) -> ImportResult:
        # Before the rows: a result may stand anywhere in the file, also before its call.
        if orphans := self.calls.join():
            self.skipped["tool_result/orphan"] = orphans
        session = self.facts.session(self.file, owner, titles)
        messages = [draft.to_row(session.id) for draft in self.drafts]
        return ImportResult(
            file=self.file,
            sessions=[_with_totals(session, messages, self.typed)] if messages else [],
            messages=messages,
            tool_calls=self.calls.rows(session.id),
            git_links=self.calls.git_links(session.id, owner.user_id) if messages else [],
            problems=self.problems,
            skipped_records=self.skipped,
            unknown_records=self.unknown,
            titles=self.facts.titles_of_others(),
        )


def _with_totals(session: Session, messages: list[Message], typed: list[str]) -> Session:
    return msgspec.structs.replace(
        session,
        first_message=first_line(typed[0]) if typed else "",
        message_count=len(messages),
        user_message_count=len(typed),
        total_output_tokens=sum(message.output_tokens for message in messages),
        peak_context_tokens=max((message.context_tokens for message in messages), default=0),
    )


def _add(counts: dict[str, int], label: str) -> None:
    # What is unknown may have a name of any length.
    label = label[:80]
    counts[label] = counts.get(label, 0) + 1
