"""Frames: the same rows as the Structs, with the types that their fields say."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from agentstore import (
    AsyncClickHouseStore,
    CostReport,
    DailyActivity,
    Highlight,
    InvalidArgumentError,
    Message,
    SearchResult,
    Session,
    SessionFilter,
    StoreClosedError,
    ToolCall,
    models,
)
from agentstore.frames import pandas_of, polars_of, schema_of, to_arrow, to_pandas, to_polars
from tests.builders import at, call, commit, message, session

OLD = dt.datetime(1905, 3, 4, 5, 6, 7, 891011, dt.UTC)
# But for questions, whose dates are of any type.
STRUCTS = [
    one
    for name, one in sorted(vars(models).items())
    if isinstance(one, type)
    and issubclass(one, models.Record)
    and name not in ("Record", "SessionFilter", "SearchQuery")
]
HOSTILE = "\x1b[31m\x00 'a' \\ \u202e 検索 \U0001f9ed\n"


def rows_of(table: pa.Table | pa.RecordBatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def plain(records: Sequence[msgspec.Struct]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(one) for one in records]


async def batches(found: AsyncIterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
    return [one async for one in found]


@pytest.fixture
async def filled(store: AsyncClickHouseStore, org: str) -> str:
    """Some sessions with all there is, hostile texts, and times that a float of seconds does not hold."""
    for n in range(3):
        own = session(f"s{n}", user_id=f"u{n % 2}", user_name="Ada", agent_type="codex", project_name=HOSTILE)
        messages = [
            message(i, HOSTILE * i, session_id=own.id, model="m", output_tokens=2**63 - 1 if i == 1 else i, timestamp=t)
            for i, t in enumerate([at(micro=1), None, OLD])
        ]
        calls = [
            call(1, session_id=own.id, tool_use_id="a", result_content_length=None),
            call(1, session_id=own.id, tool_use_id="b", result_content_length=0, is_error=True, input_json=HOSTILE),
        ]
        await store.write_session(org, own, messages, calls)
        await store.write_git_links(org, [commit(own.id, "ab" * 20)])
    return org


@pytest.mark.parametrize("kind", STRUCTS)
def test_every_struct_has_a_schema_and_an_empty_table(kind: type[msgspec.Struct]) -> None:
    table = to_arrow([], kind)
    assert table.schema.names == list(kind.__struct_fields__)
    assert table.num_rows == 0


def test_types_are_those_of_the_fields() -> None:
    assert schema_of(Session).field("started_at") == pa.field("started_at", pa.timestamp("us", tz="UTC"))
    assert schema_of(Session).field("id") == pa.field("id", pa.string(), nullable=False)
    assert schema_of(Session).field("user_name").type == pa.dictionary(pa.int32(), pa.string())
    assert schema_of(ToolCall).field("result_content_length") == pa.field("result_content_length", pa.int64())
    assert schema_of(Message).field("input_tokens") == pa.field("input_tokens", pa.int64(), nullable=False)
    assert schema_of(DailyActivity).field("date").type == pa.date32()
    assert pa.types.is_list(schema_of(SearchResult).field("highlights").type)
    assert pa.types.is_struct(schema_of(CostReport).field("total").type)


def test_structs_within_structs_and_times_of_any_age() -> None:
    hits = [
        SearchResult(session_id="s", started_at=OLD, snippet=HOSTILE, highlights=[Highlight(1, 2), Highlight(3, 4)])
    ]
    (row,) = rows_of(to_arrow(hits))
    assert row["highlights"] == [{"start": 1, "end": 2}, {"start": 3, "end": 4}]
    assert (row["started_at"], row["snippet"]) == (OLD, HOSTILE)


def test_what_does_not_fit_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidArgumentError, match="output_tokens"):
        to_arrow([Message(ordinal=0, output_tokens=2**63)])
    with pytest.raises(InvalidArgumentError, match="empty list"):
        to_arrow([])
    with pytest.raises(InvalidArgumentError, match="expected Message only, got Session"):
        to_arrow([Message(ordinal=0), Session(id="s")])


def test_pandas_has_zones_categories_and_numbers_that_may_be_missing() -> None:
    frame = to_pandas([ToolCall(message_ordinal=0), ToolCall(message_ordinal=1, result_content_length=7)])
    assert str(frame["result_content_length"].dtype) == "Int64"
    assert frame["result_content_length"].isna().tolist() == [True, False]
    assert str(frame["tool_name"].dtype) == "category"
    assert str(frame["message_ordinal"].dtype) == "int64"
    times = to_pandas([Session(id="s", started_at=OLD), Session(id="t")])["started_at"]
    assert str(times.dtype) == "datetime64[us, UTC]"
    assert times[0].to_pydatetime() == OLD
    days = to_pandas([DailyActivity(dt.date(2026, 1, 5))])
    assert days["date"][0].date() == dt.date(2026, 1, 5)


def test_polars_has_zones_categories_and_nulls() -> None:
    frame = to_polars([ToolCall(message_ordinal=0), ToolCall(message_ordinal=1, result_content_length=7)])
    assert frame["result_content_length"].to_list() == [None, 7]
    assert "Categorical" in str(frame["tool_name"].dtype)
    assert to_polars([Session(id="s", started_at=OLD)])["started_at"].to_list() == [OLD]


async def test_rows_are_those_of_the_structs(store: AsyncClickHouseStore, filled: str) -> None:
    page = await store.list_sessions(filled)
    assert rows_of(await store.arrow.list_sessions(filled)) == plain(page.sessions)
    (sessions,) = await batches(store.arrow.iter_sessions(filled))
    assert rows_of(sessions) == plain(page.sessions)
    messages = await store.get_session_messages(filled, "s1")
    assert rows_of(await store.arrow.get_session_messages(filled, "s1")) == plain(messages)
    assert rows_of(await store.arrow.get_session_messages(filled, "s1", before_ordinal=2, limit=1)) == plain(
        messages[1:2]
    )
    calls = await store.get_session_tool_calls(filled, "s1")
    assert rows_of(await store.arrow.get_session_tool_calls(filled, "s1")) == plain(calls)
    assert rows_of(await store.arrow.get_session_git_links(filled, "s1")) == plain(
        await store.get_session_git_links(filled, "s1")
    )
    (iterated,) = await batches(store.arrow.iter_messages(filled))
    assert rows_of(iterated) == plain([one async for one in store.iter_messages(filled)])
    (of_calls,) = await batches(store.arrow.iter_tool_calls(filled))
    assert rows_of(of_calls) == plain(
        [one for n in range(3) for one in await store.get_session_tool_calls(filled, f"s{n}")]
    )


async def test_where_there_is_nothing_there_are_columns(store: AsyncClickHouseStore, org: str) -> None:
    for table, kind in (
        (await store.arrow.list_sessions(org), Session),
        (await store.arrow.get_session_messages(org, "none"), Message),
        (await store.arrow.get_session_tool_calls(org, "none"), ToolCall),
    ):
        assert table.schema == schema_of(kind)
        assert table.num_rows == 0
    for none in (store.arrow.iter_messages(org), store.arrow.iter_tool_calls(org), store.arrow.iter_sessions(org)):
        assert await batches(none) == []


async def test_analytics_are_those_of_the_structs(store: AsyncClickHouseStore, filled: str) -> None:
    for name in (
        "list_users",
        "list_projects",
        "usage_by_user",
        "activity_heatmap",
        "tool_usage_distribution",
        "daily_activity",
        "token_usage_by_model",
    ):
        records = await getattr(store, name)(filled)
        if name == "token_usage_by_model":  # more than a column of numbers holds: said, and not wrapped around
            with pytest.raises(InvalidArgumentError, match="output_tokens"):
                await store.arrow.token_usage_by_model(filled)
            continue
        assert records, name
        assert rows_of(await getattr(store.arrow, name)(filled)) == plain(records), name
    report = await store.cost_by(filled, "session", date_to="2026-01-04")
    assert rows_of(await store.arrow.cost_by(filled, "session", date_to="2026-01-04")) == plain(report.rows)
    assert polars_of(await store.arrow.daily_activity(filled)).height == 1
    assert len(pandas_of(await store.arrow.daily_activity(filled))) == 1


async def test_batches_are_bounded_and_hold_each_row_once(store: AsyncClickHouseStore, org: str) -> None:
    big = [message(n, "x" * 1_500_000, session_id=f"s{n % 2}") for n in range(8)]
    calls = [call(n, session_id="s0", tool_use_id=f"t{n}", result_content="y" * 1_500_000) for n in range(7)]
    await store.write_batch(org, [session("s0"), session("s1")], big, calls)
    found = await batches(store.arrow.iter_messages(org))
    assert len(found) >= 4
    assert max(one.nbytes for one in found) < 5 * 1024 * 1024
    keys = [(row["session_id"], row["ordinal"]) for one in found for row in rows_of(one)]
    assert keys == sorted((f"s{n % 2}", n) for n in range(8))
    of_calls = await batches(store.arrow.iter_tool_calls(org, "s0"))
    assert len(of_calls) >= 3
    assert [row["tool_use_id"] for one in of_calls for row in rows_of(one)] == [f"t{n}" for n in range(7)]


async def test_a_batch_of_sessions_is_some_hundreds(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(org, [session(f"s{n:04}") for n in range(1100)])
    found = await batches(store.arrow.iter_sessions(org, SessionFilter(id_prefix="s")))
    assert [one.num_rows for one in found] == [500, 500, 100]
    assert len({row["id"] for one in found for row in rows_of(one)}) == 1100


async def test_a_closed_store_says_so(store: AsyncClickHouseStore, org: str) -> None:
    async with AsyncClickHouseStore(store.options) as own:
        arrow = own.arrow
    with pytest.raises(StoreClosedError):
        await arrow.list_sessions(org)
    with pytest.raises(StoreClosedError):
        await batches(arrow.iter_messages(org))
