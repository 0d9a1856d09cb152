"""What is no name of an organisation is refused by every method, before anything is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, SearchQuery
from tests.builders import message, session
from tests.live.test_home import CASES as METHODS
from tests.live.test_home import first_of
from tests.live.test_tenancy import ALL_READS, WRITES

Case = Callable[[AsyncClickHouseStore, Any], Awaitable[Any]]
BAD: list[Any] = ["\ud800", "org\udfff", "\ude00\ud83d", None, 5, b"org", ["org"]]


async def awaited(receipt: Any) -> None:
    await receipt


async def piped(store: AsyncClickHouseStore, org: Any) -> None:
    async with store.pipeline() as pipeline:
        await pipeline.write_session(org, session("s"))


def marked(case: Callable[[AsyncClickHouseStore, Any, str], Awaitable[Any]]) -> Case:
    return lambda store, org: case(store, org, "mark")


CASES: dict[str, Case] = {
    **{name: marked(case) for name, case in {**WRITES, **ALL_READS}.items()},
    "submit_session": lambda store, org: awaited(store.submit_session(org, session("s"), [message(0)])),
    "submit_batch": lambda store, org: awaited(store.submit_batch(org, [session("s")])),
    "submit_git_links": lambda store, org: awaited(store.submit_git_links(org, [])),
    "submit_file_touches": lambda store, org: awaited(store.submit_file_touches(org, [])),
    "pipeline": lambda store, org: piped(store, org),
    "arrow": lambda store, org: store.arrow.list_sessions(org),
    "iter_sessions": lambda store, org: first_of(store.iter_sessions(org)),
    "iter_messages": lambda store, org: first_of(store.iter_messages(org)),
    # With nothing to write or to remove it is wrong all the same.
    "write_batch of nothing": lambda store, org: store.write_batch(org, []),
    "write_git_links of nothing": lambda store, org: store.write_git_links(org, []),
    "remove_session_stars of nothing": lambda store, org: store.remove_session_stars(org, []),
    "delete_sessions of nothing": lambda store, org: store.delete_sessions(org, []),
    "search for words": lambda store, org: store.search(org, SearchQuery(query="a word", mode="words")),
    "get_session_messages, a page": lambda store, org: store.get_session_messages(org, "s", after_ordinal=1, limit=5),
}


def test_every_method_has_a_case() -> None:
    assert set(CASES) >= set(METHODS) - {"mark", "flush", "ping", "ensure_schema", "reset_database", "aclose"}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_name_that_is_no_text_is_refused(store: AsyncClickHouseStore, name: str) -> None:
    for bad in BAD:
        with pytest.raises(InvalidArgumentError, match=r"^org_id: ") as caught:
            await CASES[name](store, bad)
        assert caught.value.field == "org_id"
    assert all(figures.accepted_rows == 0 for figures in store.statistics().values())


async def test_the_empty_one_is_an_organisation(store: AsyncClickHouseStore) -> None:
    await store.write_session("", session("of-the-only-one"))
    assert (await store.get_session("", "of-the-only-one")).org_id == ""
