"""Tokens as agentsview keeps them.

``token_usage`` of Claude Code is the API's own object; for other agents agentsview makes one with the same keys:
``input_tokens`` without the cache, ``output_tokens`` with reasoning. Of Gemini CLI it is otherwise, and cannot be set
right: it stores differences of numbers that are no sums. There the cache is a part of the input.
"""

from __future__ import annotations

from typing import Any

from agentstore.importers.agentsview.tables import number, text
from agentstore.importers.conversation import Usage, tokens
from agentstore.importers.jsonl import Record, read_document, to_json
from agentstore.importers.money import nanodollars

_CACHE_INSIDE = frozenset({"gemini"})


def usage_of(row: Record, agent: str) -> Usage:
    """Of a row of ``messages``; without a ``token_usage`` what its columns have."""
    told = _object(text(row["token_usage"]))
    if not told:
        return Usage(tokens(row["context_tokens"]), 0, 0, tokens(row["output_tokens"]))
    read = tokens(told.get("cache_read_input_tokens"))
    input = tokens(told.get("input_tokens"))
    if agent in _CACHE_INSIDE:
        input = max(input - read, 0)
    return Usage(input, read, _written(told), tokens(told.get("output_tokens")), to_json(told))


def _object(raw: str) -> Record:
    return (read_document(raw.encode("utf-8", "replace"), lambda _line, _reason: None) if raw else None) or {}


def _written(told: Record) -> int:
    """Claude Code leaves the sum out in some versions, beside its parts."""
    parts = told.get("cache_creation")
    sums = [tokens(value) for value in parts.values()] if isinstance(parts, dict) else []
    return tokens(told.get("cache_creation_input_tokens")) or sum(sums)


def usage_of_event(row: Record) -> Usage:
    """Of a row of ``usage_events``."""
    told: dict[str, Any] = {name: number(value) for name, value in row.items() if name.endswith("_tokens")}
    return Usage(
        tokens(told["input_tokens"]),
        tokens(told["cache_read_input_tokens"]),
        tokens(told["cache_creation_input_tokens"]),
        tokens(told["output_tokens"]),
        to_json(told),
        # What the agent told it; dollars in earlier versions.
        cost=nanodollars(row["cost_microdollars"], digits=3) or nanodollars(row["cost_usd"]),
    )


def added(one: Usage, other: Usage) -> Usage:
    """The tokens of both. Of the two objects one is made: it is read as one."""
    return Usage(
        one.input + other.input,
        one.cache_read + other.cache_read,
        one.cache_write + other.cache_write,
        one.output + other.output,
        _together(one.raw, other.raw) if one.raw else other.raw,
        cost=one.cost + other.cost,
    )


def _together(one: str, other: str) -> str:
    first, second = _object(one), _object(other)
    sums = {name: tokens(first.get(name)) + tokens(second.get(name)) for name in second if name.endswith("_tokens")}
    return to_json(first | sums)
