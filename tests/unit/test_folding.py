"""What "case-insensitive" means: an equivalence of code points, and the same for the highlighter."""

from __future__ import annotations

import re
import sys

import pytest

from agentstore.read.search import folding

EVERY = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
CASED = [char for char in EVERY if len({char, char.lower(), char.upper(), char.title(), char.casefold()}) > 1]


def test_equality_is_an_equivalence_and_python_highlights_by_it() -> None:
    for char in CASED:
        same = folding.variants(char)
        assert char in same
        for other in same:
            assert folding.variants(other) == same
            assert re.compile(folding.pattern(char)).fullmatch(other)


def test_simple_case_pairs_are_equal_and_the_exceptions_are_the_documented_ones() -> None:
    apart = set()
    for char in CASED:
        for other in (char.lower(), char.upper(), char.title()):
            if len(other) == 1 and other not in folding.variants(char):
                apart.add(char)
    assert apart == set("ſ\u2126\u212a\u212b\u1c80\u1c81\u1c82\u1c83\u1c84\u1c85\u1c86\u1c87\u1c88ı")


def test_what_has_no_case_stands_for_itself() -> None:
    cased = set(CASED)
    for char in EVERY:
        if char not in cased:
            assert folding.variants(char) == char


@pytest.mark.parametrize(
    ("needle", "text"),
    [("ä", "Ä"), ("STRAẞE", "straße"), ("σς", "ΣΣ"), ("a.b", "A.B"), ("[x]", "[X]"), ("\\d", "\\D"), ("ǆ^$", "ǅ^$")],
)
def test_a_needle_is_a_pattern_for_itself_in_any_case(needle: str, text: str) -> None:
    assert re.compile(folding.pattern(needle)).fullmatch(text)
    assert not re.compile(folding.pattern(needle)).search("something else")


@pytest.mark.parametrize(
    ("needle", "text"),
    [("a.b", "axb"), ("ss", "ß"), ("ß", "ss"), ("s", "ſ"), ("k", "\u212a"), ("i", "ı"), ("i", "İ"), ("\\d", "5")],
)
def test_what_is_not_equal(needle: str, text: str) -> None:
    assert not re.compile(folding.pattern(needle)).search(text)


def test_the_fast_search_is_used_for_plain_letters_and_not_where_it_differs() -> None:
    for needle in ("needle", "ÄRGER", "привет", "日本", "100%_\\", "\0"):
        assert folding.folds_on_server(needle)
    for needle in ("ẞ", "ς", "ǆ", "İ", "plain ẞ"):
        assert not folding.folds_on_server(needle)
