"""The texts of messages and their tool calls, and how an answer of so many characters is shared out. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from agentstore.faces import safe
from agentstore.mcp.quoting import cut

if TYPE_CHECKING:
    from agentstore import SessionWindow
    from agentstore.models.answered import TextKind

_NAMES: dict[str, TextKind] = {"text": "content", "input": "input", "result": "result"}


class Text(NamedTuple):
    """A text as far as it was sent; ``part`` as handles name it, ``key`` as the store does."""

    ordinal: int
    role: str
    when: dt.datetime | None
    part: str
    call: int
    title: str
    text: str
    total: int
    key: dict[str, Any]


def texts_of(window: SessionWindow) -> list[Text]:
    """The texts in the order in which they are read: a message, then each of its calls with its result."""
    totals = {(one.ordinal, one.part, one.tool_use_id, one.call_index): one.total for one in window.cut}
    found: list[Text] = []
    for message in window.messages:
        place = (message.ordinal, message.role, message.timestamp)
        total = totals.get((message.ordinal, "content", "", 0), len(message.content))
        found.append(Text(*place, "text", 0, "", message.content, total, {"part": "content"}))
        calls = [call for call in window.tool_calls if call.message_ordinal == message.ordinal]
        for number, call in enumerate(calls):
            name = cut(safe.line(call.tool_name), 60)
            failed = ", failed" if call.is_error else ""
            for part, text, title in (
                ("input", call.input_json, f"call {number} {name}"),
                ("result", call.result_content, f"result {number}{failed}"),
            ):
                key = {"part": _NAMES[part], "tool_use_id": call.tool_use_id, "call_index": call.call_index}
                total = totals.get((message.ordinal, _NAMES[part], call.tool_use_id, call.call_index), len(text))
                if total:
                    found.append(Text(*place, part, number, title, text, total, key))
    return found


def given_out(totals: Sequence[int], is_meant: Sequence[bool], characters: int) -> list[int]:
    """How many characters of each text are shown: what is meant comes first, and nothing gets more than it has."""
    shares = [0] * len(totals)
    around = characters // 4 if any(total for total, meant in zip(totals, is_meant, strict=True) if not meant) else 0
    left = _filled(shares, totals, [at for at, meant in enumerate(is_meant) if meant], characters - around)
    _filled(shares, totals, [at for at, meant in enumerate(is_meant) if not meant], around + left)
    return shares


def _filled(shares: list[int], totals: Sequence[int], places: Sequence[int], characters: int) -> int:
    """Share characters out among these places, the short ones first; what is left over."""
    for done, at in enumerate(sorted(places, key=lambda at: totals[at])):
        shares[at] = min(totals[at], characters // (len(places) - done))
        characters -= shares[at]
    return characters
