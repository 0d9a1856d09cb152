"""Several texts in one column: what comes back, and what a condition on them cannot take for each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.connection.sql import identifier
from agentstore.write.joined import encode_joined, escaped, holds_any, parted

# Of few characters, so that escapes and what looks like one meet.
nasty = st.text(st.sampled_from("\0\x01\x02a"), min_size=1, max_size=6)


@given(st.lists(nasty, max_size=5).map(tuple))
def test_texts_come_back(texts: tuple[str, ...]) -> None:
    (column,) = encode_joined([texts])
    value = column[1:].decode()  # after its length, which is one byte
    assert len(value) == column[0]
    assert parted(value) == texts
    assert value.split("\0") == [escaped(text) for text in texts or ("",)]


@given(nasty, nasty)
def test_no_two_texts_are_one(one: str, other: str) -> None:
    assert (escaped(one) == escaped(other)) == (one == other)
    assert "\0" not in escaped(one)


def test_a_condition_is_about_whole_texts() -> None:
    assert str(holds_any(identifier("ids"), ["a\0", "it's"])) == (
        "hasAny(splitByChar('\\0', `ids`), ['a\x01\x02', 'it\\'s'])"
    )


@pytest.mark.parametrize("wrong", [["a"], "a", None, ("a", ""), (1,), (b"a",), (None,)])
def test_what_is_no_tuple_of_texts_is_refused(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_joined([("a",), wrong])  # type: ignore[list-item]
