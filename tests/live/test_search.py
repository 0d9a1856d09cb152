"""Search: what is found, in which order, counted how, and what a result says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentstore import (
    AsyncClickHouseStore,
    Highlight,
    InvalidArgumentError,
    InvalidCursorError,
    SearchPage,
    SearchQuery,
    SearchResult,
    SessionDelete,
    SessionFilter,
)
from tests import reference
from tests.builders import at, call, message, session

Hit = tuple[str, int, str]


def hits(page: SearchPage) -> list[Hit]:
    return [(found.session_id, found.ordinal, found.role) for found in page.results]


async def found(store: AsyncClickHouseStore, org: str, query: str, **filter: Any) -> list[Hit]:
    page = await store.search(org, SearchQuery(query=query, **filter))
    assert (page.total, page.total_is_lower_bound, page.next_cursor) == (len(page.results), False, "")
    return hits(page)


async def test_contents_inputs_and_results_are_searched_and_nothing_else(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(
        org,
        session("s", first_message="needle", display_name="needle", user_name="needle"),
        [message(0, "a needle"), message(1, "none", model="needle", token_usage="needle")],
        [
            call(2, input_json='{"x": "needle"}'),
            call(3, result_content="needle"),
            call(4, tool_name="needle", tool_use_id="needle", skill_name="needle"),
        ],
    )
    assert await found(store, org, "needle") == [("s", 0, "user"), ("s", 2, "tool"), ("s", 3, "tool")]


async def test_one_result_per_row_however_often_it_hits(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(
        org, session("s"), [message(0, "ab ab ab")], [call(0, input_json="ab", result_content="ab")]
    )
    assert await found(store, org, "ab") == [("s", 0, "user"), ("s", 0, "tool")]


async def test_messages_and_tools_are_merged_in_one_order(store: AsyncClickHouseStore, org: str) -> None:
    for id, start in (("old", at(1)), ("new", at(2)), ("b", at(1, 30)), ("a", at(1, 30)), ("never", None)):
        await store.write_session(
            org,
            session(id, started_at=start),
            [message(n, "x", role="assistant") for n in (10, 0, 1)],
            [call(1, input_json="x", tool_use_id="t2"), call(1, result_content="x", tool_use_id="t1"),
             call(0, input_json="x"), call(0, input_json="x"), call(2, input_json="x")],
        )  # fmt: skip
    per_session = [
        (0, "assistant"), (0, "tool"), (0, "tool"), (1, "assistant"), (1, "tool"), (1, "tool"),
        (2, "tool"), (10, "assistant"),
    ]  # fmt: skip
    expected = [(id, *rest) for id in ("new", "b", "a", "old", "never") for rest in per_session]
    assert await found(store, org, "x") == expected
    for limit in (6, 7, 39):
        assert await walk(store, org, "x", limit) == expected


async def walk(store: AsyncClickHouseStore, org: str, query: str, limit: int) -> list[Hit]:
    walked, cursor = list[Hit](), ""
    while True:
        page = await store.search(org, SearchQuery(query=query, limit=limit, cursor=cursor))
        walked += hits(page)
        assert len(page.results) == limit or not page.next_cursor
        cursor = page.next_cursor
        if not cursor:
            return walked


async def test_a_result_is_complete(store: AsyncClickHouseStore, org: str) -> None:
    one = session(
        "s",
        user_id="u",
        user_name="Ada",
        project_name="web",
        agent_type="codex",
        first_message="hi",
        started_at=at(1, micro=5),
    )
    await store.write_session(org, one, [message(3, "say Needle", role="assistant")])
    [result] = (await store.search(org, SearchQuery(query="nEEdle"))).results
    assert result == SearchResult(
        session_id="s",
        ordinal=3,
        role="assistant",
        user_id="u",
        user_name="Ada",
        project_name="web",
        agent_type="codex",
        started_at=at(1, micro=5),
        first_message="hi",
        snippet="say Needle",
        highlights=[Highlight(4, 10)],
        version=reference.version(message(3, "say Needle", role="assistant")),
    )


async def test_filters_narrow_the_search(store: AsyncClickHouseStore, org: str) -> None:
    fields = ("user_id", "project_id", "project_name", "agent_type")
    for number, field in enumerate(fields):
        await store.write_session(org, session(field, started_at=at(number), **{field: "v"}), [message(0, "x")])
    for field in fields:
        assert await found(store, org, "x", **{field: "v"}) == [(field, 0, "user")]
        assert await found(store, org, "x", session_id=field) == [(field, 0, "user")]
    assert await found(store, org, "x", session_id="nowhere") == []
    assert await found(store, org, "x", user_id="v", project_id="v") == []
    assert await found(store, org, "x", user_id="v", session_id="project_id") == []
    assert await found(store, org, "x", date_from=at(1), date_to=at(1)) == [("project_id", 0, "user")]
    assert len(await found(store, org, "x", date_from="2026-01-05", date_to="2026-01-05")) == 4
    assert await found(store, org, "x", date_from="2026-01-06") == []


async def test_only_browsable_sessions_that_are_not_deleted(store: AsyncClickHouseStore, org: str) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "fork": {"relationship_type": "fork", "parent_session_id": "plain"},
        "subagent": {"relationship_type": "subagent"},
        "child": {"parent_session_id": "plain"},
        "silent": {"user_message_count": 0},
        "deleted": {},
    }
    for id, fields in kinds.items():
        await store.write_session(org, session(id, **fields), [message(0, "x")], [call(0, input_json="x")])
    await store.write_batch(org, [], [message(0, "x", session_id="without a session")])
    await store.write_session_deletes(org, [SessionDelete(session_id="deleted")])
    assert {hit[0] for hit in await found(store, org, "x")} == {"plain", "fork"}
    assert await found(store, org, "x", session_id="child") == []


async def test_replaced_and_removed_texts_are_not_found(store: AsyncClickHouseStore, org: str) -> None:
    calls = [call(0, tool_use_id="a", input_json="before"), call(0, tool_use_id="b", result_content="before")]
    await store.write_session(org, session("s"), [message(0, "before"), message(1, "before")], calls)
    await store.write_session(
        org, session("s"), [message(0, "after")], [call(0, tool_use_id="a", input_json="after")], replace=True
    )
    assert await found(store, org, "before") == []
    assert await found(store, org, "after") == [("s", 0, "user"), ("s", 0, "tool")]


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_the_total_is_exact_up_to_a_thousand(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(n, "x") for n in range(700)], [call(n, input_json="x")
                              for n in range(299)])  # fmt: skip
    for extra, total, bound in ((0, 999, False), (1, 1000, False), (2, 1000, True)):
        await store.write_batch(org, [], [message(700 + n, "x", session_id="s") for n in range(extra)])
        for limit in (1, 1000):
            page = await store.search(org, SearchQuery(query="x", limit=limit))
            assert (page.total, page.total_is_lower_bound, len(page.results)) == (total, bound, min(limit, total))
    assert len(await walk(store, org, "x", 300)) == 1001


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("mode", ["substring", "words"])
async def test_as_many_hits_are_counted_as_are_asked_for(store: AsyncClickHouseStore, org: str, mode: str) -> None:
    await store.write_session(org, session("s"), [message(n, "x") for n in range(20)])
    for counted, total, bound in ((1, 1, True), (19, 19, True), (20, 20, False), (1000, 20, False)):
        query = SearchQuery(query="x", limit=5, counted_hits=counted, mode=mode)
        seen = list[int]()
        while True:
            page = await store.search(org, query)
            assert (page.total, page.total_is_lower_bound) == (total, bound)
            seen += [one.ordinal for one in page.results]
            if not page.next_cursor:
                break
            query = msgspec.structs.replace(query, cursor=page.next_cursor)
        assert seen == [*range(20)]


async def test_later_pages_say_what_the_first_one_counted_whatever_they_ask_for(
    store: AsyncClickHouseStore, org: str
) -> None:
    await store.write_session(org, session("s"), [message(n, "x") for n in range(20)])
    for counted, later, total, bound in ((7, 1000, 7, True), (1000, 7, 20, False)):
        first = await store.search(org, SearchQuery(query="x", limit=5, counted_hits=counted))
        page = await store.search(org, SearchQuery(query="x", limit=5, counted_hits=later, cursor=first.next_cursor))
        assert (page.total, page.total_is_lower_bound) == (total, bound)


@pytest.mark.parametrize(
    "bad",
    [
        {"query": ""},
        {"query": None},
        {"query": b"x"},
        {"limit": 0},
        {"limit": 1001},
        {"limit": True},
        {"counted_hits": 0},
        {"counted_hits": 1001},
        {"counted_hits": True},
        {"date_from": "soon"},
        {"date_to": at().replace(tzinfo=None)},
        {"user_id": 5},
        {"session_id": None},
        {"cursor": "garbage"},
        {"cursor": 5},
    ],
    ids=repr,
)
async def test_a_bad_query_is_refused(store: AsyncClickHouseStore, org: str, bad: dict[str, Any]) -> None:
    [field] = bad
    with pytest.raises(InvalidArgumentError, match=rf"^{field}: ") as caught:
        await store.search(org, SearchQuery(**{"query": "x", **bad}))
    assert isinstance(caught.value, InvalidCursorError) == (field == "cursor")
    assert caught.value.field == field


async def test_cursors_of_the_other_list_are_refused(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0, "x"), message(1, "x")])
    await store.write_session(org, session("t"))
    of_search = (await store.search(org, SearchQuery(query="x", limit=1))).next_cursor
    of_list = (await store.list_sessions(org, SessionFilter(limit=1))).next_cursor
    assert of_search
    assert of_list
    with pytest.raises(InvalidCursorError):
        await store.search(org, SearchQuery(query="x", cursor=of_list))
    with pytest.raises(InvalidCursorError):
        await store.list_sessions(org, SessionFilter(cursor=of_search))
