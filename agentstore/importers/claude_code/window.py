"""The messages of a conversation: the newest are held whole and may still change, of older ones only totals remain.

Lines of a response need not be adjacent, but they are near each other: after ``OPEN_MESSAGES`` later messages it is
closed, and stays as it is.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from agentstore.importers.claude_code.known import Known, digest
from agentstore.importers.claude_code.memory import Memory
from agentstore.importers.claude_code.rows import SYNTHETIC, Draft
from agentstore.models import Message, Session

OPEN_MESSAGES = 32


class Window:
    """Ordinals are given in the order of first appearance, and never again: so they stay when a file grows."""

    def __init__(self, memory: Memory, known: Known) -> None:
        self._memory = memory
        self._known = known
        self.open = {draft.ordinal: draft for draft in memory.drafts}
        self.responses = {draft.source_id: draft for draft in memory.drafts if draft.number}
        self.changed: dict[int, Draft] = {}

    def new(self, role: str, source_id: str, moment: dt.datetime | None, parts: list[str], number: int = 0) -> Draft:
        memory = self._memory
        ordinal = memory.messages
        memory.messages = ordinal + 1
        draft = Draft(ordinal, role, moment, source_id, parts, number)
        self.open[ordinal] = self.changed[ordinal] = draft
        if ordinal >= OPEN_MESSAGES:
            self._close(self.open.pop(ordinal - OPEN_MESSAGES))
        return draft

    def new_response(self, source_id: str, moment: dt.datetime | None) -> Draft | None:
        """A message for a response; None if it is closed."""
        if not source_id:
            return self.new("assistant", "", moment, [])
        number = digest("response", source_id)
        if number in self._known:
            return None
        draft = self.responses[source_id] = self.new("assistant", source_id, moment, [], number)
        return draft

    def _close(self, draft: Draft) -> None:
        memory, known = self._memory, self._known
        if draft.number:
            del self.responses[draft.source_id]
            known.add(draft.number)
            if draft.seen:
                known.update(draft.seen)
        if draft.usage:
            memory.output_tokens += draft.output_tokens
            memory.peak_context = max(memory.peak_context, draft.context_tokens)

    def take_cost(self, draft: Draft, cost: int) -> None:
        """What a response cost, on each of its lines."""
        if cost > draft.cost:
            self._memory.cost_since += cost - draft.cost
            draft.cost = cost

    def take_total(self, total: int) -> None:
        """What the session cost so far, with subagents and helpers. What is new in it is given to the last response."""
        memory, drafts = self._memory, list(reversed(self.open.values()))
        spoken = (one for one in drafts if one.role == "assistant" and one.model != SYNTHETIC)
        draft = next(spoken, drafts[0] if drafts else None)
        if draft is None or not total:
            return
        # Where it has become less, the program counts anew.
        before = memory.cost_total if total >= memory.cost_total else 0
        if (new := total - before - memory.cost_since) > 0:
            draft.cost += new
            self.changed[draft.ordinal] = draft
        memory.cost_total, memory.cost_since = total, 0

    def with_totals(self, session: Session) -> list[Session]:
        """The session's row as far as it was read; none while nobody has spoken."""
        memory = self._memory
        if not memory.messages:
            return []
        drafts = self.open.values()
        row = msgspec.structs.replace(
            session,
            first_message=memory.first_message,
            message_count=memory.messages,
            user_message_count=memory.typed,
            total_output_tokens=memory.output_tokens + sum(draft.output_tokens for draft in drafts),
            peak_context_tokens=max([memory.peak_context, *(draft.context_tokens for draft in drafts)]),
        )
        return [row]

    def rows(self, session_id: str) -> list[Message]:
        """The rows that are new or have changed since this was called last."""
        messages = [draft.to_row(session_id) for _, draft in sorted(self.changed.items())]
        self.changed.clear()
        return messages
