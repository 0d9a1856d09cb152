"""Snippets against the plain reference, over random texts and windows."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from agentstore.models import Highlight
from agentstore.read.search.snippet import BEFORE, ELLIPSIS, LENGTH, assemble
from agentstore.read.search.tokens import Term
from tests import reference

letters = st.sampled_from(list("aAbBäÄßẞςσΣ日😀%_\\.*[ \n\0"))
fillers = st.builds(lambda char, count: char * count, letters, st.integers(0, 260))
texts = st.lists(st.one_of(fillers, st.text(letters, max_size=8)), max_size=5).map("".join)
needles = st.text(letters, min_size=1, max_size=4)


def cut(text: str, *terms: Term) -> tuple[str, int]:
    """The window as the server cuts it: from the first hit, counted from 1, with its neighbours."""
    first = min(start for term in terms for start, _ in term.hits(text))
    start = max(min(first + 1 - 1 - BEFORE, len(text) - LENGTH), 0)
    return f" {text}"[start : start + LENGTH + 2], start


@given(texts, needles, texts)
def test_every_snippet_is_that_of_the_reference(before: str, needle: str, after: str) -> None:
    text = before + needle + after
    around, start = cut(text, Term(needle))
    assert assemble(around, start, len(text), [Term(needle)]) == reference.snippet(text, needle)


@given(texts, needles, texts)
def test_what_every_snippet_keeps(before: str, needle: str, after: str) -> None:
    text = before + needle + after
    around, start = cut(text, Term(needle))
    shown, marks = assemble(around, start, len(text), [Term(needle)])
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
    needle = [Term("x")]
    assert assemble(" axb", 0, 3, needle) == ("axb", [Highlight(1, 2)])
    long = "x" + "." * 198 + "b"
    assert assemble(f"?{long}", 1, 201, needle) == (f"...{long}", [Highlight(3, 4)])
    assert assemble(f" {long}?", 0, 201, needle) == (f"{long}...", [Highlight(0, 1)])
    assert assemble(f"?{long}?", 1, 202, needle) == (f"...{long}...", [Highlight(3, 4)])
    assert assemble(" abc", 0, 3, needle) == ("abc", [])
