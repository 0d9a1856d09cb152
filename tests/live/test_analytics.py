"""Analytics against expectations computed by hand."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest

from agentstore import (
    AsyncClickHouseStore,
    CostReport,
    DailyActivity,
    HeatmapCell,
    InvalidArgumentError,
    SessionDelete,
    Summary,
    ToolUsageStat,
    UserUsage,
)
from tests.builders import at, call, commit, message, pull_request, session

METHODS = ("usage_by_user", "activity_heatmap", "tool_usage_distribution", "daily_activity", "token_usage_by_model")

HIDDEN: dict[str, dict[str, Any]] = {
    "silent": {"user_message_count": 0},
    "subagent": {"relationship_type": "subagent"},
    "child": {"parent_session_id": "x"},
    "deleted": {},
}


async def write_hidden(store: AsyncClickHouseStore, org: str) -> None:
    """Sessions that no analysis may count, with everything an analysis looks at."""
    fields = {"user_id": "u1", "project_name": "web", "message_count": 1000, "total_output_tokens": 1000}
    for id, more in HIDDEN.items():
        messages = [message(0, model="opus", output_tokens=1000, source_id=f"only in {id}")]
        await store.write_session(org, session(id, **{**fields, **more}), messages, [call(0, tool_name="Hidden")])
        await store.write_git_links(org, [commit(id, "abcd")])
    await store.write_session_deletes(org, [SessionDelete(session_id="deleted")])


async def test_usage_by_user(store: AsyncClickHouseStore, org: str) -> None:
    def of(id: str, user: str, agent: str, project: str, messages: int, tokens: int, peak: int, **fields: Any) -> Any:
        counts = {"message_count": messages, "total_output_tokens": tokens, "peak_context_tokens": peak}
        return session(id, user_id=user, agent_type=agent, project_name=project, **{**counts, **fields})

    await store.write_batch(
        org,
        [
            of("1", "u1", "claude", "web", 10, 100, 7, user_name="Old", started_at=at(1)),
            of("2", "u1", "claude", "web", 20, 200, 9, user_name="New", started_at=at(2)),
            of("3", "u1", "codex", "web", 5, 50, 3, user_name="New"),
            of("4", "u1", "claude", "app", 6, 60, 4, user_name="New"),
            of("5", "u2", "claude", "web", 2**32 - 1, 2**63 - 1, 1, user_name="Zed"),
            of("6", "u2", "claude", "web", 2**32 - 1, 2**63, 2, user_name="Zed"),
            of("7", "", "", "", 1, 1, 1, started_at=None, relationship_type="fork"),
        ],
    )
    await store.write_git_links(org, [commit("1", "abcd"), pull_request("1", "https://x/1"), commit("2", "abcd")])
    await store.write_git_links(org, [commit("6", "abcd"), commit("nobody's", "abcd")])
    await write_hidden(store, org)
    expected = [
        UserUsage("u1", "New", "claude", "web", 2, 30, 3, 300, 9),
        UserUsage("u2", "Zed", "claude", "web", 2, 2**33 - 2, 1, 2**64 - 1, 2),
        UserUsage("", "", "", "", 1, 1, 0, 1, 1),
        UserUsage("u1", "New", "claude", "app", 1, 6, 0, 60, 4),
        UserUsage("u1", "New", "codex", "web", 1, 5, 0, 50, 3),
    ]
    assert await store.usage_by_user(org) == expected
    assert await store.usage_by_user(org, project_name="app") == [expected[3]]
    assert await store.usage_by_user(org, agent_type="codex") == [expected[4]]
    assert await store.usage_by_user(org, date_from=at(2), date_to=at(2)) == [
        UserUsage("u1", "New", "claude", "web", 1, 20, 1, 200, 9)
    ]


async def test_heatmap_in_the_zone_of_the_caller(store: AsyncClickHouseStore, org: str) -> None:
    starts = [
        at(0, 0, day=5),  # Monday
        at(0, 59, day=5),
        at(23, 30, day=11),  # Sunday
        at(12, 0, day=7),
        None,
    ]
    await store.write_batch(org, [session(f"{n}", started_at=start) for n, start in enumerate(starts)])
    await write_hidden(store, org)
    assert await store.activity_heatmap(org) == [HeatmapCell(1, 0, 2), HeatmapCell(3, 12, 1), HeatmapCell(7, 23, 1)]
    assert await store.activity_heatmap(org, tz="America/New_York") == [
        HeatmapCell(3, 7, 1),
        HeatmapCell(7, 18, 1),
        HeatmapCell(7, 19, 2),
    ]
    assert await store.activity_heatmap(org, tz="Asia/Kathmandu") == [
        HeatmapCell(1, 5, 2),  # 05:45 and 05:15 the Monday after
        HeatmapCell(1, 6, 1),
        HeatmapCell(3, 17, 1),
    ]


async def test_days_follow_the_zone_through_the_change_of_clocks(store: AsyncClickHouseStore, org: str) -> None:
    """In Berlin 29 March 2026 has 23 hours and 25 October has 25."""
    starts = [
        dt.datetime(2026, 3, 28, 22, 59, 59, 999999, dt.UTC),
        dt.datetime(2026, 3, 28, 23, 0, tzinfo=dt.UTC),  # the first instant of the 29th, winter time
        dt.datetime(2026, 3, 29, 21, 59, 59, 999999, dt.UTC),  # the last one, summer time
        dt.datetime(2026, 3, 29, 22, 0, tzinfo=dt.UTC),
        dt.datetime(2026, 10, 24, 21, 59, tzinfo=dt.UTC),
        dt.datetime(2026, 10, 24, 22, 0, tzinfo=dt.UTC),
        dt.datetime(2026, 10, 25, 22, 59, 59, 999999, dt.UTC),
        dt.datetime(2026, 10, 25, 23, 0, tzinfo=dt.UTC),
    ]
    await store.write_batch(
        org,
        [
            session(f"{n}", started_at=start, message_count=n, total_output_tokens=10**n)
            for n, start in enumerate(starts)
        ],
    )

    def day(month: int, number: int, *sessions: int) -> DailyActivity:
        return DailyActivity(
            dt.date(2026, month, number), len(sessions), sum(sessions), sum(10**one for one in sessions)
        )

    berlin = [day(3, 28, 0), day(3, 29, 1, 2), day(3, 30, 3), day(10, 24, 4), day(10, 25, 5, 6), day(10, 26, 7)]
    assert await store.daily_activity(org, tz="Europe/Berlin") == berlin
    assert await store.daily_activity(org) == [day(3, 28, 0, 1), day(3, 29, 2, 3), day(10, 24, 4, 5), day(10, 25, 6, 7)]
    # A date in a filter is that day in the same zone: each day alone is what the whole list says about it.
    for expected in berlin:
        span: dict[str, Any] = {"date_from": expected.date, "date_to": expected.date.isoformat()}
        assert await store.daily_activity(org, tz="Europe/Berlin", **span) == [expected]
        cells = await store.activity_heatmap(org, tz="Europe/Berlin", **span)
        assert sum(cell.session_count for cell in cells) == expected.session_count
        assert {cell.day_of_week for cell in cells} == {expected.date.isoweekday()}
    assert await store.daily_activity(org, tz="Europe/Berlin", date_from="2026-10-26", date_to="2026-10-25") == []


async def test_days_where_midnight_is_skipped_or_comes_twice(store: AsyncClickHouseStore, org: str) -> None:
    """São Paulo left midnight out on 4 November 2018; Havana had it twice on 2 November 2025."""
    for zone, first, last in (
        ("America/Sao_Paulo", dt.datetime(2018, 11, 4, 3, tzinfo=dt.UTC), dt.datetime(2018, 11, 5, 2, tzinfo=dt.UTC)),
        ("America/Havana", dt.datetime(2025, 11, 2, 4, tzinfo=dt.UTC), dt.datetime(2025, 11, 3, 5, tzinfo=dt.UTC)),
    ):
        moment, tick = first, dt.timedelta(microseconds=1)
        starts = [first - tick, first, moment + dt.timedelta(hours=1), last - tick, last]
        own = f"{org} {zone}"
        await store.write_batch(own, [session(f"{n}", started_at=start) for n, start in enumerate(starts)])
        days = await store.daily_activity(own, tz=zone)
        assert [day.session_count for day in days] == [1, 3, 1]
        for day in days:
            assert await store.daily_activity(own, tz=zone, date_from=day.date, date_to=day.date) == [day]


async def test_the_twenty_most_used_tools(store: AsyncClickHouseStore, org: str) -> None:
    calls = [call(n, tool_name=f"tool {n:02}", tool_category="other") for n in range(25)]
    calls += [call(30 + n, tool_name="Bash", tool_category="shell") for n in range(3)]
    calls += [call(40, tool_name="tool 24", tool_category="other", is_error=True)]
    await store.write_session(org, session("s", project_name="web"), [], calls)
    await store.write_batch(org, [], [], [call(0, session_id="without a session", tool_name="Bash")])
    await write_hidden(store, org)
    expected = [ToolUsageStat("Bash", "shell", 3, 0, 1), ToolUsageStat("tool 24", "other", 2, 1, 1)]
    expected += [ToolUsageStat(f"tool {n:02}", "other", 1, 0, 1) for n in range(18)]
    assert await store.tool_usage_distribution(org) == expected
    assert await store.tool_usage_distribution(org, project_name="web", date_to=at()) == expected
    assert await store.tool_usage_distribution(org, project_name="app") == []
    assert await store.tool_usage_distribution(org, date_from="2026-01-06") == []


async def test_errors_and_sessions_of_a_tool_with_subagents(store: AsyncClickHouseStore, org: str) -> None:
    def calls(*failed: bool) -> list[Any]:
        return [call(n, tool_name="Read", tool_category="file", is_error=one) for n, one in enumerate(failed)]

    await store.write_session(org, session("root"), [], calls(True, False))
    await store.write_session(org, session("other", user_id="ada"), [], calls(False))
    for id, parent in (("child", "root"), ("grandchild", "child"), ("only", "silent root"), ("nobody's", "missing")):
        await store.write_session(
            org, session(id, relationship_type="subagent", parent_session_id=parent), [], calls(True, True)
        )
    # Has no calls of its own: what its subagent used, it used.
    await store.write_session(org, session("silent root"))
    assert await store.tool_usage_distribution(org) == [ToolUsageStat("Read", "file", 9, 7, 3)]
    assert await store.tool_usage_distribution(org, user_id="ada") == [ToolUsageStat("Read", "file", 1, 0, 1)]
    # Rewritten: the newest version says whether it failed.
    await store.write_session(org, session("root"), [], calls(False, False))
    assert await store.tool_usage_distribution(org) == [ToolUsageStat("Read", "file", 9, 6, 3)]
    await store.write_session(org, session("root"), [], calls(True), replace=True)
    assert await store.tool_usage_distribution(org) == [ToolUsageStat("Read", "file", 8, 7, 3)]


async def test_of_one_user_is_what_an_organisation_with_nobody_else_says(store: AsyncClickHouseStore, org: str) -> None:
    users = ["ada", "Ada", "%", "ada", "ada", "", "ada"]

    async def write(to: str, number: int, user: str) -> None:
        fields = {"user_id": user, "user_name": user, "project_name": f"p{number % 2}", "message_count": number}
        one = session(f"s{number}", started_at=at(number), total_output_tokens=number, **fields)
        tokens = message(0, model="opus", output_tokens=number + 1, source_id=f"r{number}")
        await store.write_session(to, one, [tokens], [call(0, tool_name=f"T{number % 3}")])
        await store.write_git_links(to, [commit(one.id, "abcd")])

    for number, user in enumerate(users):
        await write(org, number, user)
        await write(f"{org} {user}", number, user)
    for user in ("ada", "Ada", "%", "nobody"):
        for given in ({}, {"project_name": "p0"}, {"date_from": at(3)}):
            for name in METHODS:
                of_one = await getattr(store, name)(org, user_id=user, **given)
                assert of_one == await getattr(store, name)(f"{org} {user}", **given), (name, user, given)
                assert of_one or user != "ada"
    assert len(await store.usage_by_user(org, user_id="")) == len(await store.usage_by_user(org)) > 3


async def test_an_empty_organisation_has_empty_lists(store: AsyncClickHouseStore, org: str) -> None:
    assert await store.usage_by_user(org) == []
    assert await store.activity_heatmap(org) == []
    assert await store.tool_usage_distribution(org) == []
    assert await store.daily_activity(org) == []
    assert await store.token_usage_by_model(org) == []
    for key in ("model", "user", "project", "day", "agent", "session"):
        assert await store.cost_by(org, key) == CostReport()
    assert await store.summary(org) == Summary()


@pytest.mark.parametrize(
    "bad",
    [
        {"tz": "Nowhere/Land"},
        {"tz": ""},
        {"tz": "../../etc/passwd"},
        {"tz": None},
        {"tz": "UTC'; --"},
        {"date_from": "soon"},
        {"date_to": dt.datetime(2026, 1, 1)},
        {"date_to": 5},
        {"project_name": None},
        {"agent_type": None},
        {"user_id": None},
        {"user_id": 7},
    ],
    ids=repr,
)
async def test_bad_arguments_are_refused(store: AsyncClickHouseStore, org: str, bad: dict[str, Any]) -> None:
    [field] = bad
    for method in (
        store.usage_by_user,
        store.activity_heatmap,
        store.tool_usage_distribution,
        store.daily_activity,
        store.token_usage_by_model,
        partial(store.cost_by, key="model"),
        store.summary,
    ):
        with pytest.raises(InvalidArgumentError, match=rf"^{field}: ") as caught:
            await method(org, **bad)
        assert caught.value.field == field
