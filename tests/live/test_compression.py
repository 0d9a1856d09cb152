"""Compressed connections: the same rows, and a clear error where the codec is not installed."""

from __future__ import annotations

import sys

import pytest

from agentstore import AsyncClickHouseStore, ConfigError, SearchQuery
from tests.builders import message, session, stored
from tests.servers import Server


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
async def test_rows_come_back(server: Server, database: str, org: str, compression: str) -> None:
    rows = [message(n, f"text {n} " * 100, session_id="s") for n in range(3000)]
    async with AsyncClickHouseStore(server.dsn, database=database, compression=compression) as store:
        await store.write_session(org, session("s"), rows)
        assert await store.get_session_messages(org, "s") == [stored(row, org) for row in rows]
        assert (await store.search(org, SearchQuery(query="text 2999 "))).total == 1


async def test_a_missing_codec_is_a_config_error(
    server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.delitem(sys.modules, "asynch.proto.compression.lz4", raising=False)
    store = AsyncClickHouseStore(server.dsn, database=database, compression="lz4")
    with pytest.raises(ConfigError, match=r"agentstore\[compression\]"):
        await store.open()
