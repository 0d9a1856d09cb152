"""A search beside a replace: its second statement sees what the first did not."""

from __future__ import annotations

from agentstore import AsyncClickHouseStore
from agentstore.connection.sql import sql
from agentstore.read.cursor import SearchKey
from agentstore.read.search.results import Rows, opened
from agentstore.read.search.rows import searched
from agentstore.read.search.words import Term
from tests.builders import call, message, session


async def test_a_row_that_was_replaced_since_its_key_was_read_is_left_out(
    store: AsyncClickHouseStore, org: str
) -> None:
    await store.write_session(
        org, session("s"), [message(0, "needle"), message(1, "needle")], [call(0, input_json="needle")]
    )
    keys: list[SearchKey] = [(None, "s", 0, 0, "", 0), (None, "s", 1, 0, "", 0), (None, "s", 0, 1, "", 0)]
    rows = Rows(org, [Term("needle")], sql("org_id = {org}", org=org), searched("", ""), keys)
    assert len(await opened(store._open_pool, rows)) == 3
    await store.write_session(org, session("s"), [message(1, "needle")], replace=True)
    left = await opened(store._open_pool, rows)
    assert [found.ordinal for found in left.values()] == [1]
