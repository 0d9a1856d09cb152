"""The server and the highlighter mean the same by "case-insensitive", for every letter that has case."""

from __future__ import annotations

import sys

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, join, sql
from agentstore.read.search import folding
from agentstore.read.search.term_sql import contains
from tests.live.connections import connected
from tests.servers import Server

EVERY = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
CASED = [char for char in EVERY if len({char, char.lower(), char.upper(), char.title(), char.casefold()}) > 1]
BATCH = 150


async def cased_for_the_server(connection: NativeConnection) -> list[str]:
    [found] = await connection.fetch(
        sql(
            "SELECT character FROM (SELECT arrayJoin(ngrams({all}, 1)) AS character)"
            " WHERE lowerUTF8(character) != character OR upperUTF8(character) != character",
            all="".join(EVERY),
        ),
        {},
        timeout=60,
    )
    return [str(character) for character in found]


async def found_by(connection: NativeConnection, needles: list[str], texts: Sql) -> list[str]:
    """For each needle, all characters of the texts that contain it, according to the server."""
    columns = await connection.fetch(
        sql(
            "SELECT {columns} FROM (SELECT arrayJoin(ngrams({texts}, 1)) AS character)",
            columns=join(
                ", ",
                (
                    sql(
                        "arrayStringConcat(arraySort(groupArrayIf(character, {hit})))",
                        hit=contains(Sql("character"), needle),
                    )
                    for needle in needles
                ),
            ),
            texts=texts,
        ),
        {"max_expanded_ast_elements": 10_000_000, "max_ast_elements": 10_000_000},
        timeout=60,
    )
    return [str(column[0]) for column in columns]


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_every_cased_letter(server: Server, store: AsyncClickHouseStore) -> None:
    assert len(CASED) > 2800
    async with connected(store) as connection:
        characters = sorted({*CASED, *await cased_for_the_server(connection), *map(chr, range(0x250))})
        texts = Sql(sql("{texts}", texts="".join(characters)).text)
        wrong = {}
        for start in range(0, len(characters), BATCH):
            needles = characters[start : start + BATCH]
            for needle, found in zip(needles, await found_by(connection, needles, texts), strict=True):
                expected = "".join(char for char in folding.variants(needle) if char in set(characters))
                if found != expected:
                    wrong[needle] = (found, expected)
    assert wrong == {}
