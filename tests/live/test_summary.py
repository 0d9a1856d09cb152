"""The overview in one call: its parts are what their own methods answer, its totals what a plain count says."""

from __future__ import annotations

import random
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, Message, ModelPrice, Session, SessionDelete, ToolCall
from tests.builders import at, call, commit, message, session
from tests.servers import Server

SEEDS = range(3)
USERS, PROJECTS, AGENTS = ("ada", "Zoë", ""), ("web", "app", ""), ("claude_code", "codex")
PRICES = [ModelPrice(model="opus", input=5_000_000, output=25_000_000)]


class Written:
    """Random sessions with what belongs to them, all of them counted, and what they come to."""

    def __init__(self, rng: random.Random) -> None:
        self.sessions: list[Session] = []
        self.messages: list[Message] = []
        self.calls: list[ToolCall] = []
        for number in range(rng.randrange(5, 30)):
            self._session(rng, f"s{number}")

    def _session(self, rng: random.Random, id: str) -> None:
        user, count = rng.choice(USERS), rng.randrange(4)
        self.messages += [
            message(n, session_id=id, model=rng.choice(("opus", "unknown")), output_tokens=n + 1, input_tokens=7,
                    source_id=f"{id} {n}")
            for n in range(count)
        ]  # fmt: skip
        self.calls += [
            call(n, session_id=id, tool_name=f"tool {rng.randrange(40)}", is_error=rng.random() < 0.3)
            for n in range(rng.randrange(6))
        ]
        self.sessions.append(
            session(id, user_id=user, user_name=user.upper(), project_name=rng.choice(PROJECTS),
                    agent_type=rng.choice(AGENTS), started_at=at(rng.randrange(24), day=rng.randrange(5, 9)),
                    message_count=count, total_output_tokens=sum(range(count + 1)),
                    peak_context_tokens=rng.randrange(1000))
        )  # fmt: skip

    def of(self, **fields: Any) -> list[Session]:
        return [one for one in self.sessions if all(getattr(one, name) == value for name, value in fields.items())]


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_summary_is_its_parts_and_their_sums(server: Server, database: str, org: str, seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    written = Written(rng)
    linked = [commit(one.id, f"{n:04x}") for n, one in enumerate(written.sessions) if rng.random() < 0.5]
    async with AsyncClickHouseStore(server.dsn, database=database, prices=PRICES) as store:
        await store.write_batch(org, written.sessions, written.messages, written.calls)
        await store.write_git_links(org, linked)
        # Neither of these counts, whatever it holds.
        await store.write_session(org, session("hidden"), [message(0, output_tokens=99)], [call(0, is_error=True)])
        await store.write_session_deletes(org, [SessionDelete(session_id="hidden")])
        spans: list[dict[str, Any]] = [
            {},
            {"user_id": "Zoë"},
            {"project_name": "web", "agent_type": "a", "date_from": "2026-01-06", "tz": "Asia/Tokyo"},
        ]
        for given in spans:
            found = await store.summary(org, **given)
            assert found.days == await store.daily_activity(org, **given)
            assert found.heatmap == await store.activity_heatmap(org, **given)
            assert found.tools == await store.tool_usage_distribution(org, **given)
            assert found.models == await store.token_usage_by_model(org, **given)
            assert found.cost == await store.cost_by(org, "model", **given)
        found = await store.summary(org)
    totals = found.totals
    assert (totals.session_count, totals.message_count) == (len(written.sessions), len(written.messages))
    assert totals.commit_count == len(linked)
    assert totals.tool_call_count == len(written.calls)
    assert totals.tool_error_count == sum(one.is_error for one in written.calls)
    assert totals.total_output_tokens == sum(one.output_tokens for one in written.messages)
    assert totals.peak_context_tokens == max(one.peak_context_tokens for one in written.sessions)
    assert totals.user_count == len(found.users) == len({one.user_id for one in written.sessions})
    assert totals.project_count == len(found.projects) == len({one.project_name for one in written.sessions})
    for user in found.users:
        theirs = written.of(user_id=user.user_id)
        assert (user.session_count, user.user_name) == (len(theirs), user.user_id.upper())
        assert user.message_count == sum(one.message_count for one in theirs)
        assert user.peak_context_tokens == max(one.peak_context_tokens for one in theirs)
        assert (user.agent_type, user.project_name) == ("", "")
    for project in found.projects:
        theirs = written.of(project_name=project.project_name)
        assert project.session_count == len(theirs)
        assert project.total_output_tokens == sum(one.total_output_tokens for one in theirs)
        assert project.commit_count == sum(link.session_id in {one.id for one in theirs} for link in linked)
    assert [-one.session_count for one in found.users] == sorted(-one.session_count for one in found.users)


async def test_a_summary_with_one_connection(server: Server, database: str, org: str) -> None:
    options: dict[str, Any] = {"pool_size": 1, "pool_timeout_seconds": 0.2}
    async with AsyncClickHouseStore(server.dsn, database=database, **options) as store:
        await store.write_session(org, session("s"), [message(0, model="m", output_tokens=1)], [call(0)])
        found = await store.summary(org)
    assert (found.totals.session_count, found.totals.tool_call_count, len(found.models)) == (1, 1, 1)


async def test_a_user_who_was_renamed_has_the_latest_name(store: AsyncClickHouseStore, org: str) -> None:
    names = {"Old": 1, "New": 9, "Mid": 5}
    for name, hour in names.items():
        for number in range(3 if name == "Old" else 1):
            one = session(f"{name}{number}", user_id="u", user_name=name, project_name=name, started_at=at(hour))
            await store.write_session(org, one)
    assert [one.user_name for one in (await store.summary(org)).users] == ["New"]
    assert [one.name for one in await store.list_users(org)] == ["New"]
