"""One local store with the sample in it, for all tests of the command line that only read."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.ingest import ingest
from tests.cli.long_session import write_long_session
from tests.cli.running import Cli
from tests.local.server_processes import end_all_servers

SAMPLES = Path(str(files("agentstore"))) / "samples"
USERS = {"ada": "Ada", "jonas": "Jonas", "mei": "Mei 美"}


async def import_sample(dsn: str, org: str = "local", *, again: bool = False) -> None:
    """The sample, each user's part as theirs."""
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        for user, name in USERS.items():
            async for _ in ingest(
                store, org, places=SAMPLES / user, user=user, user_name=name, machine="tide", again=again
            ):
                pass


@pytest.fixture(scope="session")
def sample_cli() -> Iterator[Cli]:
    """The sample, in a store that no test writes to."""
    home = Path(tempfile.mkdtemp(prefix="agentstore-cli-"))
    try:
        dsn = f"local:{home / 'store'}"
        asyncio.run(import_sample(dsn))
        yield Cli(home, dsn)
    finally:
        end_all_servers(home)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def long_cli() -> Iterator[Cli]:
    """A store with one long session in it, that no test writes to."""
    for cli in fresh_cli():
        asyncio.run(write_long_session(cli.dsn))
        yield cli


@pytest.fixture
def own_cli() -> Iterator[Cli]:
    """A store of the test's own, that does not exist yet."""
    yield from fresh_cli()


@pytest.fixture(scope="module")
def module_cli() -> Iterator[Cli]:
    """A store of the module's own, that does not exist yet."""
    yield from fresh_cli()


def fresh_cli() -> Iterator[Cli]:
    home = Path(tempfile.mkdtemp(prefix="agentstore-cli-"))
    try:
        yield Cli(home, f"local:{home / 'store'}")
    finally:
        end_all_servers(home)
        shutil.rmtree(home, ignore_errors=True)
