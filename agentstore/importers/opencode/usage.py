"""The tokens of a response.

``tokens {total?, input, output, reasoning, cache {read, write}}``. ``input`` is without the cache. Whether ``output``
has the reasoning in it depends on the version (it has in 1.2.5; later ``output`` is what is left of it): ``total``
tells, and where there is none the shape of the message does.
"""

from __future__ import annotations

from typing import Any

from agentstore.importers.conversation import Usage, tokens
from agentstore.importers.jsonl import Record, to_json
from agentstore.importers.money import nanodollars


def tokens_of(info: Record, parts: list[Record]) -> Record:
    """The tokens that a message says, else those of its last finished step (of a message that never ended)."""
    own = _object(info.get("tokens"))
    if _is_spent(own):
        return own
    steps = (_object(part.get("tokens")) for part in reversed(parts) if part.get("type") == "step-finish")
    return next((step for step in steps if _is_spent(step)), own)


def cost_of(info: Record, parts: list[Record]) -> int:
    """What a message says that it cost, else the sum of its steps. 0 also where no price was known."""
    steps = (nanodollars(part.get("cost")) for part in parts if part.get("type") == "step-finish")
    return nanodollars(info.get("cost")) or sum(steps)


def usage_of(told: Record, *, is_split: bool = False, cost: int = 0) -> Usage:
    """One meaning for all versions; ``is_split``: reasoning is beside the output, where no total says otherwise."""
    if not told:
        return Usage(cost=cost)
    cache = _object(told.get("cache"))
    read, written = tokens(cache.get("read")), tokens(cache.get("write"))
    input, output, reasoning = (tokens(told.get(name)) for name in ("input", "output", "reasoning"))
    total = tokens(told.get("total"))
    without = input + output + read + written
    if total:
        is_split = total == without + reasoning and total != without
    # More reasoning than output cannot be inside of it.
    is_split = is_split or reasoning > output
    return Usage(input, read, written, output + reasoning if is_split else output, to_json(told), cost=cost)


def _is_spent(told: Record) -> bool:
    return any(type(value) is int and value > 0 for value in (*told.values(), *_object(told.get("cache")).values()))


def _object(value: Any) -> Record:
    return value if isinstance(value, dict) else {}
