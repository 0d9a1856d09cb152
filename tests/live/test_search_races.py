"""A search beside a replace: its second statement sees what the first did not."""

from __future__ import annotations

from agentstore import AsyncClickHouseStore
from agentstore.read.cursor import SearchKey
from agentstore.read.windows import results
from agentstore.read.words import Term
from tests.builders import call, message, session


async def test_a_row_that_was_replaced_since_its_key_was_read_is_left_out(
    store: AsyncClickHouseStore, org: str
) -> None:
    await store.write_session(
        org, session("s"), [message(0, "needle"), message(1, "needle")], [call(0, input_json="needle")]
    )
    keys: list[SearchKey] = [(None, "s", 0, 0, "", 0), (None, "s", 1, 0, "", 0), (None, "s", 0, 1, "", 0)]
    assert len(await results(store._open_pool, org, [Term("needle")], keys)) == 3
    await store.write_session(org, session("s"), [message(1, "needle")], replace=True)
    left = await results(store._open_pool, org, [Term("needle")], keys)
    assert [found.ordinal for found in left] == [1]
