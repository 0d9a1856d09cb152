"""A local store with other people's transcripts in it, that no test here writes to, and fresh ones."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.ingest import ingest
from tests.local.server_processes import end_all_servers

ROOT = Path(__file__).resolve().parents[2]
TRANSCRIPTS = Path(os.environ.get("AGENTSTORE_TRANSCRIPTS") or ROOT.parent / "shared" / "transcripts")


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory of the test's own, whose servers end with it."""
    yield from _home()


@pytest.fixture(scope="session")
def transcripts() -> Iterator[tuple[Path, str]]:
    """A home and the DSN of the store in it."""
    if not TRANSCRIPTS.is_dir():
        pytest.skip(f"no transcripts at {TRANSCRIPTS} (AGENTSTORE_TRANSCRIPTS names another place)")
    for home in _home():
        dsn = f"local:{home / 'store'}"
        asyncio.run(_fill(dsn))
        yield home, dsn


async def _fill(dsn: str) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        async for _ in ingest(
            store, "local", places=TRANSCRIPTS, user="ada", user_name="Ada", machine="tide", mask=False
        ):
            pass


def _home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="agentstore-mcp-"))
    try:
        yield home
    finally:
        end_all_servers(home)
        shutil.rmtree(home, ignore_errors=True)
