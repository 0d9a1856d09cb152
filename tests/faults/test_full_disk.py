"""A full disk, a file that may not grow, and a part cut short: what was acknowledged is there.

``AGENTSTORE_FAULT_SCHEDULES`` says how often the disk is filled: once for every hundred.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentstore import AgentStoreError, AsyncClickHouseStore, Message, QueryError, Session
from agentstore.connection.sql import Sql
from agentstore.local.client.acquire import find_running, stop
from agentstore.local.directory.layout import resolve
from tests.faults.volume import SmallVolume, small_volume
from tests.live.copies import differences
from tests.local.server_processes import end_all_servers, kill_server, start_python

MEGABYTE = 1 << 20
ROUNDS = max(1, int(os.environ.get("AGENTSTORE_FAULT_SCHEDULES", "24")) // 100)
LIMITED = """\
import resource, sys
from agentstore.local.engine import write_guard
def nowhere(library):
    raise write_guard.UnguardedError("in this test")
if "guarded" not in sys.argv:
    write_guard.install = nowhere
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
from agentstore.local.process.main import main
sys.exit(main(["--path", sys.argv[1]]))
"""


class Records:
    """Sessions of ten texts of 100 KB that do not compress, and those of them that were acknowledged."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.written: dict[str, list[str]] = {}
        self.acknowledged: set[str] = set()

    async def write(self, store: AsyncClickHouseStore, count: int = 10) -> None:
        """One more session."""
        id = f"s{len(self.written)}"
        texts = self.written[id] = [self._rng.randbytes(50_000).hex() for _ in range(count)]
        messages = [Message(ordinal=n, role="user", content=text) for n, text in enumerate(texts)]
        await store.write_session("org", Session(id=id, user_message_count=1), messages)
        self.acknowledged.add(id)

    async def check(self, store: AsyncClickHouseStore) -> None:
        """Read every acknowledged session, and compare each text."""
        for id in sorted(self.acknowledged):
            found = [message.content for message in await store.get_session_messages("org", id)]
            assert found == self.written[id], f"{id} is not as it was acknowledged: {len(found)} messages"
            await store.get_session("org", id)
        assert await differences(store) == []


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[SmallVolume]:
    with small_volume(tmp_path / "volume", "200m") as found:
        try:
            yield found
        finally:
            end_all_servers(tmp_path)


def a_store(path: Path, **options: Any) -> AsyncClickHouseStore:
    return AsyncClickHouseStore(f"local:{path}", **options)


async def merge(store: AsyncClickHouseStore) -> None:
    """Merge all parts of the messages into one, as merges in the background would sooner or later."""
    assert store._lanes is not None
    for _ in range(20):
        try:
            return await store._lanes.reads.execute(Sql("OPTIMIZE TABLE messages FINAL"))
        except QueryError as error:
            # ABORTED: it met the server stopping all merges while the disk was full, and is to be tried again.
            if error.code != 236:
                raise
            await store._lanes.reads.fetch(Sql("SELECT sleep(0.5)"))
    raise AssertionError("merges stay stopped")


def cut_short(part: Path) -> None:
    """Take half of its largest file from a part."""
    largest = max(part.glob("*.bin"), key=lambda file: file.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)


async def detached(store: AsyncClickHouseStore) -> list[tuple[object, ...]]:
    assert store._lanes is not None
    return await store._lanes.reads.fetch(Sql("SELECT table, name, reason FROM system.detached_parts"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_a_full_disk_loses_nothing(volume: SmallVolume, seed: int) -> None:
    """Another program takes the space while parts are merged, reads go on, a kill changes nothing, and writes go on."""
    leave = [0, 6 * MEGABYTE, 1 * MEGABYTE, 12 * MEGABYTE][seed % 4]
    records, path = Records(seed), volume.path / "store"
    store = await a_store(path, write_timeout_seconds=120).open()
    await store.ensure_schema()
    for _ in range(45):
        await records.write(store)
    volume.fill(leave)
    waiting = asyncio.create_task(records.write(store))
    await records.check(store)
    endpoint = find_running(resolve(path))
    if endpoint is not None:
        await asyncio.to_thread(kill_server, path, endpoint)
    await records.check(store)
    volume.give_back()
    await waiting
    await merge(store)
    await records.check(store)
    await store.aclose()
    await asyncio.to_thread(stop, path, 60)
    async with a_store(path) as store:
        await records.check(store)
        assert len(records.acknowledged) == 46
        assert await detached(store) == []
    await asyncio.to_thread(stop, path, 60)


async def test_a_write_is_refused_with_path_and_missing_bytes_and_goes_on_by_itself(volume: SmallVolume) -> None:
    records, path = Records(0), volume.path / "store"
    async with a_store(path, write_timeout_seconds=60) as store:
        await store.ensure_schema()
        await records.write(store)
        volume.fill(8 * MEGABYTE)
        assert store._lanes is not None
        insert = Sql("INSERT INTO messages (org_id, session_id, ordinal) SELECT 'org', 'other', 1")
        with pytest.raises(QueryError, match=rf"Not enough space at {path}/data: \d+ bytes are missing") as caught:
            await store._lanes.reads.execute(insert)
        assert (caught.value.code, caught.value.name, caught.value.retriable) == (243, "NOT_ENOUGH_SPACE", True)
        await store.ensure_schema()
        async with a_store(path) as other:
            await records.check(other)
        waiting = asyncio.create_task(records.write(store))
        while not store.statistics()["messages"].retries:
            assert not waiting.done()
            await asyncio.sleep(0)
        volume.give_back()
        await waiting
        await records.check(store)
    await asyncio.to_thread(stop, path, 60)


async def test_a_store_on_a_full_disk_says_so_when_it_is_opened(volume: SmallVolume) -> None:
    volume.fill(0)
    with pytest.raises(AgentStoreError, match=rf"Not enough space at {volume.path}.*: \d+ bytes are missing") as caught:
        await a_store(volume.path / "store").open()
    assert caught.value.retriable
    volume.give_back()
    async with a_store(volume.path / "store"):
        pass
    await asyncio.to_thread(stop, volume.path / "store", 60)


@pytest.mark.parametrize("guard", ["guarded", "noticed late"])
@pytest.mark.parametrize("writes", ["merge", "insert"])
async def test_files_that_may_not_grow_lose_nothing(tmp_path: Path, guard: str, writes: str) -> None:
    """Without a mount: inserts and merges over three megabytes fail in the middle, as on a disk that is full."""
    records, path = Records(0), tmp_path / "store"
    limited = start_python("-c", LIMITED, str(path), guard)
    try:
        assert limited.stdout is not None
        assert await asyncio.to_thread(limited.stdout.readline)
        store = await a_store(path).open()
        await store.ensure_schema()
        for _ in range(6):
            await records.write(store)
        if writes == "insert":
            await records.write(store, count=100)  # the server ends here, and another one gets it
        else:
            with pytest.raises(AgentStoreError):
                await merge(store)
        assert await asyncio.to_thread(limited.wait) == -signal.SIGKILL
        await records.check(store)  # of a server without a limit, which is started for it
        await merge(store)
        await records.check(store)
        assert guard != "guarded" or await detached(store) == []
        await store.aclose()
    finally:
        limited.kill()
        limited.communicate()
        end_all_servers(tmp_path)


async def test_a_merge_cut_short_is_healed_by_its_source_parts_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records, path = Records(0), tmp_path / "store"
    try:
        async with a_store(path) as store:
            await store.ensure_schema()
            for _ in range(3):
                await records.write(store)
            await merge(store)
            assert store._lanes is not None
            ((part,),) = await store._lanes.reads.fetch(
                Sql("SELECT path FROM system.parts WHERE active AND database = 'agentstore' AND table = 'messages'")
            )
        endpoint = find_running(resolve(path))
        assert endpoint is not None
        await asyncio.to_thread(kill_server, path, endpoint)
        cut_short(Path(part))
        with caplog.at_level(logging.WARNING, "agentstore"):
            store = await a_store(path).open()
        (told,) = [record.getMessage() for record in caplog.records if record.name == "agentstore"]
        assert told.startswith(
            f"part broken-on-start_{Path(part).name} of agentstore.messages is detached as 'broken-on"
        )
        assert "DROP DETACHED PART" in told
        assert "is detached (broken-on-start)" in resolve(path).log_file.read_text()
        await records.check(store)
        await store.aclose()
    finally:
        end_all_servers(tmp_path)
