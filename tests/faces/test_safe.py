"""Nothing of a transcript commands a terminal."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.faces import safe

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


def is_harmless(text: str) -> bool:
    joiners = "\u200c\u200d"
    return all(unicodedata.category(one) not in ("Cc", "Cs", "Zl", "Zp") for one in text) and all(
        unicodedata.category(one) != "Cf" or one in joiners or not unicodedata.bidirectional(one) for one in text
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x1b[2J\x9b31m", "␛[2J<9B>31m"),
        ("good\rbad", "good␍bad"),
        ("a\n\tb\r\nc", "a b c"),
        ("ab\u202egnp.exe", "ab<U+202E>gnp.exe"),
        ("a\u200bb\ufeff", "a<U+200B>b<U+FEFF>"),
        ("\ud800x", "<U+D800>x"),
        ("👩\u200d💻 می\u200cخواهم", "👩\u200d💻 می\u200cخواهم"),
        ("a\u200db", "a<U+200D>b"),
        ("\U000e0041", "<U+E0041>"),
        ("横浜 ⚓️ é", "横浜 ⚓️ é"),
    ],
)
def test_what_becomes_of_texts(text: str, shown: str) -> None:
    assert safe.line(text) == shown


@given(ANY_TEXT)
def test_any_text_is_one_harmless_line_and_stays_as_it_is_then(text: str) -> None:
    once = safe.line(text)
    assert is_harmless(once)
    assert safe.line(once) == once


@given(ANY_TEXT)
def test_any_text_is_harmless_lines(text: str) -> None:
    assert all(is_harmless(one) for one in safe.lines(text))


@given(st.text())
def test_json_says_the_same(text: str) -> None:
    encoded = safe.in_json(json.dumps({"text": text}, ensure_ascii=False))
    assert json.loads(encoded) == {"text": text}
    assert is_harmless(encoded)


def test_a_megabyte_of_anything_is_looked_through_once() -> None:
    """Where each of its characters is looked at from each of the others, this takes longer than any test may."""
    for run in (" ", "\t", "\n", "\r", " \r", "\x1b", "\u200d", "é\u200d"):
        text = run * (1_000_000 // len(run)) + "x"
        assert safe.line(text).endswith("x")
        assert "".join(safe.lines(text)).endswith("x")


@pytest.mark.timeout(20)
def test_very_many_spaces_take_no_longer_than_their_number() -> None:
    text = "é" + " " * 1_000_000 + "x"  # a pattern that is tried at each of them takes hours
    assert safe.line(text) == text


@given(st.text(" \n\r\ta", max_size=12))
def test_white_space_with_a_line_end_is_one_space(text: str) -> None:
    plain = re.sub(r"[ ]*(?:\r\n|[\n\t])[ \t\n]*", " ", text)
    assert safe.line(text) == plain.replace("\r", "␍")


@given(ANY_TEXT)
def test_json_in_ascii_says_the_same(text: str) -> None:
    text = text.encode("utf-16", "ignore").decode("utf-16")  # lone surrogates are no JSON of ours
    told = safe.in_ascii(json.dumps(text, ensure_ascii=False))
    assert told.isascii()
    assert json.loads(told) == text
