"""What responses cost, added up one by one: by the package itself, and by one's own prices as their docstring has them.

Nothing here knows the table, the rows or the statement that the store has for it.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import genai_prices
from msgspec.structs import replace

from agentstore import CostRow, Message, ModelPrice, Session
from tests.builders import session

NEVER = dt.date.max
EARLIEST = dt.datetime(1950, 1, 1, tzinfo=dt.UTC)
CONTEXTS = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
# Names, and as whose the package knows them ("" by the name alone; None not at all).
LISTED: dict[str, str | None] = {
    "claude-opus-4-5-20251101": "",
    "claude-sonnet-4-5-20250929": "",
    "claude-opus-4-8": "",
    "gpt-5.4": "",
    "gpt-5.1-codex": "",
    "gemini-2.5-pro": "",
    "deepseek-chat": "",
    "deepseek-v4-flash": "",
    "kimi-k2": "",
    "z-ai/glm-4.6": "openrouter",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0": "aws",
    "deepseek/deepseek-reasoner": "litellm",
    "<synthetic>": None,
    "no such model": None,
    "it's \\'); -- `a` \x00 \U0001f99c": None,
    "m" * 10_000: None,
    "": None,
}
# Of prices that change: before, on the day and after it; and the hours of the day.
DAYS = [
    dt.date(2025, 3, 1), dt.date(2026, 1, 5), dt.date(2026, 9, 30), dt.date(2026, 10, 11), dt.date(2026, 10, 12),
    dt.date(2026, 10, 13), dt.date(2026, 10, 14), dt.date(2026, 10, 19), dt.date(2026, 11, 2), dt.date(2026, 11, 3),
    dt.date(2026, 11, 28), dt.date(2027, 2, 1),
]  # fmt: skip
TIMES = [
    dt.time(0), dt.time(0, 29, 59, 999_999), dt.time(0, 30), dt.time(1), dt.time(3, 59, 59), dt.time(4), dt.time(6),
    dt.time(10), dt.time(12, 34, 56, 789), dt.time(16, 29, 59), dt.time(16, 30), dt.time(23, 59, 59, 999_999),
]  # fmt: skip


@dataclass
class Spoken:
    """A session with its messages; ``root`` is whose it is, where it is a subagent."""

    session: Session
    messages: list[Message] = field(default_factory=list)
    root: Session | None = None
    copied: int = 0
    """So many of its first messages are another's."""

    @property
    def payer(self) -> Session:
        return self.root or self.session


@dataclass
class Response:
    """What is counted of one."""

    of: Spoken
    message: Message
    time: dt.datetime | None
    reported: int = 0


def moment(rng: random.Random) -> dt.datetime:
    return dt.datetime.combine(rng.choice(DAYS), rng.choice(TIMES), dt.UTC)


def usage_text(rng: random.Random, written: int, output: int) -> str:
    """Usage as Claude Code has it: what the token columns do not say."""
    hour = rng.choice([0, 0, 1, written, written // 3, written * 2])
    thought = rng.choice([0, 0, output, output // 2])
    tier = rng.choice(["standard", "standard", "batch", "priority", "flex", "fast", "scale", "Standard"])
    parts = [f'"cache_creation":{{"ephemeral_1h_input_tokens":{hour}}}', f'"service_tier":"{tier}"']
    if thought:
        parts.append(f'"reasoning_tokens":{thought}')
    if rng.random() < 0.3:
        parts.append(f'"server_tool_use":{{"web_search_requests":{rng.randrange(4)}}}')
    return "{" + ",".join(parts) + "}"


def response(rng: random.Random, ordinal: int, models: list[str], **fields: Any) -> Message:
    input, read = (rng.choice([0, 3, rng.randrange(90_000)]) for _ in range(2))
    written = rng.choice([0, 7, rng.randrange(190_000)])
    # Exactly at a level, and one token above.
    if rng.random() < 0.3:
        input = rng.choice([200_000, 200_001, 272_000, 272_001, 128_001]) - min(read + written, 100_000)
        read, written = (read, min(read + written, 100_000) - read) if read < 100_000 else (100_000, 0)
    output = rng.choice([0, 1, rng.randrange(10 ** rng.randrange(1, 8))])
    made = Message(
        ordinal=ordinal,
        role="assistant",
        model=rng.choice(models),
        timestamp=None if rng.random() < 0.2 else moment(rng),
        input_tokens=input,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=output,
        context_tokens=input + read + written,
        token_usage=rng.choice(["", usage_text(rng, written, output)]),
        reported_cost_nanodollars=rng.choice([0, 0, rng.randrange(10**9)]),
    )
    return replace(made, **fields)


def spoken(rng: random.Random, id: str, models: list[str], **fields: Any) -> Spoken:
    """A session of some responses, of which some are told in several rows."""
    made = Spoken(
        session(
            id,
            **{
                "user_id": rng.choice(["ada", "bob", ""]),
                "project_name": rng.choice(["p", "q"]),
                "agent_type": rng.choice(["claude_code", "codex"]),
                "started_at": None if rng.random() < 0.1 else moment(rng),
                "display_name": rng.choice(["", f"title of {id}"]),
                **fields,
            },
        )
    )
    ordinal = 0
    for number in range(rng.randrange(8)):
        # Some take until a price has changed.
        slowness = dt.timedelta(seconds=rng.choice([1, 6 * 3600, 5 * 86400]))
        one = response(rng, ordinal, models, source_id=rng.choice(["", f"{id}-{number}"]))
        for part in range(rng.choice([1, 1, 3]) if one.source_id else 1):
            # A response that is written as it comes: what it says of its output grows.
            so_far = one.output_tokens * (part + 1)
            at = one.timestamp and one.timestamp + part * slowness
            # The agent's own figure may stand in any one of them.
            figure = rng.choice([0, one.reported_cost_nanodollars])
            part_of_it = replace(one, ordinal=ordinal, output_tokens=so_far, timestamp=at,
                                 reported_cost_nanodollars=figure, context_tokens=one.context_tokens + 2 * part,
                                 model=rng.choice([*models, ""]) if rng.random() < 0.2 else one.model)  # fmt: skip
            made.messages.append(part_of_it)
            ordinal += 1
    return made


def forest(rng: random.Random, models: list[str]) -> list[Spoken]:
    """Sessions, their subagents and those of these, and forks that begin with what they copied."""
    found = [spoken(rng, f"s{number}", models, user_name="") for number in range(rng.randrange(1, 6))]
    for number, root in enumerate(rng.choices(found, k=rng.randrange(4))):
        parent = root.session.id
        for depth in range(rng.randrange(1, 3)):
            id = f"agent{number}.{depth}"
            below = spoken(rng, id, models, parent_session_id=parent, relationship_type="subagent", user_id="nobody")
            found.append(Spoken(below.session, below.messages, root.session))
            parent = id
    for number, origin in enumerate(rng.choices([one for one in found if not one.root], k=rng.randrange(3))):
        said = [one for one in origin.messages if one.source_id]
        if origin.session.started_at is None or not said or origin.copied:
            continue
        later = origin.session.started_at + dt.timedelta(days=1)
        fork = spoken(rng, f"z{number}", models, parent_session_id=origin.session.id, relationship_type="fork",
                      started_at=later)  # fmt: skip
        copies = [replace(one, ordinal=place) for place, one in enumerate(said)]
        rest = [replace(one, ordinal=one.ordinal + len(copies)) for one in fork.messages]
        found.append(Spoken(fork.session, copies + rest, copied=len(copies)))
    return found


def counted(sessions: Iterable[Spoken]) -> Iterator[Response]:
    """Each response once: of the rows of one the last has all of it, and the first came first. What has neither output
    nor a model decides only where there is nothing else."""
    for one in sessions:
        responses: dict[str, list[Message]] = {}
        for number, row in enumerate(one.messages[one.copied :]):
            responses.setdefault(row.source_id or f"row {number}", []).append(row)
        for rows in responses.values():
            if not any(_amounts(row) for row in rows) and not any(row.model for row in rows):
                continue
            deciding = [row for row in rows if row.output_tokens or row.model] or rows
            last = max(deciding, key=lambda row: (row.output_tokens, row.context_tokens))
            times = [row.timestamp for row in rows if row.timestamp]
            reported = max(row.reported_cost_nanodollars for row in rows)
            yield Response(one, last, min(times, default=one.session.started_at), reported)


def told(message: Message) -> dict[str, Any]:
    """What the usage of a message says, as the tests write it."""
    usage = json.loads(message.token_usage or "{}")
    return {
        "hour": min(usage.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0), message.cache_write_tokens),
        "thought": min(usage.get("reasoning_tokens", 0), message.output_tokens),
        "tier": usage.get("service_tier", "").lower(),
        "searches": usage.get("server_tool_use", {}).get("web_search_requests", 0),
    }


def listed_price(response: Response) -> Fraction | None:
    """In dollars, by the package; None where it has no price."""
    message, said = response.message, told(response.message)
    if (provider := LISTED.get(message.model)) is None:
        return None
    used = genai_prices.Usage(
        input_tokens=message.input_tokens + message.cache_read_tokens + message.cache_write_tokens,
        cache_read_tokens=message.cache_read_tokens,
        cache_write_tokens=message.cache_write_tokens,
        cache_write_1h_tokens=said["hour"],
        output_tokens=message.output_tokens,
        output_reasoning_tokens=said["thought"],
        web_searches=said["searches"],
    )
    price = genai_prices.calc_price(
        used,
        message.model,
        provider_id=provider or None,
        genai_request_timestamp=response.time or EARLIEST,
        price_context=CONTEXTS.get(said["tier"]),
    )
    return Fraction(price.total_price)


def own_price(prices: Iterable[ModelPrice], response: Response) -> Fraction | None:
    """In dollars, by one's own prices; None where none is valid then."""
    message, said = response.message, told(response.message)
    found = [one for one in prices if one.model == message.model]
    tiers = [said["tier"], ""] if said["tier"] in (*CONTEXTS, "scale") else [""]
    since = {tier: [one.valid_from or dt.date.min for one in found if one.service_tier == tier] for tier in tiers}
    if response.time is None:
        # The earliest price there is; a list price has always been.
        day = min([*(day for days in since.values() for day in days), NEVER])
        if day > dt.date.min and LISTED.get(message.model) is not None:
            return None
    else:
        day = response.time.date()
    valid = [
        (tier, max(one for one in days if one <= day))
        for tier, days in since.items()
        if any(one <= day for one in days)
    ]
    levels = [one for one in found if valid and (one.service_tier, one.valid_from or dt.date.min) == valid[0]]
    context = message.input_tokens + message.cache_read_tokens + message.cache_write_tokens
    reached = [one for one in levels if context > one.above or not one.above]
    level = max(reached, key=lambda one: one.above, default=None)
    if level is None:
        return None
    write = level.input if level.cache_write is None else level.cache_write
    picodollars = (
        message.input_tokens * level.input
        + message.cache_read_tokens * (level.input if level.cache_read is None else level.cache_read)
        + (message.cache_write_tokens - said["hour"]) * write
        + said["hour"] * (write if level.cache_write_1h is None else level.cache_write_1h)
        + (message.output_tokens - said["thought"]) * level.output
        + said["thought"] * (level.output if level.reasoning is None else level.reasoning)
        + said["searches"] * level.web_search
    )
    return Fraction(picodollars, 10**12)


def _tokens(message: Message | CostRow) -> int:
    return message.input_tokens + message.cache_read_tokens + message.cache_write_tokens + message.output_tokens


def _amounts(message: Message) -> int:
    searches: int = told(message)["searches"]
    return _tokens(message) + message.reported_cost_nanodollars + searches


def key_of(key: str, response: Response, tz: str) -> str | None:
    own, payer = response.of.session, response.of.payer
    if key == "day":
        return own.started_at.astimezone(ZoneInfo(tz)).date().isoformat() if own.started_at else None
    found: str = {
        "model": response.message.model,
        "user": payer.user_id,
        "project": payer.project_name,
        "agent": payer.agent_type,
        "session": payer.id,
    }[key]
    return found


def plain_costs(
    key: str, responses: Iterable[Response], price: Callable[[Response], Fraction | None], tz: str = "UTC"
) -> dict[str, CostRow]:
    """Rows by key, without names."""
    exact: dict[str, Fraction] = {}
    rows: dict[str, CostRow] = {}
    for one in responses:
        if (of := key_of(key, one, tz)) is None:
            continue
        cost, message, said, row = price(one), one.message, told(one.message), rows.get(of, CostRow(of))
        tokens = _tokens(message)
        exact[of] = exact.get(of, Fraction()) + (cost or 0)
        rows[of] = CostRow(
            key=of,
            reported_cost_nanodollars=row.reported_cost_nanodollars + one.reported,
            responses=row.responses + 1,
            input_tokens=row.input_tokens + message.input_tokens,
            cache_read_tokens=row.cache_read_tokens + message.cache_read_tokens,
            cache_write_tokens=row.cache_write_tokens + message.cache_write_tokens,
            cache_write_1h_tokens=row.cache_write_1h_tokens + said["hour"],
            output_tokens=row.output_tokens + message.output_tokens,
            reasoning_tokens=row.reasoning_tokens + said["thought"],
            web_searches=row.web_searches + said["searches"],
            unpriced_tokens=row.unpriced_tokens + (tokens if cost is None else 0),
        )
    # Python rounds fractions as is promised: half to even.
    found = {of: replace(row, cost_nanodollars=round(exact[of] * 10**9)) for of, row in rows.items()}
    return {of: row for of, row in found.items() if any(_worth(row))}


def _worth(row: CostRow) -> tuple[int, ...]:
    return row.cost_nanodollars, row.reported_cost_nanodollars, _tokens(row), row.web_searches
