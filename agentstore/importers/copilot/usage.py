"""What a Copilot session cost, each token counted once: by responses, and by the sums that are told at its end.

Three kinds of records speak of the same tokens: ``assistant.message`` (its output only), a record for one request
(``session.usage_record``), and ``session.shutdown`` with sums for each model. What a sum has beyond all that was
counted before it is told by nobody else: those tokens are given to a message of their own, ``Usage.is_sum``.

Sums are cumulative, but two ways were seen. Older versions start again at zero when a session is resumed (their
sums have to be added, as agentsview does), newer ones go on. Which it is is seen from the sums, where one is less than
before, and else from the output of messages: it is nearer to that of the part or to that of the whole.

``inputTokens`` includes what was read from and written to the cache [agentsview, and one real sum in an issue of
github/copilot-cli]; ``tokenDetails`` has them beside each other [a real one in an issue of ai-driven-dev/framework].
``outputTokens`` includes reasoning.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agentstore.importers.conversation import Usage, tokens
from agentstore.importers.jsonl import to_json

_MOST_MODELS = 100  # of one session
_MOST_SUM = 10**12
_COUNTS = ("inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens")
_OLDER_COUNTS = ("input", "cachedInput", "", "output")
_VERSION = re.compile(r"(?<=\d)\.(?=\d)")


class Counted(msgspec.Struct, array_like=True):
    """Tokens that were counted, or told, of one model."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0

    def add(self, usage: Usage, sign: int = 1) -> None:
        self.input += sign * usage.input
        self.cache_read += sign * usage.cache_read
        self.cache_write += sign * usage.cache_write
        self.output += sign * usage.output


class Ledger(msgspec.Struct, array_like=True):
    """What was counted since the start, and since the session was resumed or shut down last; the last sums."""

    whole: dict[str, Counted] = {}
    part: dict[str, Counted] = {}
    told: dict[str, Counted] = {}
    said_whole: int = 0  # output of messages, as the next one: what sums are compared with
    said_part: int = 0

    def count(self, model: str, usage: Usage, before: Usage | None = None) -> None:
        """Tokens of a response, instead of those that were counted of it ``before``."""
        if model not in self.whole and len(self.whole) >= _MOST_MODELS:
            return
        for counted in (self.whole, self.part):
            one = counted.setdefault(model, Counted())
            one.add(usage)
            if before is not None:
                one.add(before, -1)
        said = usage.output - (before.output if before else 0)
        self.said_whole += said
        self.said_part += said

    def begin_part(self) -> None:
        self.part, self.said_part = {}, 0

    def rest(self, sums: dict[str, Counted]) -> dict[str, Counted]:
        """What these sums have beyond what was counted, by model; it is counted now."""
        if sums == self.told and not self.said_part:
            return {}  # the same again
        known = self.part if self._starts_again(sums) else self.whole
        # Of messages that say no model, or another name of it than the sums: they are in some of these sums.
        others = Counted()
        for model, one in known.items():
            if model not in sums:
                others.add(Usage(*_of(one)))
        rests: dict[str, Counted] = {}
        for model, told in sums.items():
            beyond = _less(told, known.get(model) or Counted())
            rest = _less(beyond, others)
            others = _less(others, beyond)
            if any(_of(rest)):
                rests[model] = rest
        for model, rest in rests.items():
            for counted in (self.whole, self.part):
                counted.setdefault(model, Counted()).add(Usage(*_of(rest)))
        self.told = sums
        return rests

    def _starts_again(self, sums: dict[str, Counted]) -> bool:
        if not self.told:
            return False
        for model, before in self.told.items():
            now = sums.get(model) or Counted()
            if any(one < other for one, other in zip(_of(now), _of(before), strict=True)):
                return True
        output = sum(one.output for one in sums.values())
        return abs(output - self.said_part) < abs(output - self.said_whole)


def model_name(value: Any) -> str:
    """A model as price lists call it: Copilot writes Claude's versions with dots, others (agentsview) with hyphens."""
    if not isinstance(value, str):
        return ""
    name = value.removeprefix("copilot/")[:200]
    return _VERSION.sub("-", name) if name.startswith("claude-") else name


def usage_of(data: dict[str, Any]) -> Usage:
    """The tokens of one request, whose input includes what went through the cache.

    In early 2026 a compaction told them as ``input``, ``output`` and ``cachedInput`` [events in tests of copilot-lv and
    of the SDK for C++].
    """
    whole, read, written, output = (
        tokens(data.get(key, data.get(older, 0))) for key, older in zip(_COUNTS, _OLDER_COUNTS, strict=True)
    )
    raw = {key: value for key, value in data.items() if key.endswith("Tokens") or key in _OLDER_COUNTS}
    return Usage(max(0, whole - read - written), read, written, output, to_json(raw))


def sums_of(data: dict[str, Any], model: str) -> dict[str, Counted]:
    """The sums of a shutdown by model. ``model`` is whose they are where they are told for all models together."""
    metrics = data.get("modelMetrics")
    found: dict[str, Counted] = {}
    for name, one in list(metrics.items())[:_MOST_MODELS] if isinstance(metrics, dict) else ():
        if isinstance(one, dict) and (sums := _usage(one.get("usage")) or _details(one.get("tokenDetails"))):
            found.setdefault(model_name(name), Counted()).add(Usage(*_of(sums)))
    if not found and (sums := _details(data.get("tokenDetails"))):
        names = [model_name(name) for name in metrics] if isinstance(metrics, dict) else []
        found[names[0] if len(names) == 1 else model_name(data.get("currentModel")) or model] = sums
    return found


def _usage(value: Any) -> Counted | None:
    if not isinstance(value, dict):
        return None
    read, written = _sum(value.get("cacheReadTokens")), _sum(value.get("cacheWriteTokens"))
    return Counted(
        max(0, _sum(value.get("inputTokens")) - read - written), read, written, _sum(value.get("outputTokens"))
    )


def _details(value: Any) -> Counted | None:
    if not isinstance(value, dict):
        return None
    kinds = ("input", "cache_read", "cache_write", "output")
    return Counted(*(_sum(one.get("tokenCount")) if isinstance(one := value.get(kind), dict) else 0 for kind in kinds))


def _less(one: Counted, other: Counted) -> Counted:
    return Counted(*(max(0, more - less) for more, less in zip(_of(one), _of(other), strict=True)))


def _sum(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= _MOST_SUM else 0


def _of(counted: Counted) -> tuple[int, int, int, int]:
    return counted.input, counted.cache_read, counted.cache_write, counted.output
