"""Families of sessions as agents leave them behind, trees of forks, resumes and second copies; and what counts."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from random import Random

import msgspec

from agentstore import AsyncClickHouseStore, GitLink, Message, Session, ToolCall
from tests.builders import at, call, commit

USERS, PROJECTS, MODELS, TOOLS = ("ada", "bob"), ("alpha", "beta"), ("small", "large"), ("Bash", "Edit", "Read")


@dataclass(slots=True)
class Transcript:
    """A session with all that is its."""

    session: Session
    messages: list[Message] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    links: list[GitLink] = field(default_factory=list)

    async def write(self, store: AsyncClickHouseStore, org: str) -> None:
        await store.write_session(org, self.session, self.messages, self.calls)
        await store.write_git_links(org, self.links)

    def with_totals(self) -> Transcript:
        tokens = sum(message.output_tokens for message in self.messages)
        self.session = msgspec.structs.replace(
            self.session, message_count=len(self.messages), total_output_tokens=tokens
        )
        return self


class Family:
    """Transcripts that grow out of each other; every row says in ``content`` which one it is, copied or not."""

    def __init__(self, rng: Random, name: str) -> None:
        self._rng, self._name = rng, name
        self._rows = 0
        self.transcripts: list[Transcript] = []

    def grow(self, count: int) -> list[Transcript]:
        for number in range(count):
            self.transcripts.append(self._transcript(number).with_totals())
        return self.transcripts

    def _transcript(self, number: int) -> Transcript:
        rng, id = self._rng, f"{self._name}-{self._rng.randrange(10**6):06}"
        origin = rng.choice(self.transcripts) if self.transcripts else None
        linked = origin is not None and rng.random() < 0.5
        made = Transcript(
            Session(
                id=id,
                user_id=rng.choice(USERS),
                project_name=rng.choice(PROJECTS),
                agent_type="claude-code",
                user_message_count=1,
                started_at=at(day=rng.choice((5, 6)), hour=rng.choice((1, 2))),
                parent_session_id=origin.session.id if origin and linked else "",
                relationship_type=rng.choice(("fork", "continuation")) if linked else "",
            )
        )
        if origin:
            self._copy(origin, made, rng.randint(1, len(origin.messages)))
        for _ in range(rng.randrange(0 if origin else 1, 5)):
            self._add(made)
        if number == 0 or rng.random() < 0.3:
            made.links.append(commit(id, f"{rng.randrange(16**10):010x}", message_ordinal=len(made.messages) - 1))
        return made

    def _copy(self, origin: Transcript, into: Transcript, count: int) -> None:
        # A resume may give prompts new ids; it is known by the responses.
        is_resume = any(one.role == "assistant" for one in origin.messages[:count])
        for message in origin.messages[:count]:
            rng = self._rng
            if is_resume and message.role == "user" and rng.random() < 0.3:
                message = msgspec.structs.replace(message, source_id=f"again-{rng.randrange(10**9)}")  # a resume
            into.messages.append(message)
        into.calls += [one for one in origin.calls if one.message_ordinal < count]
        if into.messages[-1].role == "assistant" and self._rng.random() < 0.5:
            # The response was under way: its last lines are missing, and so are tokens and calls.
            partial = into.messages[-1]
            into.messages[-1] = msgspec.structs.replace(
                partial, output_tokens=partial.output_tokens // 2, content_length=partial.content_length // 2
            )
            into.calls = [one for one in into.calls if (one.message_ordinal, one.call_index) != (count - 1, 1)]
        into.links += [
            msgspec.structs.replace(one, session_id=into.session.id)
            for one in origin.links
            if one.message_ordinal < count
        ]

    def _add(self, to: Transcript) -> None:
        self._rows += 1
        rng, ordinal, number = self._rng, len(to.messages), self._rows
        moment = at(day=5, hour=3) + dt.timedelta(seconds=number)
        content = f"row{number:03}x of {self._name}"
        if rng.random() < 0.4:
            to.messages.append(
                Message(
                    ordinal,
                    role="user",
                    content=content,
                    content_length=len(content),
                    timestamp=moment,
                    source_id=f"{self._name}-uuid-{number}",
                )
            )
            return
        to.messages.append(
            Message(
                ordinal,
                role="assistant",
                content=content,
                content_length=100 + number,
                timestamp=moment,
                source_id=f"{self._name}-msg-{number}",
                model=rng.choice(MODELS),
                output_tokens=2 * rng.randrange(1, 50),
                input_tokens=rng.randrange(9),
            )
        )
        for index in range(rng.randrange(3)):
            to.calls.append(
                call(
                    ordinal,
                    tool_use_id=f"{self._name}-toolu-{number}-{index}",
                    call_index=index,
                    tool_name=rng.choice(TOOLS),
                    input_json=content,
                )
            )


@dataclass(slots=True)
class Totals:
    """What all sessions together amount to, each row once."""

    sessions: int = 0
    messages: int = 0
    tokens: int = 0
    commits: int = 0
    tools: int = 0
    models: dict[str, int] = field(default_factory=dict)


def totals_of(transcripts: Iterable[Transcript]) -> Totals:
    """By the name that each row has in its content, which the store knows nothing about."""
    rows: dict[str, Message] = {}
    calls: set[str] = set()
    commits: set[str] = set()
    count = 0
    for one in transcripts:
        count += 1
        calls |= {call.tool_use_id for call in one.calls}
        commits |= {link.commit_sha for link in one.links}
        for message in one.messages:
            known = rows.get(message.content)
            if known is None or message.output_tokens > known.output_tokens:
                rows[message.content] = message
    models: dict[str, int] = defaultdict(int)
    for message in rows.values():
        if message.role == "assistant":
            models[message.model] += message.output_tokens
    tokens = sum(message.output_tokens for message in rows.values())
    return Totals(count, len(rows), tokens, len(commits), len(calls), dict(models))


async def counted(store: AsyncClickHouseStore, org: str) -> Totals:
    """What the store's analytics add up to."""
    usage, days = await store.usage_by_user(org), await store.daily_activity(org)
    tools, models = await store.tool_usage_distribution(org), await store.token_usage_by_model(org)
    by_users = {
        key: sum(getattr(one, key) for one in usage)
        for key in ("session_count", "message_count", "total_output_tokens", "commit_count")
    }
    for key in ("session_count", "message_count", "total_output_tokens"):
        assert by_users[key] == sum(getattr(one, key) for one in days), key
    return Totals(
        by_users["session_count"],
        by_users["message_count"],
        by_users["total_output_tokens"],
        by_users["commit_count"],
        sum(one.usage_count for one in tools),
        {one.model: one.output_tokens for one in models},
    )


async def parts(store: AsyncClickHouseStore, org: str) -> Totals:
    """The same, added up over users and projects asked for by themselves: nobody counts what another one has."""
    sums = Totals()
    for user in USERS:
        for project in PROJECTS:
            only = {"user_id": user, "project_name": project}
            for used in await store.usage_by_user(org, **only):
                sums.sessions += used.session_count
                sums.messages += used.message_count
                sums.tokens += used.total_output_tokens
                sums.commits += used.commit_count
            sums.tools += sum(one.usage_count for one in await store.tool_usage_distribution(org, **only))
            for model in await store.token_usage_by_model(org, **only):
                sums.models[model.model] = sums.models.get(model.model, 0) + model.output_tokens
    return sums


def without(transcripts: Iterable[Transcript], ids: Collection[str]) -> list[Transcript]:
    return [one for one in transcripts if one.session.id not in ids]
