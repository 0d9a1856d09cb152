"""A seeded corpus shaped like real transcripts, loaded through the store itself.

Lengths, roles, tools and counts follow quantiles that were measured on 53 real Claude Code sessions (1,884 messages,
1,658 tool calls); the words are made up. Sessions have topics, so words cluster; code and tool results repeat.
Organisations differ in size by orders of magnitude; some messages are rewritten, some removed, and a few sessions
deleted. Words planted at known rates are what the search benchmarks look for.

    python -m benchmarks.corpus --messages 1000000 local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import random
import sys
import time
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import agentstore
from agentstore import AsyncClickHouseStore, GitLink, Message, Session, SessionDelete, ToolCall
from agentstore.write.receipt import Receipt
from benchmarks import plain_tables

BIG_ORG = "acme"
# Share of the sessions of each organisation.
ORGS = {BIG_ORG: 0.90, "globex": 0.08, "initech": 0.019, "hooli": 0.001}
RARE, MEDIUM, PHRASE = "zyxwarbler", "quokkastorm", "the quick brown migration of the billing ledger"
RARE_HITS, MEDIUM_SHARE = 80, 0.01

_QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_USER = (1, 13, 35, 76, 182, 406, 564, 2696, 6845)
_ASSISTANT = (2, 105, 169, 270, 573, 1401, 2146, 4401, 15602)
_INPUT = (2, 75, 97, 141, 496, 1483, 3040, 6416, 14931)
_RESULT = (0, 49, 120, 621, 2148, 6131, 12421, 30031, 84231)
# Shorter than the 35 messages measured, in proportion: a million messages are to be 50,000 sessions.
_TURNS = (1, 3, 6, 13, 26, 39, 50, 90, 140)
_TOOLS = {
    "Bash": 43,
    "Read": 38,
    "Edit": 36,
    "Grep": 23,
    "TodoWrite": 6,
    "Glob": 5,
    "Write": 4,
    "WebSearch": 2,
    "Task": 2,
}
_AGENTS = ("claude-code", "codex", "gemini-cli")
_MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")
_START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_CALLS_PER_MESSAGE = 0.88
_ROWS_PER_WRITE = 5000
_WRITES_AHEAD = 4
_CHANGES_AT_ONCE = 32


@dataclass(frozen=True)
class Unit:
    """One session with everything that belongs to it."""

    org_id: str
    session: Session
    messages: list[Message]
    tool_calls: list[ToolCall]
    links: list[GitLink]


class Corpus:
    """Sessions in order of their start; equal seeds and sizes give equal corpora."""

    def __init__(self, messages: int, *, seed: int = 7, scale: float = 1.0) -> None:
        self.size = messages
        self._scale = scale
        self._rng = random.Random(seed)
        self._words = _vocabulary(self._rng, 20_000)
        self._topics = [self._sentences(self._rng.sample(self._words, 400), 300) for _ in range(200)]
        self._common = self._sentences(self._words, 3000)
        self._code = self._code_lines(3000)
        self._rare_at = frozenset(self._rng.sample(range(messages), min(RARE_HITS, messages)))

    def __iter__(self) -> Iterator[Unit]:
        made = number = 0
        while made < self.size:
            unit = self._unit(number, made)
            made += len(unit.messages)
            number += 1
            yield unit

    def _unit(self, number: int, made: int) -> Unit:
        rng = self._rng
        count = min(max(1, round(_draw(rng, _TURNS))), self.size - made)
        session_id = f"{rng.getrandbits(64):016x}-{number}"
        topic = self._topics[rng.randrange(len(self._topics))]
        # A user works on a few projects, mostly with one agent.
        user = int(200 * rng.random() ** 2)
        project = (2 * user + int(6 * rng.random() ** 2)) % 400
        agent = _AGENTS[user % 3] if rng.random() < 0.8 else rng.choice(_AGENTS)
        org_id = rng.choices(list(ORGS), list(ORGS.values()))[0]
        # In their own order of time, and spread: 5 million messages cover some months.
        started = _START + dt.timedelta(seconds=made * 2 + rng.randrange(60), microseconds=rng.randrange(10**6))
        model = rng.choice(_MODELS)
        messages = [
            self._message(session_id, ordinal, made + ordinal, started, topic, model) for ordinal in range(count)
        ]
        calls = [
            self._call(session_id, ordinal, topic) for ordinal in range(count) if rng.random() < _CALLS_PER_MESSAGE
        ]
        links = [
            GitLink(
                session_id=session_id,
                link_type="commit",
                confidence="high",
                commit_sha=f"{rng.getrandbits(160):040x}",
                message_ordinal=count - 1,
                detected_at=started,
            )
            for _ in range(rng.choice((0, 0, 1, 3)))
        ]
        session = Session(
            id=session_id,
            user_id=f"u{user}",
            user_name=f"User {user}",
            project_id=f"p{project}",
            project_name=f"project-{project}",
            project_path=f"/home/u{user}/project-{project}",
            agent_type=agent,
            first_message=messages[0].content[:300],
            started_at=started if rng.random() > 0.01 else None,
            ended_at=started + dt.timedelta(seconds=30 * count),
            message_count=count,
            user_message_count=sum(message.role == "user" for message in messages),
            relationship_type="subagent" if rng.random() < 0.05 else "",
            total_output_tokens=sum(message.output_tokens for message in messages),
            peak_context_tokens=max(message.context_tokens for message in messages),
        )
        return Unit(org_id, session, messages, calls, links)

    def _message(
        self, session_id: str, ordinal: int, serial: int, started: dt.datetime, topic: Sequence[str], model: str
    ) -> Message:
        rng = self._rng
        user = ordinal == 0 or rng.random() < 0.11
        content = self._text(topic, _draw(rng, _USER if user else _ASSISTANT))
        if serial in self._rare_at:
            content += f" {RARE} {PHRASE}"
        if rng.random() < MEDIUM_SHARE:
            content += f" {MEDIUM}"
        written = 0 if user else rng.randrange(20, 2000)
        context = 0 if user else 4000 + 700 * ordinal
        return Message(
            ordinal=ordinal,
            session_id=session_id,
            role="user" if user else "assistant",
            content=content,
            timestamp=started + dt.timedelta(seconds=30 * ordinal),
            has_tool_use=not user,
            content_length=len(content),
            model="" if user else model,
            token_usage="" if user else json.dumps({"input_tokens": 12, "output_tokens": written}),
            input_tokens=0 if user else 12,
            cache_read_tokens=max(0, context - 12),
            output_tokens=written,
            context_tokens=context,
            source_id="" if user else f"msg_{rng.getrandbits(96):024x}",
        )

    def _call(self, session_id: str, ordinal: int, topic: Sequence[str]) -> ToolCall:
        rng = self._rng
        name = rng.choices(list(_TOOLS), list(_TOOLS.values()))[0]
        result = self._text(self._code if rng.random() < 0.7 else topic, self._scale * _draw(rng, _RESULT))
        return ToolCall(
            message_ordinal=ordinal,
            session_id=session_id,
            tool_use_id=f"toolu_{rng.getrandbits(96):024x}",
            tool_name=name,
            tool_category=name,
            input_json=json.dumps({"command": self._text(self._code, self._scale * _draw(rng, _INPUT))}),
            result_content=result,
            result_content_length=len(result),
            is_error=rng.random() < 0.06,
        )

    def _text(self, topic: Sequence[str], length: float) -> str:
        rng, parts, size = self._rng, [], 0
        while size < length:
            source = topic if rng.random() < 0.6 else self._common
            part = source[int(len(source) * rng.random())]
            parts.append(part)
            size += len(part) + 1
        return " ".join(parts)[: max(1, int(length))]

    def _sentences(self, words: Sequence[str], count: int) -> list[str]:
        rng = self._rng
        found = []
        for _ in range(count):
            chosen = [words[min(int(rng.paretovariate(0.7)) - 1, len(words) - 1)] for _ in range(rng.randrange(5, 22))]
            found.append(" ".join(chosen).capitalize() + ".")
        return found

    def _code_lines(self, count: int) -> list[str]:
        rng = self._rng
        names = [word for word in self._words if len(word) > 4][:2000]
        shapes = (
            "    def {0}_{1}(self, {2}: int) -> str:\n",
            '        return self.{0}.{1}["{2}"]\n',
            "import {0}.{1} as {2}\n",
            "-rw-r--r-- 1 {0} staff {1} src/{2}/{0}.py\n",
            "    if {0} is None and {1} > 0:  # {2}\n",
            "src/{0}/{1}.go:{2}: undefined: {0}\n",
        )
        return [rng.choice(shapes).format(*rng.choices(names, k=3)) for _ in range(count)]


def _draw(rng: random.Random, values: Sequence[float]) -> float:
    """A number with the given quantiles, linear between them."""
    share = rng.random()
    index = min(bisect(_QUANTILES, share), len(_QUANTILES) - 1)
    low, high = _QUANTILES[index - 1], _QUANTILES[index]
    return values[index - 1] + (values[index] - values[index - 1]) * (share - low) / (high - low)


def _vocabulary(rng: random.Random, count: int) -> list[str]:
    heads = ["b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gr", "h", "k", "l", "m", "n", "p", "qu", "r", "s", "st"]
    cores, tails = ["a", "e", "i", "o", "u", "ai", "ea", "io", "ou"], ["", "n", "r", "s", "t", "ck", "ld", "nd", "st"]
    words: dict[str, None] = dict.fromkeys(("the", "to", "is", "and", "in", "a", "of", "for", "with"))
    while len(words) < count:
        syllables = rng.choice((1, 2, 2, 3))
        words["".join(rng.choice(heads) + rng.choice(cores) + rng.choice(tails) for _ in range(syllables))] = None
    return list(words)


async def load(store: AsyncClickHouseStore, corpus: Corpus, *, quiet: bool = False) -> None:
    """Write the whole corpus, then rewrite 1 % of it, remove 0.5 %, and mark some sessions as deleted."""
    rng = random.Random(corpus.size)
    pending: list[Receipt] = []
    batch: dict[str, list[Unit]] = {org_id: [] for org_id in ORGS}
    done, rows, began = 0, 0, time.monotonic()
    changed: list[Unit] = []
    for unit in corpus:
        batch[unit.org_id].append(unit)
        done += len(unit.messages)
        rows += len(unit.messages) + len(unit.tool_calls)
        if rng.random() < 0.01:
            changed.append(unit)
        if rows >= _ROWS_PER_WRITE:
            pending += _submit(store, batch)
            batch, rows = {org_id: [] for org_id in ORGS}, 0
            while len(pending) > _WRITES_AHEAD * len(ORGS):
                await pending.pop(0)
            if not quiet:
                _progress(done, corpus.size, began)
    for receipt in pending + _submit(store, batch):
        await receipt
    for start in range(0, len(changed), _CHANGES_AT_ONCE):
        await asyncio.gather(*(_change(store, unit, rng) for unit in changed[start : start + _CHANGES_AT_ONCE]))
    if not quiet:
        sys.stderr.write("\n")


def _submit(store: AsyncClickHouseStore, batch: dict[str, list[Unit]]) -> list[Receipt]:
    receipts = []
    for org_id, units in batch.items():
        if units:
            receipts.append(store.submit_git_links(org_id, [link for unit in units for link in unit.links]))
            receipts.append(
                store.submit_batch(
                    org_id,
                    [unit.session for unit in units],
                    [message for unit in units for message in unit.messages],
                    [call for unit in units for call in unit.tool_calls],
                )
            )
    return receipts


async def _change(store: AsyncClickHouseStore, unit: Unit, rng: random.Random) -> None:
    kind = rng.random()
    if kind < 0.5:  # written again, grown
        await store.write_session(unit.org_id, unit.session, unit.messages, unit.tool_calls)
    elif kind < 0.9:  # rewound
        await store.write_session(unit.org_id, unit.session, unit.messages[:-1], unit.tool_calls[:-1], replace=True)
    else:
        await store.write_session_deletes(unit.org_id, [SessionDelete(session_id=unit.session.id, user_id="u1")])


def _progress(done: int, size: int, began: float) -> None:
    rate = done / max(time.monotonic() - began, 1e-6)
    bar = "#" * int(30 * done / size)
    sys.stderr.write(f"\r[{bar:<30}] {done:,} of {size:,} messages, {rate:,.0f}/s ")
    sys.stderr.flush()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="a DSN, such as local:/tmp/corpus")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="of the tool calls' text lengths")
    parser.add_argument("--database", default="corpus")
    options = parser.parse_args()
    async with AsyncClickHouseStore(options.target, database=options.database) as store:
        await plain_tables.drop(store.options)
        await store.reset_database(store.options.database)
        await load(store, Corpus(options.messages, seed=options.seed, scale=options.scale))
        print(store.statistics()["messages"], f"agentstore {agentstore.__version__}")


if __name__ == "__main__":
    asyncio.run(main())
