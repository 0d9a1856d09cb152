"""A store that a newer version of the library has been at."""

from __future__ import annotations

import asyncio

from clickhouse_driver import Client

from agentstore import AsyncClickHouseStore
from tests.cli.conftest import import_sample
from tests.cli.running import Cli
from tests.local.server_processes import acquire_now


def execute(cli: Cli, statement: str) -> None:
    endpoint = acquire_now(cli.home / "store")
    with Client(endpoint.host, endpoint.port, "agentstore", endpoint.user, endpoint.password) as client:
        client.execute(statement)


def test_it_is_read_while_that_works_and_then_told_in_one_sentence(own_cli: Cli) -> None:
    asyncio.run(import_sample(own_cli.dsn))
    execute(own_cli, "INSERT INTO schema_migrations (version, name, checksum) VALUES (900, 'later', 'x')")
    assert own_cli("sessions").code == 0

    # What a newer version may have done: its lists are read from elsewhere.
    execute(own_cli, "DROP TABLE session_facts")
    done = own_cli("sessions")
    assert (done.code, done.out) == (2, "")
    said, hint = done.err.splitlines()
    assert said.startswith("agentstore: the database is at schema version 900")
    assert hint == "  upgrade agentstore"


def test_a_local_store_of_an_older_version_is_brought_up_to_date(own_cli: Cli) -> None:
    async def make() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()

    asyncio.run(make())
    for table in ("model_prices", "session_facts"):
        execute(own_cli, f"DROP TABLE {table}")
    execute(own_cli, "TRUNCATE TABLE schema_migrations")
    assert own_cli("sessions").code == 1
