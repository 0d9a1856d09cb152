"""Queries while they run: what their clients hear of them, and who may end them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asynch.errors import ServerException

from agentstore.local.protocol.wire import ByteBuffer, complete
from agentstore.local.server.server import LocalServer
from tests.local.golden import read_server_packet
from tests.local.talk import (
    DEADLINE,
    ENDLESS,
    HELLO,
    NO_TABLES,
    Raw,
    query_alone,
    query_packet,
    running,
    until,
    working,
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with running(tmp_path) as started:
        yield started


async def packets(raw: Raw) -> AsyncIterator[str]:
    """What the server says, packet by packet."""
    buffer = ByteBuffer()
    while data := await raw.reader.read(1 << 16):
        buffer.feed(data)
        while buffer.unread:
            start = buffer.pos
            try:
                twin = complete(read_server_packet(buffer, 54453))
            except Exception:  # the rest of the packet is still on its way
                buffer.pos = start
                break
            yield twin


def progress_of(twin: str) -> list[int]:
    return [int(number) for number in twin.removeprefix("PROGRESS [").rstrip("]").split(", ")]


async def test_progress_is_told_while_an_aggregation_runs(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS), NO_TABLES)
    told = [0] * 5
    async with asyncio.timeout(DEADLINE):
        count = 0
        async for twin in packets(raw):
            assert not twin.startswith("DATA")
            if twin.startswith("PROGRESS"):
                told = [old + new for old, new in zip(told, progress_of(twin), strict=True)]
                count += bool(progress_of(twin)[0])
            if count == 3:
                break
    rows, size, total = told[:3]
    assert rows > 0
    assert size == 8 * rows
    assert total == 1_000_000_000_000  # once, not with every packet
    raw.writer.write(b"\x03")
    await raw.close()


async def test_nothing_is_told_twice(server: LocalServer) -> None:
    sql = "SELECT count() FROM numbers(40000000) WHERE sipHash64(number) = 1"
    raw = await Raw.connect(server, HELLO, query_packet(sql), NO_TABLES)
    told = [0] * 5
    async with asyncio.timeout(DEADLINE * 3):
        async for twin in packets(raw):
            if twin.startswith("PROGRESS"):
                told = [old + new for old, new in zip(told, progress_of(twin), strict=True)]
            if twin == "END_OF_STREAM":
                break
    assert told[:3] == [40_000_000, 320_000_000, 40_000_000]
    await raw.close()


@pytest.mark.parametrize(
    ("condition", "killed"),
    [
        ("query_id LIKE 'mine-%'", {"mine-1", "mine-2"}),
        ("query_id LIKE '%-2' SYNC", {"mine-2"}),
        ("query_id IN ('mine-1', 'nosuch') ASYNC", {"mine-1"}),
        ("startsWith(query_id, 'mine') AND query_id != 'mine-1'", {"mine-2"}),
        ("query_id = (SELECT concat('mine', '-1'))", {"mine-1"}),
        ("user = 'default' AND query LIKE '%sipHash64%' AND query_id NOT LIKE '%KILL%'", {"mine-1", "mine-2", "it's"}),
        ("query_id = 'it\\'s'", {"it's"}),
        ("query_id LIKE 'none%'", set()),
        ("query_id = 'mine-1' TEST", {"mine-1"}),
    ],
)
async def test_queries_are_killed_by_any_condition_on_their_clients_ids(
    server: LocalServer, condition: str, killed: set[str]
) -> None:
    raws = {name: await Raw.connect(server, HELLO, query_packet(ENDLESS, name), NO_TABLES, b"\x63")
            for name in ("mine-1", "mine-2", "it's")}  # fmt: skip
    for number in (1, 2, 3):
        await working_of(server, number)
    rows = await query_alone(server, f"KILL QUERY WHERE {condition}")
    assert {row[1] for row in rows} == killed
    if not condition.endswith("TEST"):
        for name in killed:
            assert b"QUERY_WAS_CANCELLED" in await raws[name].all()
    for number, name in enumerate(raws, 1):
        if condition.endswith("TEST") or name not in killed:
            assert server._engine.running(f"connection-{number}")
    for raw in raws.values():
        await raw.close()


async def working_of(server: LocalServer, number: int) -> None:
    await until(lambda: bool(server._engine.running(f"connection-{number}")))


async def test_the_engines_own_id_names_a_query_too(server: LocalServer) -> None:
    raw = await Raw.connect(server, HELLO, query_packet(ENDLESS, "mine"), NO_TABLES, b"\x63")
    await working(server)
    (engine_id,) = server._engine.running("connection-1")
    assert [row[1] for row in await query_alone(server, f"KILL QUERY WHERE query_id = '{engine_id}'")] == ["mine"]
    assert b"QUERY_WAS_CANCELLED" in await raw.all()


async def test_a_condition_is_nothing_but_a_condition(server: LocalServer) -> None:
    for condition in ("1) UNION ALL SELECT (1", "1 --", "", "1 LIMIT 1", "query_id = 'x' SYNC SYNC"):
        if condition == "1 --":
            assert await query_alone(server, f"KILL QUERY WHERE {condition}") in ([], None)
            continue
        with pytest.raises(ServerException) as caught:
            await query_alone(server, f"KILL QUERY WHERE {condition}")
        assert caught.value.code == 62
