"""Whatever a user's profile sets, reads return the same and writes do the same; or it is said by name that they cannot.

Here SET takes the place of a profile: the settings of the session are all that a server goes by. Real profiles with
constraints are in tests/local/test_profiles.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, ConfigError, Message, QueryError, SearchQuery, SessionFilter
from agentstore.connection.sql import sql
from tests.builders import at, call, commit, message, session
from tests.live.connections import connected
from tests.live.search_paths import force
from tests.live.test_without_posix import dsn_of
from tests.servers import Server

# What a server makes of settings does not depend on the loop.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

# Each of these changed at least one answer, or kept the store from being opened, before it was looked at.
HARMFUL = [
    "join_use_nulls = 1",
    "join_default_strictness = 'ANY'",
    "limit = 1",
    "offset = 1",
    "aggregate_functions_null_for_empty = 1",
    "empty_result_for_aggregation_by_empty_set = 1",
    "use_query_cache = 1",
    "use_skip_indexes = 0",
    "ignore_data_skipping_indices = 'content_text, input_text'",
    "enable_global_with_statement = 0",
    "join_algorithm = 'partial_merge'",
    "join_algorithm = 'grace_hash'",
]
# Each of these cut an answer short; now the server says that its limit is exceeded.
CUT = [
    "max_result_rows = 1, result_overflow_mode = 'break'",
    "max_rows_to_read = 1, read_overflow_mode = 'break'",
    "max_execution_time = 0.000001, timeout_overflow_mode = 'break'",
    "max_rows_in_set = 1, set_overflow_mode = 'break'",
    "max_rows_in_join = 1, join_overflow_mode = 'break'",
    "max_rows_to_sort = 1, sort_overflow_mode = 'break'",
    "max_rows_in_distinct = 1, distinct_overflow_mode = 'break'",
    "max_rows_to_group_by = 1, group_by_overflow_mode = 'any'",
]
# What is not sent, because it changes nothing: here so that no statement ever comes to depend on it.
HARMLESS = (
    "transform_null_in = 1, any_join_distinct_right_table_keys = 1, session_timezone = 'Asia/Tokyo',"
    " prefer_column_name_to_alias = 1, union_default_mode = 'DISTINCT', cast_keep_nullable = 1,"
    " enable_positional_arguments = 0, low_cardinality_allow_in_native_format = 0, group_by_use_nulls = 1,"
    " do_not_merge_across_partitions_select_final = 1,"
    " query_plan_direct_read_from_text_index = 0, optimize_on_insert = 0,"
    " count_matches_stop_at_empty_match = 1, use_skip_indexes_if_final_exact_mode = 0, apply_deleted_mask = 0,"
    " short_circuit_function_evaluation = 'disable', optimize_move_to_prewhere = 0"
)
ALL = f"{HARMLESS}, {', '.join(one for one in HARMFUL if 'additional' not in one)}, final = 1"


@asynccontextmanager
async def opened(server: Server, database: str, **options: Any) -> AsyncIterator[AsyncClickHouseStore]:
    async with AsyncClickHouseStore(await dsn_of(server), database=database, **options) as store:
        yield store


async def write(store: AsyncClickHouseStore, org: str) -> None:
    for number in range(4):
        id = f"s{number}"
        await store.write_session(
            org,
            session(id, started_at=at(number) if number else None, user_id=f"u{number % 2}", agent_type="claude"),
            [
                message(ordinal, f"quokka {ordinal} Ärger", model="claude-haiku-4-5", output_tokens=3)
                for ordinal in range(3)
            ],
            [call(1, tool_use_id="t", input_json="a quokka tool")],
        )
    await store.write_session(org, session("s1", started_at=at(1)), [message(0, "replaced quokka")], replace=True)
    await store.write_git_links(org, [commit("s1", "abcdef12")])


async def answers(store: AsyncClickHouseStore, org: str) -> dict[str, Any]:
    """What every kind of read returns."""
    query = SearchQuery(query="quokka", limit=2)
    return {
        "list": await store.list_sessions(org, SessionFilter(limit=2)),
        "session": await store.get_session(org, "s1"),
        "messages": await store.get_session_messages(org, "s0"),
        "replaced": await store.get_session_messages(org, "s1"),
        "calls": await store.get_session_tool_calls(org, "s2"),
        "users": await store.list_users(org),
        "usage": await store.usage_by_user(org),
        "heatmap": await store.activity_heatmap(org),
        "days": await store.daily_activity(org),
        "tools": await store.tool_usage_distribution(org),
        "models": await store.token_usage_by_model(org),
        "costs": [await store.cost_by(org, key) for key in ("model", "session", "day")],
        "summary": await store.summary(org),
        "links": await store.get_session_git_links(org, "s1"),
        "lookup": await store.lookup_git_links(org, sha="abcdef"),
        "substring": await store.search(org, query),
        "inside a word": await store.search(org, SearchQuery(query="uokk")),
        "scan": await store.search(org, SearchQuery(query="ok")),
        "words": await store.search(org, SearchQuery(query="quokka ärger", mode="words", limit=2)),
        "iterated": [one.content async for one in store.iter_messages(org)],
    }


@pytest.mark.parametrize("setting", [*HARMFUL, HARMLESS, ALL])
async def test_reads_return_the_same(server: Server, database: str, org: str, profile: list[str], setting: str) -> None:
    async with opened(server, database) as store:
        await write(store, org)
        expected = await answers(store, org)
    profile.append(setting.replace("DATABASE", database))
    async with opened(server, database) as store:
        assert await answers(store, org) == expected


@pytest.mark.parametrize("setting", CUT)
async def test_no_answer_is_cut_short(
    server: Server, database: str, org: str, profile: list[str], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(server, database) as store:
        await write(store, org)
    profile.append(setting)
    force("newest", monkeypatch, most=9)  # of all ways to search the one with most in it
    with pytest.raises(QueryError, match="exceeded"):  # which of them says so differs
        async with opened(server, database) as store:
            await answers(store, org)


async def test_a_schema_is_made_and_written_all_the_same(
    server: Server, fresh_database: str, profile: list[str]
) -> None:
    profile.append(f"{ALL}, data_type_default_nullable = 1, async_insert = 1, wait_for_async_insert = 0")
    async with opened(server, fresh_database) as store:
        assert await store.ensure_schema()
        await write(store, "o")
        found = await answers(store, "o")
        assert [one.content for one in found["replaced"]] == ["replaced quokka"]
        await store.write_session("o", session("gone", first_message="a secret"), [message(0, "a secret")])
        await store.purge_sessions("o", ["gone"])
    profile.clear()
    async with opened(server, fresh_database) as store:
        assert await answers(store, "o") == found
        async with connected(store) as connection:
            for query in (
                sql("SELECT countIf(content = 'a secret') FROM messages"),
                sql("SELECT countIf(first_message = 'a secret') FROM sessions"),
            ):
                assert await connection.fetch(query, {}, timeout=60) == [(0,)]


async def test_nothing_is_sent_where_nothing_differs(server: Server, database: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=database) as store, connected(store) as connection:
        assert set(connection.fitted.sent) <= {"limit", "offset"}
        assert connection.fitted.left_out == frozenset()


@pytest.mark.parametrize("mode", [1, 2])
async def test_a_user_who_may_change_nothing_reads(
    server: Server, database: str, org: str, profile: list[str], mode: int
) -> None:
    async with opened(server, database) as store:
        await write(store, org)
        expected = await answers(store, org)
    profile.append(f"readonly = {mode}")
    async with opened(server, database) as store:
        assert await answers(store, org) == expected
        with pytest.raises(Exception, match="readonly"):
            await store.write_session(org, session("s"))


async def test_a_readonly_user_with_a_longer_statement_is_told_by_the_server(
    server: Server, database: str, org: str, profile: list[str]
) -> None:
    profile.append("readonly = 1")
    async with opened(server, database) as store:
        with pytest.raises(QueryError, match="query size"):
            await store.search(org, SearchQuery(query="x" * 300_000))
        assert (await store.list_sessions(org)).total == 0


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("join_use_nulls = 1", r"join_use_nulls is 1 and has to be 0: .*ALTER USER … SETTINGS join_use_nulls = 0"),
        ("join_default_strictness = 'ANY'", "join_default_strictness is 'ANY' and has to be 'ALL'"),
        ("use_query_cache = 1", "may not change use_query_cache, which has to be 0"),
        ("join_use_nulls = 1, apply_deleted_mask = 0", "join_use_nulls is 1 .*; apply_deleted_mask is 0 "),
    ],
)
async def test_what_cannot_be_changed_is_refused_by_name(
    server: Server, database: str, profile: list[str], setting: str, said: str
) -> None:
    profile += [setting, "readonly = 1"]
    with pytest.raises(ConfigError, match=f"the user '.*' at .*{said}"):
        async with opened(server, database):
            pass


async def test_reading_one_s_own_writes_sends_what_it_takes(server: Server, database: str, org: str) -> None:
    query = sql(
        "SELECT toString(getSetting('insert_quorum')), toUInt8(getSetting('insert_quorum_parallel')),"
        " toUInt8(getSetting('select_sequential_consistency'))"
    )
    for wanted, expected in ((False, [("0",), (1,), (0,)]), (True, [("auto",), (0,), (1,)])):
        async with opened(server, database, read_your_writes=wanted) as store:
            assert await store._open_pool.fetch(query) == expected
            await store.write_session(org, session("s"), [Message(ordinal=0, content=f"{wanted}")], replace=True)
            assert [one.content for one in await store.get_session_messages(org, "s")] == [f"{wanted}"]
