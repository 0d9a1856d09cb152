"""A literal selected back is the same value; an identifier is the name it quotes."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentstore.connection.dial import dial
from agentstore.connection.driver import NativeConnection
from agentstore.connection.sql import identifier, join, sql, valid_text
from agentstore.settings import resolve_target
from tests.hostile import SURROGATES, TEXTS
from tests.servers import Server

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EPOCH, TICK = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.timedelta(microseconds=1)
EARLIEST, LATEST = dt.datetime(1900, 1, 1), dt.datetime(2299, 12, 31, 23, 59, 59, 999999)
ZONES = st.timezones() | st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)))


class Asker:
    """Runs queries from plain code, as property tests want it."""

    def __init__(self, runner: asyncio.Runner, connection: NativeConnection) -> None:
        self._runner = runner
        self._connection = connection

    def select(self, *values: Any) -> list[Any]:
        """The values as the server sends them back."""
        query = sql("SELECT {values}", values=join(", ", (sql("{value}", value=value) for value in values)))
        columns = self._runner.run(self._connection.fetch(query, {}, timeout=60))
        return [column[0] for column in columns]


@pytest.fixture(scope="module")
def asker(server: Server, database: str) -> Iterator[Asker]:
    with asyncio.Runner() as runner:
        connection = runner.run(dial(resolve_target(server.dsn, {"database": database}), "default"))
        yield Asker(runner, connection)
        runner.run(connection.close())


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_texts(asker: Asker, name: str) -> None:
    assert asker.select(TEXTS[name], f"{TEXTS[name]}'", 1) == [TEXTS[name], f"{TEXTS[name]}'", 1]


@pytest.mark.parametrize("name", SURROGATES)
def test_lone_surrogates(asker: Asker, name: str) -> None:
    given, stored = SURROGATES[name]
    assert asker.select(given) == [stored]


@QUICK
@given(st.lists(st.text(), min_size=1, max_size=20))
def test_any_text(asker: Asker, texts: list[str]) -> None:
    assert asker.select(*texts) == [valid_text(text) for text in texts]


@QUICK
@given(st.lists(st.text(alphabet="'\\\"`%\0\n{}-/*;ntx0", max_size=12), min_size=1, max_size=20))
def test_any_mixture_of_the_characters_that_mean_something(asker: Asker, texts: list[str]) -> None:
    assert asker.select(*texts) == texts


@QUICK
@given(st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1, max_size=20))
def test_any_int(asker: Asker, numbers: list[int]) -> None:
    assert asker.select(*numbers) == numbers


@QUICK
@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_any_float(asker: Asker, numbers: list[float]) -> None:
    for number, found in zip(numbers, asker.select(*numbers), strict=True):
        assert isinstance(found, float)
        assert found == number or (math.isnan(found) and math.isnan(number))


@QUICK
@given(st.lists(st.datetimes(EARLIEST, LATEST, timezones=ZONES), min_size=1, max_size=20))
def test_any_time_of_any_zone_to_the_microsecond(asker: Asker, moments: list[dt.datetime]) -> None:
    within = [moment for moment in moments if EARLIEST <= moment.astimezone(dt.UTC).replace(tzinfo=None) <= LATEST]
    if within:
        # Asked for as integers: the driver itself loses digits of the times it reads.
        found = asker.select(*(sql("toUnixTimestamp64Micro({moment})", moment=moment) for moment in within))
        assert found == [(moment - EPOCH) // TICK for moment in within]


@QUICK
@given(st.lists(st.dates(dt.date(1900, 1, 1), dt.date(2299, 12, 31)), min_size=1, max_size=20))
def test_any_date(asker: Asker, days: list[dt.date]) -> None:
    assert asker.select(*days) == days


def test_none_and_bools_keep_their_types(asker: Asker) -> None:
    assert asker.select(None, True, False) == [None, True, False]
    assert [type(value) for value in asker.select(True, 1)] == [bool, int]


@QUICK
@given(st.lists(st.text(max_size=8), max_size=6), st.lists(st.text(max_size=8), min_size=1, max_size=6))
def test_lists_are_arrays_and_tuples_are_in_lists(asker: Asker, texts: list[str], several: list[str]) -> None:
    [array, first] = asker.select(texts, sql("{one} IN {several}", one=several[0], several=tuple(several)))
    assert list(array) == [valid_text(text) for text in texts]
    assert first == 1
    pairs = tuple((text, n) for n, text in enumerate(several))
    assert asker.select(sql("({one}, 0) IN {pairs}", one=several[0], pairs=pairs)) == [1]


@QUICK
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8))
def test_any_name_is_an_identifier(asker: Asker, names: list[str]) -> None:
    for name in names:
        query = sql("(SELECT {name} FROM (SELECT 'value' AS {name}, 'other' AS {longer}))",
                    name=identifier(name), longer=identifier(f"{name}`"))  # fmt: skip
        assert asker.select(query) == ["value"]
