"""``open(create=False)``: what is not there is not made, and what is there is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore, SchemaError
from agentstore.connection.sql import sql
from tests.servers import Server


async def refusal(store: AsyncClickHouseStore) -> SchemaError:
    """What opening or the first read says."""

    async def read() -> None:
        await store.open(create=False)
        await store.list_users("org")

    try:
        with pytest.raises(SchemaError) as refused:
            await read()
    finally:
        await store.aclose()
    return refused.value


def everything(below: Path) -> list[Path]:
    return sorted(below.rglob("*"))


@pytest.mark.parametrize("name", ["store", "a/b/store", "empty", "file", "file/store"])
async def test_a_local_store_that_is_not_there_is_not_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    before = everything(tmp_path)
    error = await refusal(AsyncClickHouseStore(f"local:{tmp_path / name}"))
    assert "there is no local store at" in error.message
    assert "ensure_schema" in str(error)
    assert everything(tmp_path) == before


async def test_a_local_store_that_was_refused_may_be_opened_once_it_is_there(tmp_path: Path) -> None:
    from tests.local.server_processes import end_all_servers

    dsn = f"local:{tmp_path / 'store'}"
    waiting = AsyncClickHouseStore(dsn)
    with pytest.raises(SchemaError):
        await waiting.open(create=False)
    try:
        async with AsyncClickHouseStore(dsn) as other:
            await other.ensure_schema()
        await waiting.open(create=False)
        assert await waiting.list_users("org") == []
    finally:
        await waiting.aclose()
        end_all_servers(tmp_path)


async def test_a_database_that_is_not_there_is_not_made(
    server: Server, fresh_database: str, store: AsyncClickHouseStore
) -> None:
    error = await refusal(AsyncClickHouseStore(server.dsn, database=fresh_database))
    assert fresh_database in error.message
    question = "SELECT count() FROM system.databases WHERE name = {name}"
    assert await store._open_pool.fetch(sql(question, name=fresh_database)) == [(0,)]


async def test_what_is_there_is_opened(server: Server, database: str, org: str) -> None:
    store = AsyncClickHouseStore(server.dsn, database=database)
    try:
        await store.open(create=False)
        assert await store.list_users(org) == []
    finally:
        await store.aclose()
