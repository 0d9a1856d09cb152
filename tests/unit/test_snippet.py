"""Snippets against the plain reference, over random texts and windows."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from agentstore.models import Highlight
from agentstore.read import folding
from agentstore.read.snippet import BEFORE, ELLIPSIS, LENGTH, assemble
from tests import reference

letters = st.sampled_from(list("aAbBäÄßẞςσΣ日😀%_\\.*[ \n\0"))
fillers = st.builds(lambda char, count: char * count, letters, st.integers(0, 260))
texts = st.lists(st.one_of(fillers, st.text(letters, max_size=8)), max_size=5).map("".join)
needles = st.text(letters, min_size=1, max_size=4)


def cut(text: str, needle: str) -> tuple[str, int]:
    """The window as the server cuts it: from the first hit, counted from 1."""
    found = folding.compiled(needle).search(text)
    assert found
    start = max(min(found.start() + 1 - 1 - BEFORE, len(text) - LENGTH), 0)
    return text[start : start + LENGTH], start


@given(texts, needles, texts)
def test_every_snippet_is_that_of_the_reference(before: str, needle: str, after: str) -> None:
    text = before + needle + after
    window, start = cut(text, needle)
    assert assemble(window, start, len(text), folding.compiled(needle)) == reference.snippet(text, needle)


@given(texts, needles, texts)
def test_what_every_snippet_keeps(before: str, needle: str, after: str) -> None:
    text = before + needle + after
    window, start = cut(text, needle)
    shown, marks = assemble(window, start, len(text), folding.compiled(needle))
    assert len(shown) <= LENGTH + 2 * len(ELLIPSIS)
    assert marks
    for mark, following in itertools.pairwise(marks):
        assert mark.end <= following.start
    for mark in marks:
        assert reference.positions(shown[mark.start : mark.end], needle) == [0]
        assert mark.end - mark.start == len(needle)
    if len(text) <= LENGTH:
        assert shown == text


caseless = st.sampled_from("01 %_日😀\0")


@given(st.text(caseless, max_size=20), st.text(caseless, min_size=1, max_size=3))
def test_the_reference_itself_on_texts_without_case(text: str, needle: str) -> None:
    found, position = [], text.find(needle)
    while position >= 0:
        found.append(position)
        position = text.find(needle, position + len(needle))
    assert reference.positions(text, needle) == found


def test_an_ellipsis_on_each_side_that_was_cut() -> None:
    needle = folding.compiled("x")
    assert assemble("axb", 0, 3, needle) == ("axb", [Highlight(1, 2)])
    assert assemble("axb", 1, 4, needle) == ("...axb", [Highlight(4, 5)])
    assert assemble("axb", 0, 4, needle) == ("axb...", [Highlight(1, 2)])
    assert assemble("axb", 1, 5, needle) == ("...axb...", [Highlight(4, 5)])
    assert assemble("abc", 0, 3, needle) == ("abc", [])
