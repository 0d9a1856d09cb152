"""``agentstore cost`` and ``agentstore summary``, as processes."""

from __future__ import annotations

import asyncio
import re

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, CostReport, CostRow, Message, Session, Summary
from tests.cli.running import Cli, check_snapshots

KEYS = ["model", "user", "project", "day", "agent", "session"]


class OfAgent(msgspec.Struct):
    """A line of ``--by agent-model --json``."""

    agent_type: str
    report: CostReport


def without_date(text: str) -> str:
    """The table of prices has another date with another version of its package."""
    return re.sub(r"prices as of \d{4}-\d\d-\d\d", "prices as of 2026-01-01", text)


@pytest.mark.parametrize("by", [*KEYS, "agent-model"])
def test_what_is_shown(sample_cli: Cli, by: str) -> None:
    check_snapshots(sample_cli, f"cost-{by}", "cost", "--by", by, clean=without_date)


def test_all_at_a_glance(sample_cli: Cli) -> None:
    check_snapshots(sample_cli, "summary", "summary", clean=without_date)


def report(cli: Cli, *options: str) -> CostReport:
    return msgspec.json.decode(cli("cost", "--json", *options).out, type=CostReport)


def test_json_is_the_record_itself(sample_cli: Cli) -> None:
    async def ask() -> tuple[list[CostReport], Summary]:
        async with AsyncClickHouseStore(sample_cli.dsn) as store:
            reports = [await store.cost_by("local", key, tz="Europe/Berlin") for key in KEYS]
            return reports, await store.summary("local", tz="Europe/Berlin")

    reports, summary = asyncio.run(ask())
    assert [report(sample_cli, "--by", key) for key in KEYS] == reports
    assert msgspec.json.decode(sample_cli("summary", "--json").out, type=Summary) == summary
    assert reports[0].prices_date is not None


def test_nothing_is_one(sample_cli: Cli) -> None:
    for command in (["cost"], ["cost", "--by", "agent-model"], ["summary"]):
        done = sample_cli(*command, "--user", "nobody")
        assert (done.code, done.out) == (1, "")
        assert sample_cli(*command, "--user", "nobody", "--json").code == 1
    for options in (["--by", "weather"], ["-n", "0"], ["-n", "1001"]):
        assert sample_cli("cost", *options).code == 2


# A million tokens of input and of output: 5 and 25 dollars of this model.
PRICED, UNPRICED = "claude-opus-4-5-20251101", "nobody's \x1b[2J model"
MILLION = 1_000_000


@pytest.fixture(scope="module")
def costly_cli(module_cli: Cli) -> Cli:
    """Two agents and two models; one agent says itself what it cost."""

    async def fill() -> None:
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await store.ensure_schema()
            for id, agent, user in (("one", "claude-code", "ada"), ("two", "pi", "mei"), ("three", "", "mei")):
                session = Session(id=id, agent_type=agent, user_id=user, message_count=2, user_message_count=1)
                messages = [
                    Message(
                        ordinal=number,
                        session_id=id,
                        role="assistant",
                        model=model,
                        input_tokens=MILLION,
                        output_tokens=MILLION,
                        reported_cost_nanodollars=7 * 10**9 if agent == "pi" else 0,
                    )
                    for number, model in enumerate([PRICED, UNPRICED])
                ]
                await store.write_session("local", session, messages)

    asyncio.run(fill())
    return module_cli


def test_what_has_no_price_is_listed_and_what_agents_say_stands_beside(costly_cli: Cli) -> None:
    found = report(costly_cli)
    assert found.total.cost_nanodollars == 3 * 30 * 10**9
    assert found.total.unpriced_tokens == 3 * 2 * MILLION
    assert [one.model for one in found.unpriced] == [UNPRICED]
    text = costly_cli("cost").out
    assert "$90.00 + ?" in text
    assert "$14.00" in text
    assert "no price is known of these, which are not in the sums:" in text
    assert "at API prices" in text
    assert "nobody's ␛[2J model  " in text.partition("not in the sums:")[2]


def test_by_agent_and_model_adds_up(costly_cli: Cli) -> None:
    lines = costly_cli("cost", "--by", "agent-model", "--json").lines
    found = {one.agent_type: one.report for one in (msgspec.json.decode(line, type=OfAgent) for line in lines)}
    assert set(found) == {"claude-code", "pi", ""}
    assert {row.key: row.cost_nanodollars for row in found["pi"].rows} == {PRICED: 30 * 10**9, UNPRICED: 0}
    assert sum(one.total.cost_nanodollars for one in found.values()) == report(costly_cli).total.cost_nanodollars
    rows: list[CostRow] = [row for one in found.values() for row in one.rows]
    assert sum(row.output_tokens for row in rows) == 6 * MILLION
    only = costly_cli("cost", "--by", "agent-model", "--agent", "pi").out
    assert "claude-code" not in only
    assert "$30.00 + ?" in only.partition("total")[2]
