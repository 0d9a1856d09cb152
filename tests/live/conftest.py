"""Each test gets an organisation of its own; all share one database of the run, which is dropped at its end."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.connection.dial import dial
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql
from agentstore.schema.plan import drop_database
from agentstore.settings import resolve_target
from tests.servers import Server


@pytest.fixture(scope="session")
def database(server: Server) -> Iterator[str]:
    """A database of this run's own, with the schema in it, dropped afterwards."""
    name = new_name()

    async def create() -> None:
        async with AsyncClickHouseStore(server.dsn, database=name) as store:
            await store.ensure_schema()

    asyncio.run(create())
    yield name
    asyncio.run(drop(server, name))


@pytest.fixture
async def fresh_database(server: Server) -> AsyncIterator[str]:
    """The name of a database that does not exist yet, dropped afterwards."""
    name = new_name()
    yield name
    await drop(server, name)


@pytest.fixture
async def store(server: Server, database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """An open store on the run's database."""
    async with AsyncClickHouseStore(server.dsn, database=database) as opened:
        yield opened


@pytest.fixture
async def profile(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Settings that every connection begins with from now on, as if a profile said them."""
    settings: list[str] = []
    connect = NativeConnection.connect

    async def connect_with_them(*where: Any, **options: Any) -> NativeConnection:
        connection = await connect(*where, **options)
        for one in settings:
            await connection.fetch(Sql(f"SET {one}"), {}, timeout=60)
        return connection

    monkeypatch.setattr(NativeConnection, "connect", connect_with_them)
    return settings


def new_name() -> str:
    return f"agentstore_test_{uuid.uuid4().hex[:12]}"


async def drop(server: Server, name: str) -> None:
    connection = await dial(resolve_target(server.dsn, {"database": name}), "default")
    await connection.fetch(drop_database(name), {}, timeout=60)
    await connection.close()


@pytest.fixture
def org() -> str:
    """An organisation nobody else uses, so that no test sees another's rows."""
    return f"org-{uuid.uuid4().hex[:12]}"
