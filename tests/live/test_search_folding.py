"""The server and the highlighter mean the same by "case-insensitive", for every letter that has case."""

from __future__ import annotations

import sys

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import Sql, join, sql
from agentstore.read import folding
from agentstore.read.search import contains
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


def test_equality_is_an_equivalence_and_python_highlights_by_it() -> None:
    for char in CASED:
        same = folding.variants(char)
        assert char in same
        for other in same:
            assert folding.variants(other) == same
            assert folding.compiled(char).fullmatch(other)


def test_simple_case_pairs_are_equal_and_the_exceptions_are_the_documented_ones() -> None:
    apart = set()
    for char in CASED:
        for other in (char.lower(), char.upper(), char.title()):
            if len(other) == 1 and other not in folding.variants(char):
                apart.add(char)
    assert apart == set("ſ\u2126\u212a\u212b\u1c80\u1c81\u1c82\u1c83\u1c84\u1c85\u1c86\u1c87\u1c88ı")
