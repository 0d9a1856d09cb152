"""Bytes in a column that nobody searches: smaller, and the same again."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentstore.packed import pack, unpack


@given(st.binary(max_size=200), st.integers(1, 400))
@example(b"", 1)
@example(b"\0", 1)
@example(b"\1", 20_000)
def test_what_is_packed_comes_back(data: bytes, times: int) -> None:
    assert unpack(pack(data * times)) == data * times


def test_long_texts_get_small_and_others_hardly_longer() -> None:
    assert len(pack(b'{"type":"user"}\n' * 10_000)) < 1000
    noise = random.Random(1).randbytes(100_000)
    assert len(pack(noise)) < len(noise) + 100
    assert len(pack(b"short")) == len(b"short") + 1


@pytest.mark.parametrize("data", [b"", b"\2x", b"text", b"\1", b"\1damaged", pack(b"x" * 20_000)[:-3]])
def test_what_was_not_packed_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"packed|damaged"):
        unpack(data)
