"""Which messages are shown at once, and where a link points to now."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.models import MessageOutline
from agentstore.web.conversation import windows
from agentstore.web.conversation.windows import MOST_CHARACTERS, MOST_MESSAGES, Found, Window, weight
from agentstore.web.links import micros

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def outline(*lengths: int, step: int = 1) -> list[MessageOutline]:
    return [MessageOutline(number * step, content_length=length) for number, length in enumerate(lengths)]


messages = st.lists(
    st.tuples(st.integers(1, 5), st.integers(0, 10**8), st.integers(0, 50), st.integers(0, 10**8)), max_size=200
).map(
    lambda rows: [
        MessageOutline(
            sum(row[0] for row in rows[: number + 1]), content_length=row[1], call_count=row[2], result_length=row[3]
        )
        for number, row in enumerate(rows)
    ]
)


def inside(found: list[MessageOutline], window: Window) -> list[MessageOutline]:
    return [one for one in found if window.first <= one.ordinal <= window.last]


def is_bounded(shown: list[MessageOutline]) -> bool:
    """By number and weight; one alone may be as long as it is."""
    return len(shown) <= MOST_MESSAGES and (len(shown) == 1 or sum(map(weight, shown[:-1])) <= MOST_CHARACTERS)


@given(messages)
def test_windows_one_after_the_other_are_the_whole_session(found: list[MessageOutline]) -> None:
    seen, window = [], windows.first(found)
    while not window.is_empty:
        shown = inside(found, window)
        assert shown
        assert is_bounded(shown)
        seen += shown
        assert window.later is (len(seen) < len(found))
        window = windows.after(found, window.last)
    assert seen == found


@given(messages)
def test_the_same_from_its_end(found: list[MessageOutline]) -> None:
    seen: list[MessageOutline] = []
    window = windows.last(found)
    while not window.is_empty:
        shown = inside(found, window)
        assert is_bounded(shown)
        seen = shown + seen
        assert window.earlier is (len(seen) < len(found))
        window = windows.before(found, window.first)
    assert seen == found


@given(messages, st.integers(0, 1200))
def test_a_jump_shows_what_was_asked_for(found: list[MessageOutline], ordinal: int) -> None:
    window = windows.around(found, ordinal)
    shown = inside(found, window)
    assert bool(shown) is bool(found)
    later = [one for one in found if one.ordinal >= ordinal]
    if later:
        assert later[0] in shown
    if shown:
        assert window.earlier is (shown[0] is not found[0])
        assert window.later is (shown[-1] is not found[-1])


def test_a_message_of_megabytes_is_shown_with_others_since_only_its_beginning_is() -> None:
    found = outline(*[100] * 10, 50_000_000, *[100] * 10)
    assert windows.first(found) == Window(0, 20, False, False)


@pytest.mark.parametrize(
    ("at", "source", "when", "expected"),
    [
        (1, "b", None, Found(1, "here")),
        (1, "", None, Found(1, "here")),
        (1, "d", None, Found(3, "moved")),
        (0, "d", None, Found(3, "moved")),
        (1, "x", None, Found(1, "gone")),
        (9, "", None, Found(3, "gone")),
        (2, "", NOON + dt.timedelta(seconds=2), Found(2, "here")),
        (0, "", NOON + dt.timedelta(seconds=2), Found(2, "moved")),
        (0, "", NOON - dt.timedelta(days=1), Found(0, "gone")),
    ],
)
def test_where_a_link_points_to_now(at: int, source: str, when: dt.datetime | None, expected: Found) -> None:
    found = [
        MessageOutline(number, source_id=id, timestamp=NOON + dt.timedelta(seconds=number))
        for number, id in enumerate("abcd")
    ]
    assert windows.find(found, at, source, micros(when) if when else None) == expected


def test_a_link_into_an_empty_session_is_gone() -> None:
    assert windows.find([], 3) == Found(3, "gone")
    assert windows.around([], 3).is_empty
