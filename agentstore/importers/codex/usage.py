"""Tokens: ``token_count`` events say what all responses of a thread cost so far, and what the last one did.

An event is repeated when only the rate limits changed, so one counts only when the total has changed (counted on real
files: the sum of ``last_token_usage`` over changes of the total is the final total, in all of 9). ``input_tokens``
include what was read from the cache (and, in newer versions, written to it: ``cache_write_input_tokens``);
``output_tokens`` include reasoning.

Since 0.151 a ``token_usage_record`` stands beside each such event and says the same, under the id of the response. It
alone tells what the request cost that summed up the history, which no total includes (openai/codex#47003).

The service tier (``default``, ``priority``, ``flex``) stands in the thread's settings (``thread_settings_applied``); it
is put into the usage of the responses after them.
"""

from __future__ import annotations

from typing import Any

from agentstore.importers.conversation import Usage, tokens
from agentstore.importers.jsonl import Record, to_json

_FIELDS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
    "total_tokens",
)
_MOST_TOTAL = 10**15  # of a thread; a greater number is none


def totals_of(info: Any) -> list[int]:
    """The total of a thread; empty where the event has none."""
    total = info.get("total_token_usage") if isinstance(info, dict) else None
    return [_total(total.get(field)) for field in _FIELDS] if isinstance(total, dict) else []


def spent(info: Any, before: list[int]) -> Usage | None:
    """What the response of this event cost; None where it repeats an earlier one, or tells nothing.

    ``before`` is the total of the event before it; empty at the start.
    """
    if not isinstance(info, dict):
        return None
    total, last = totals_of(info), info.get("last_token_usage")
    if total and total == before:
        return None
    if not isinstance(last, dict):
        if not total:
            return None
        # Where it has become less, it began anew.
        begins = not before or total[-1] < before[-1]
        since = [0] * len(_FIELDS) if begins else before
        last = {field: max(0, now - then) for field, now, then in zip(_FIELDS, total, since, strict=True)}
    return used(last)


def used(last: Any) -> Usage | None:
    """The tokens of one request; None where it has none."""
    usage = _usage(last) if isinstance(last, dict) else Usage()
    return usage if usage.context or usage.output else None


def _usage(last: Record) -> Usage:
    whole = tokens(last.get("input_tokens"))
    read = min(tokens(last.get("cached_input_tokens")), whole)
    write = min(tokens(last.get("cache_write_input_tokens")), whole - read)
    return Usage(whole - read - write, read, write, tokens(last.get("output_tokens")), to_json(last))


def _total(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= _MOST_TOTAL else 0
