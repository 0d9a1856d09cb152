"""A list of the sessions behind a figure of the statistics: as many as the figure says."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, SessionFilter
from tests.builders import at, call, message, session

STARTS = [at(n % 24, day=1 + n % 13) for n in range(0, 120, 7)]
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York")


async def ids(store: AsyncClickHouseStore, org: str, **fields: Any) -> list[str]:
    """What a list has, whose total says how many these are."""
    page = await store.list_sessions(org, SessionFilter(limit=1000, **fields))
    assert page.total == len(page.sessions)
    assert [one.id async for one in store.iter_sessions(org, SessionFilter(**fields))] == [
        one.id for one in page.sessions
    ]
    return sorted(one.id for one in page.sessions)


async def write_starts(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session(f"s{n:02}", started_at=start) for n, start in enumerate(STARTS)])
    await store.write_session(org, session("never", started_at=None))


@pytest.mark.parametrize("tz", ZONES)
async def test_a_cell_of_the_heatmap_lists_its_sessions(store: AsyncClickHouseStore, org: str, tz: str) -> None:
    await write_starts(store, org)
    cells = await store.activity_heatmap(org, tz=tz)
    assert sum(one.session_count for one in cells) == len(STARTS)
    for cell in cells:
        found = await ids(store, org, tz=tz, weekday=cell.day_of_week, hour=cell.hour)
        assert len(found) == cell.session_count
        for id in found:
            local = STARTS[int(id[1:])].astimezone(ZoneInfo(tz))
            assert (local.isoweekday(), local.hour) == (cell.day_of_week, cell.hour)
    filled = {(one.day_of_week, one.hour) for one in cells}
    empty = next((day, hour) for day in range(1, 8) for hour in range(24) if (day, hour) not in filled)
    assert await ids(store, org, tz=tz, weekday=empty[0], hour=empty[1]) == []


@pytest.mark.parametrize("tz", ZONES)
async def test_a_day_lists_the_sessions_of_that_day_in_the_zone(store: AsyncClickHouseStore, org: str, tz: str) -> None:
    await write_starts(store, org)
    days = await store.daily_activity(org, tz=tz)
    assert sum(one.session_count for one in days) == len(STARTS)
    for day in days:
        found = await ids(store, org, tz=tz, date_from=day.date, date_to=day.date)
        assert len(found) == day.session_count
        assert {STARTS[int(id[1:])].astimezone(ZoneInfo(tz)).date() for id in found} == {day.date}
        assert await ids(store, org, tz=tz, active_from=day.date, active_to=day.date) == found


async def test_a_weekday_or_an_hour_alone(store: AsyncClickHouseStore, org: str) -> None:
    await write_starts(store, org)
    for hour in (0, 23):
        assert await ids(store, org, hour=hour) == [f"s{n:02}" for n, one in enumerate(STARTS) if one.hour == hour]
    mondays = [f"s{n:02}" for n, one in enumerate(STARTS) if one.isoweekday() == 1]
    assert mondays
    assert await ids(store, org, weekday=1) == mondays


async def write_family(store: AsyncClickHouseStore, org: str) -> None:
    """One with a subagent that alone used a tool, a fork that copied all it has, and one that has nothing of it."""
    shared = [message(n, role="assistant", model="m1", output_tokens=5, source_id=f"r{n}") for n in range(2)]
    calls = [call(0, tool_name="Bash", tool_use_id="t0")]
    await store.write_session(org, session("root", started_at=at(1)), shared, calls)
    await store.write_session(
        org,
        session("root:sub", parent_session_id="root", relationship_type="subagent", started_at=at(2)),
        [message(0, role="assistant", model="m2", output_tokens=9, source_id="r9")],
        [call(0, tool_name="Grep", tool_use_id="t9")],
    )
    fork = session("fork", parent_session_id="root", relationship_type="fork", started_at=at(3))
    await store.write_session(org, fork, shared, calls)
    await store.write_session(org, session("other", started_at=at(4)), [message(0)], [])


async def test_tools_and_models_of_a_session_and_its_subagents(store: AsyncClickHouseStore, org: str) -> None:
    await write_family(store, org)
    tools = {one.tool_name: one.session_count for one in await store.tool_usage_distribution(org)}
    assert tools == {"Bash": 1, "Grep": 1}
    for fields in ({"tool_name": "Bash"}, {"tool_name": "Grep"}, {"model": "m1"}, {"model": "m2"}):
        assert await ids(store, org, **fields) == ["root"], fields
    assert await ids(store, org, tool_name="Bash", model="m2") == ["root"]
    assert await ids(store, org, tool_name="bash") == await ids(store, org, model="m") == []
    assert await ids(store, org, tool_name="Grep", title="") == ["root"]
    # The subagent has used it itself.
    assert await ids(store, org, tool_name="Grep", include_subagents=True) == ["root", "root:sub"]
    assert await ids(store, org, tool_name="Bash", include_subagents=True) == ["root"]
    # With a title the sessions' own table is read.
    assert await ids(store, org, tool_name="Bash", title=" ") == await ids(store, org, title=" ", id_prefix="root")
    await store.delete_sessions(org, ["root", "root:sub"])
    assert await ids(store, org, tool_name="Bash") == await ids(store, org, model="m1") == ["fork"]
    assert await ids(store, org, tool_name="Grep") == []
    assert await ids(store, f"{org}-other", tool_name="Bash") == []


BAD: list[dict[str, Any]] = [
    *({"weekday": value} for value in (-1, 8, "1", None, True, 1.0)),
    *({"hour": value} for value in (-1, 24, "1", True)),
    *({"tz": value} for value in ("", "Mars/Base", "../UTC", 5, None)),
    *({name: value} for name in ("tool_name", "model") for value in (None, 5, b"x")),
]


@pytest.mark.parametrize("bad", BAD, ids=repr)
async def test_what_is_no_such_thing_is_refused(store: AsyncClickHouseStore, org: str, bad: dict[str, Any]) -> None:
    [field] = bad
    with pytest.raises(InvalidArgumentError, match=rf"^{field}: ") as caught:
        await store.list_sessions(org, SessionFilter(**bad))
    assert caught.value.field == field


async def test_dates_are_in_the_zone_and_moments_are_not(store: AsyncClickHouseStore, org: str) -> None:
    late = dt.datetime(2026, 1, 5, 23, 30, tzinfo=dt.UTC)
    await store.write_session(org, session("late", started_at=late))
    day = dt.date(2026, 1, 6)
    assert await ids(store, org, date_from=day) == []
    assert await ids(store, org, date_from=day, tz="Europe/Berlin") == ["late"]
    assert await ids(store, org, date_from=late, date_to=late, tz="Europe/Berlin") == ["late"]
