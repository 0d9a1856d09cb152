"""Columns of values to bytes, against an independent reader; what does not fit is refused."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.connection.sql import EPOCH
from agentstore.write.encoding import (
    Encoder,
    choice,
    encode_bools,
    encode_strings,
    encode_times,
    encode_varint,
    nullable,
    required,
    unsigned,
)
from tests.strategies import texts
from tests.unit.native_reader import column, varint

# Away from the ends of the calendar, where a zone leads out of it.
any_moments = st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=st.timezones() | st.just(dt.UTC))
COLUMNS: dict[str, tuple[str, Encoder, st.SearchStrategy[Any]]] = {
    "strings": ("String", encode_strings, texts),
    "bools": ("Bool", encode_bools, st.booleans()),
    "uint8": ("UInt8", unsigned(8), st.integers(0, 2**8 - 1)),
    "uint32": ("UInt32", unsigned(32), st.integers(0, 2**32 - 1)),
    "uint64": ("UInt64", unsigned(64), st.integers(0, 2**64 - 1)),
    "times": ("DateTime64(6, 'UTC')", encode_times, any_moments),
    "nullable times": ("Nullable(DateTime64(6, 'UTC'))", nullable(encode_times, EPOCH), st.none() | any_moments),
    "nullable ints": ("Nullable(UInt64)", nullable(unsigned(64), 0), st.none() | st.integers(0, 2**64 - 1)),
    "choices": ("String", choice("", "a", "ä"), st.sampled_from(["", "a", "ä"])),
    "ids": ("String", required, texts.filter(bool)),
}


@given(st.integers(0, 2**63))
def test_varints(number: int) -> None:
    stream = io.BytesIO(encode_varint(number))
    assert varint(stream) == number
    assert stream.read() == b""


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_what_is_encoded_is_read_back(name: str, data: st.DataObject) -> None:
    kind, encode, values = COLUMNS[name]
    given = data.draw(st.lists(values, max_size=20))
    stream = io.BytesIO(b"".join(encode(given)))
    # In UTC: Python calls two times of different zones unequal, always, where one of them stands in a change of clocks.
    assert column(stream, kind, len(given)) == [
        value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value for value in given
    ]
    assert stream.read() == b""


@pytest.mark.parametrize("name", COLUMNS)
@given(data=st.data())
def test_chunks_joined_segment_by_segment_are_the_whole(name: str, data: st.DataObject) -> None:
    _, encode, values = COLUMNS[name]
    first, second = data.draw(st.lists(values, max_size=10)), data.draw(st.lists(values, max_size=10))
    joined = tuple(a + b for a, b in zip(encode(first), encode(second), strict=True))
    assert joined == encode([*first, *second])


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16383, 16384, 2**21])
def test_texts_around_the_lengths_where_their_varints_grow(length: int) -> None:
    stream = io.BytesIO(b"".join(encode_strings(["x" * length, "y"])))
    assert column(stream, "String", 2) == ["x" * length, "y"]


@given(st.lists(st.text(), max_size=10))
def test_halves_of_characters_become_replacement_characters(given: list[str]) -> None:
    stream = io.BytesIO(b"".join(encode_strings(given)))
    expected = ["".join("\ufffd" if 0xD800 <= ord(one) <= 0xDFFF else one for one in text) for text in given]
    assert column(stream, "String", len(given)) == expected


NAIVE = dt.datetime(2026, 1, 1)
REFUSED: list[tuple[Encoder, Sequence[Any], str]] = [
    (unsigned(8), [256], "0 … 255"),
    (unsigned(32), [-1], "0 … 4294967295"),
    (unsigned(32), [2**32], "0 … 4294967295"),
    (unsigned(64), [2**64], "0 … 18446744073709551615"),
    (unsigned(64), [True], "expected an int"),
    (unsigned(64), [1.0], "expected an int"),
    (unsigned(64), ["1"], "expected an int"),
    (unsigned(64), [None], "expected an int"),
    (encode_bools, [1], "expected a bool"),
    (encode_bools, [None], "expected a bool"),
    (encode_bools, ["yes"], "expected a bool"),
    (encode_strings, [None], "expected a str"),
    (encode_strings, [b"x"], "expected a str"),
    (encode_strings, [5], "expected a str"),
    (required, [""], "is missing"),
    (required, [None], "expected a str"),
    (choice("a", "b"), ["c"], "expected one of 'a', 'b'"),
    (choice("a", "b"), [None], "expected one of"),
    (encode_times, [NAIVE], "with a timezone"),
    (encode_times, [dt.date(2026, 1, 1)], "with a timezone"),
    (encode_times, ["2026-01-01T00:00:00Z"], "with a timezone"),
    (encode_times, [0], "with a timezone"),
    (nullable(encode_times, EPOCH), [None, NAIVE], "with a timezone"),
    (nullable(unsigned(64), 0), [None, -1], "0 …"),
]


def shown(value: object) -> str:
    """Without the address of a function: every process has to name the tests alike."""
    return str(getattr(value, "__name__", repr(value)))[:30]


@pytest.mark.parametrize(("encode", "values", "reason"), REFUSED, ids=shown)
def test_what_does_not_fit_is_refused(encode: Encoder, values: Sequence[Any], reason: str) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError), match=reason):
        encode(values)


def test_one_that_does_not_fit_among_many_is_refused_too() -> None:
    with pytest.raises(TypeError, match="expected an int"):
        unsigned(32)([1] * 1000 + [True])
    with pytest.raises(ValueError, match="is missing"):
        required(["x"] * 1000 + [""])
    with pytest.raises(AttributeError):
        encode_strings(["\ud800", None])  # type: ignore[list-item]
