"""A server is reached, written and read where fcntl and its like do not exist, as on Windows."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.local.client.acquire import acquire
from tests.servers import Server
from tests.unit.test_light_import import BLOCKED

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENT = (
    BLOCKED
    + """
import asyncio
from agentstore import AsyncClickHouseStore, Message, Session

async def main():
    async with AsyncClickHouseStore(database=sys.argv[1]) as store:
        await store.ensure_schema()
        message = Message(session_id="s", ordinal=0, role="user", content="from afar")
        await store.write_session("o", Session(id="s", user_message_count=1), [message])
        found = await store.get_session_messages("o", "s")
        print((await store.list_sessions("o")).total, [one.content for one in found])
    print([name for name in sys.modules if name.startswith("agentstore.local")])

asyncio.run(main())
"""
)


async def dsn_of(server: Server) -> str:
    """A DSN with an address and a password, also where the server is a local store's."""
    if not server.dsn.startswith("local:"):
        return server.dsn
    found = await acquire(server.dsn.removeprefix("local:"))
    return f"clickhouse://{found.user}:{found.password}@{found.host}:{found.port}"


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_server_is_used_without_posix(server: Server, fresh_database: str) -> None:
    async with AsyncClickHouseStore(server.dsn, database=fresh_database):  # keeps a local server from ending
        # Windows has USERNAME; without it and its like, the driver would ask pwd who the user is.
        environment = {**os.environ, "AGENTSTORE_DSN": await dsn_of(server), "PYTHONPATH": str(ROOT), "USERNAME": "ada"}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, fresh_database, stdout=pipe, stderr=pipe, env=environment
        )
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert output.decode().splitlines() == ["1 ['from afar']", "[]"]
