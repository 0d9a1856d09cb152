"""The words and phrases of a query, and where they stand in a text."""

from __future__ import annotations

import sys
from unicodedata import category, name

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.read.search.snippet import LENGTH, assemble
from agentstore.read.search.tokens import Term, joining_class, joins, parse
from tests import words as plain

EVERY = [chr(point) for point in range(sys.maxunicode + 1) if category(chr(point)) not in ("Cn", "Cs", "Co")]
letters = st.sampled_from(list("aAbB1_'-. \"\u0301\ufe0f\u200dßẞσςΣİıé検索かカ\u3099ｶไทย\u0e31한😀\n\0"))
texts = st.text(letters, max_size=40)


def word(text: str) -> Term:
    return Term(text, whole=True)


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("foo", [word("foo")]),
        ("  foo,bar\tBaz ", [word("foo"), word("bar"), word("Baz")]),
        ("foo FOO fOo", [word("foo")]),
        ("Σίσυφος ΣΊΣΥΦΟΣ", [word("Σίσυφος")]),
        ("don't snake_case C++ 3.14", [*map(word, ("don", "t", "snake", "case", "C", "3", "14"))]),
        ('"a b" c', [Term("a b"), word("c")]),
        ('c "a B" "A b"c', [word("c"), Term("a B")]),
        ('foo "foo"', [word("foo"), Term("foo")]),
        ('x "y z', [word("x"), Term("y z")]),
        ('x "', [word("x")]),
        ('"" "%"', [Term("%")]),
        ('" "', [Term(" ")]),
        ("naïve cafe\u0301", [word("naïve"), word("cafe\u0301")]),
        ("Pythonで全文検索", [word("Python"), Term("で全文検索")]),
        ("2024年、東京", [word("2024"), Term("年"), Term("東京")]),
        ("ภาษาไทย ລາວ ខ្មែរ မြန်မာ", [*map(Term, ("ภาษาไทย", "ລາວ", "ខ្មែរ", "မြန်မာ"))]),
        ("한국어 검색", [word("한국어"), word("검색")]),
        ("ok ❤\ufe0f 👍🏽", [word("ok")]),
        ("𐐨𐐩 x²", [word("𐐨𐐩"), word("x²")]),
        ("", []),
        ('_ - "" \u0301', []),
    ],
)
def test_words_and_phrases(query: str, terms: list[Term]) -> None:
    assert list(parse(query)) == terms


@given(texts)
def test_every_query_means_what_the_plain_definition_says(query: str) -> None:
    assert [(term.text, term.whole) for term in parse(query)] == plain.terms(query)


def test_letters_marks_and_digits_join_but_for_the_scripts_without_spaces() -> None:
    apart = {name(char, "NAMELESS").split()[0] for char in EVERY if category(char)[0] in "LMN" and not joins(char)}
    assert apart == {
        "BOPOMOFO", "CIRCLED", "CJK", "COMBINING", "HALFWIDTH", "HANGZHOU", "HENTAIGANA", "HIRAGANA", "IDEOGRAPHIC",
        "KATAKANA", "KATAKANA-HIRAGANA", "KHITAN", "KHMER", "LAO", "MASU", "MYANMAR", "NEW", "NUSHU", "OLD",
        "PARENTHESIZED", "TAI", "TANGUT", "THAI", "VERTICAL", "VIETNAMESE",
        "HANGUL",  # two tone marks of old texts, among the marks of Han
        "NAMELESS",  # ideographs of Tangut
    }  # fmt: skip
    assert all(map(joins, "한국어ㄱ\u1100\ud7b0"))
    assert [char for char in EVERY if joins(char) and category(char)[0] not in "LMN"] == []
    assert not joins("")
    assert len(joining_class()) < 1000  # compiled by the server for every block


@given(texts, texts, st.booleans())
def test_hits_are_those_of_the_plain_definition(text: str, needle: str, whole: bool) -> None:
    kept = "".join(filter(plain.joins, needle)) if whole else needle
    for term in [Term(kept[:length], whole) for length in (1, 2, 3, 40) if kept]:
        expected = [at for at in range(len(text)) if plain.occurs_at(text, (term.text, whole), at)]
        assert list(term.hits(text)) == [(at, at + len(term.text)) for at in expected]


@given(texts, st.integers(0, 250), texts, texts)
def test_snippets_are_those_of_the_plain_definition(before: str, filler: int, after: str, query: str) -> None:
    text = before + "." * filler + before + after
    terms = parse(query)
    starts = [start for term in terms for start, _ in term.hits(text)]
    if not starts:
        return
    start = max(min(min(starts) - 100, len(text) - LENGTH), 0)
    around = f" {text}"[start : start + LENGTH + 2]
    assert assemble(around, start, len(text), terms) == plain.snippet([text], query)


def test_a_word_at_the_edge_of_a_window_is_judged_by_its_neighbours() -> None:
    inner = "foo " + "." * 192 + " foo"
    both, none = [(3, 6), (200, 203)], list[tuple[int, int]]()
    for around, marks in ((f" {inner} ", both), (f"x{inner}x", none), (f"検{inner}索", both), (f"-{inner}", both)):
        found = assemble(around, 1, 300, [word("foo")])[1]
        assert [(mark.start, mark.end) for mark in found] == [(a, b) for a, b in marks]


def test_the_longer_of_two_hits_that_begin_together_is_marked() -> None:
    shown, marks = assemble(" foo bar foo", 0, 11, parse('foo "foo bar" "bar f"'))
    assert [shown[mark.start : mark.end] for mark in marks] == ["foo bar", "foo"]
