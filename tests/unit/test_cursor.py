"""Cursors: exactly the key of the last row, safe in a URL; anything else is refused."""

from __future__ import annotations

import base64
import datetime as dt
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore import InvalidCursorError
from agentstore.connection.sql import ticks
from agentstore.read.cursor import (
    SearchCursor,
    WordsCursor,
    decode_search_cursor,
    decode_session_cursor,
    decode_words_cursor,
    encode_search_cursor,
    encode_session_cursor,
)
from tests.hostile import TEXTS
from tests.strategies import moments, texts

URL_SAFE = re.compile(r"[A-Za-z0-9_-]+")
ids = texts.filter(bool)


@given(st.none() | moments, ids)
def test_session_cursors_come_back(started_at: dt.datetime | None, id: str) -> None:
    cursor = encode_session_cursor(started_at, id)
    assert URL_SAFE.fullmatch(cursor)
    assert decode_session_cursor(cursor) == (started_at, id)


@given(
    st.none() | moments.map(ticks), ids, st.integers(0, 2**32 - 1), st.integers(0, 1), texts, st.integers(0, 2**32 - 1)
)
def test_search_cursors_come_back(moment: int | None, id: str, ordinal: int, kind: int, call: str, index: int) -> None:
    last = SearchCursor((moment, id, ordinal, kind, call, index), ordinal)
    cursor = encode_search_cursor(last)
    assert URL_SAFE.fullmatch(cursor)
    assert decode_search_cursor(cursor) == last


@given(
    st.none() | moments.map(ticks), ids, st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1),
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
)  # fmt: skip
def test_cursors_by_words_come_back_to_the_last_bit(
    moment: int | None, id: str, score: int, total: int, average: float
) -> None:
    last = WordsCursor(score, (moment, id, total, 1, id, 2), total, average)
    cursor = encode_search_cursor(last)
    assert URL_SAFE.fullmatch(cursor)
    assert decode_words_cursor(cursor) == last
    with pytest.raises(InvalidCursorError):
        decode_search_cursor(cursor)
    with pytest.raises(InvalidCursorError):
        decode_words_cursor(encode_search_cursor(SearchCursor(last.key, total)))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_ids(text: str) -> None:
    assert decode_session_cursor(encode_session_cursor(None, text)) == (None, text)
    last = SearchCursor((None, text, 0, 1, text, 0), 7)
    assert decode_search_cursor(encode_search_cursor(last)) == last


def test_a_session_cursor_is_base64_of_time_and_id() -> None:
    moment = dt.datetime(2026, 1, 5, 12, 0, 0, 7, dt.timezone(dt.timedelta(hours=2)))
    cursor = encode_session_cursor(moment, "a|b")
    assert base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)) == b"2026-01-05T10:00:00.000007Z|a|b"
    assert decode_session_cursor(cursor) == (moment, "a|b")
    # As others write it: padded, and with another precision or zone.
    other = base64.urlsafe_b64encode(b"2026-01-05T11:00:00+01:00|x").decode()
    assert decode_session_cursor(other) == (dt.datetime(2026, 1, 5, 10, tzinfo=dt.UTC), "x")


def wrapped(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


GARBAGE: list[Any] = [
    "x", "====", "!!!!", "ä", "\ud800", "a b", "\0", "'; --", wrapped(""), wrapped("|"), wrapped("no bar"),
    wrapped("|") + "!", wrapped("yesterday|s"), wrapped("2026-01-05T00:00:00|naive"), wrapped("2026-01-05|s"),
    wrapped("2026-13-45T00:00:00Z|s"), wrapped("99999-01-01T00:00:00Z|s"), wrapped("2026-01-05T00:00:00Z|"),
    base64.urlsafe_b64encode(b"\xff\xfe|\xff").decode(), None, 5, b"x", ["x"],
]  # fmt: skip
SEARCH_GARBAGE: list[Any] = [
    *(one for one in GARBAGE), wrapped("[]"), wrapped("{}"), wrapped("null"), wrapped('[1, "s", 0, 0, "t"]'),
    wrapped('["1", "s", 0, 0, "t", 0]'), wrapped('[1, "s", 0.5, 0, "t", 0]'), wrapped('[1, null, 0, 0, "t", 0]'),
    wrapped('[1, "s", 0, 0, "t", 0, 0]'), wrapped('[1e30, "s", 0, 0, "t", 0]'),
    wrapped(f'[{10**30}, "s", 0, 0, "t", 0]'),
    wrapped(f'[1, "s", {10**30}, 0, "t", 0]'), wrapped('[1, "s", -1, 0, "t", 0]'), wrapped('[1, "s", 0, 7, "t", 0]'),
    wrapped(f'[1, "s", 0, 0, "t", {2**32}]'),
]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE, ids=ascii)
def test_garbage_is_no_session_cursor(garbage: Any) -> None:
    with pytest.raises(InvalidCursorError, match=r"^cursor: ") as caught:
        decode_session_cursor(garbage)
    assert caught.value.field == "cursor"
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("garbage", SEARCH_GARBAGE, ids=ascii)
def test_garbage_is_no_search_cursor(garbage: Any) -> None:
    with pytest.raises(InvalidCursorError, match=r"^cursor: "):
        decode_search_cursor(garbage)


KEY = '[1, "s", 0, 0, "t", 0]'
WORDS_GARBAGE: list[Any] = [
    *SEARCH_GARBAGE, wrapped(f"[1, {KEY}, 1]"), wrapped(f"[1, {KEY}, 1, 0]"), wrapped(f"[1, {KEY}, 1, -1.5]"),
    wrapped(f"[1, {KEY}, 1, NaN]"), wrapped(f"[1, {KEY}, 1, 1e999]"), wrapped(f"[1.5, {KEY}, 1, 1.5]"),
    wrapped(f"[-1, {KEY}, 1, 1.5]"), wrapped(f"[{2**63}, {KEY}, 1, 1.5]"), wrapped(f"[1, {KEY}, -1, 1.5]"),
    wrapped(f"[1, {KEY}, {2**32}, 1.5]"), wrapped('[1, [1, "s", 0, 0, "t"], 1, 1.5]'),
]  # fmt: skip


@pytest.mark.parametrize("garbage", WORDS_GARBAGE, ids=ascii)
def test_garbage_is_no_cursor_by_words(garbage: Any) -> None:
    with pytest.raises(InvalidCursorError, match=r"^cursor: "):
        decode_words_cursor(garbage)


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_random_garbage_is_refused_or_is_a_key(garbage: str) -> None:
    for decode in (decode_session_cursor, decode_search_cursor, decode_words_cursor):
        try:
            decode(garbage)
        except InvalidCursorError:
            continue
        assert garbage  # what decodes is a key like ours; the empty cursor never is
