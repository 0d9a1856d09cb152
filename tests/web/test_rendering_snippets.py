"""Hits in what tools were given and gave back are read as names and values, and marked as they were found."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.integrations.hits import marked_html
from agentstore.models import Highlight, SearchResult
from agentstore.web.rendering import snippet_html
from tests.web.pages import Page

_MARKS = re.compile(r"</?(?:mark|span)[^>]*>")


def hit(snippet: str, *needles: str, role: str = "tool") -> SearchResult:
    found = [Highlight(one.start(), one.end()) for needle in needles for one in re.finditer(re.escape(needle), snippet)]
    return SearchResult(role=role, snippet=snippet, highlights=sorted(found, key=lambda one: one.start))


def read(snippet: str, *needles: str) -> str:
    """What somebody reads of it, marks as brackets."""
    said = snippet_html(hit(snippet, *needles)).replace("<mark>", "[[").replace("</mark>", "]]")
    return html.unescape(_MARKS.sub("", said))


@pytest.mark.parametrize(
    ("snippet", "shown"),
    [
        ('{"file_path":"/src/tide/hand.py"}', "file_path: /src/[[tide]]/hand.py"),
        ('{"a":"tide\\n\\"x\\"","b":[1,true,{"c":"\\u6f6e"}]}', 'a: [[tide]]↵ "x" · b: [1 · true · c: 潮]'),
        ('{"tide":{},"b":null}', "[[tide]]: {} · b: null"),
        ('{\n  "a": "tide",\n  "b": -1.5e3\n}', "a: [[tide]] · b: -1.5e3"),
        # Cut within a string, at its name, between two, and behind a backslash.
        ('...a tide","b":"c...', "...a [[tide]] · b: c..."),
        ('...ile":"tide"}', "...ile: [[tide]]"),
        ('...,"b":"tide"},{"c":1...', "...· b: [[tide]] · c: 1..."),
        ('{"a":"tide\\...', "a: [[tide]]\\..."),
        ('{"a":"\\ud83c\\udf0a tide"}', "a: 🌊 [[tide]]"),
    ],
)
def test_json_is_read_as_names_and_values(snippet: str, shown: str) -> None:
    assert read(snippet, "tide") == shown


@pytest.mark.parametrize(
    ("snippet", "needle"),
    [
        # What is found is not a piece of one value as it stands there.
        ('{"a":"tide"}', '"a":"tide'),
        ('{"a":"x\\ny"}', "x\\ny"),
        ('{"a":"\\u0041"}', "41"),
        # No JSON, or none surely.
        ("...a\\ntide...", "tide"),
        ('tide = {"a":"b"}', "tide"),
        ('{"a" "tide":}', "tide"),
        ('{"a":{"b":1}}{"tide":1}', "tide"),
        ("[1,2,3]", "2"),
        ("", ""),
    ],
)
def test_what_is_not_surely_json_is_shown_as_it_is(snippet: str, needle: str) -> None:
    found = hit(snippet, needle) if needle else hit(snippet)
    assert snippet_html(found) == marked_html(found)


def test_what_people_said_is_shown_as_it_is() -> None:
    said = hit('{"a":"tide"}', "tide", role="user")
    assert snippet_html(said) == marked_html(said)


def test_hostile_text_is_text() -> None:
    value = '<script>alert(1)</script>\u202e"><img src=x onerror=alert(1)>tide'
    for text in (json.dumps({value: value}), json.dumps({value: [value]}, ensure_ascii=False)):
        page = Page(f"<p>{snippet_html(hit(text, 'tide'))}</p>")
        assert page.wrong == []
        assert set(page.tags) == {"p", "span", "mark"}
        assert page.marked == ["tide", "tide"]
        assert "\u202e" not in page.text


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('ab"\\\n,:{}[]é潮🌊<', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab":', max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text("ab", max_size=3), _VALUES, min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 30),
    st.integers(1, 60),
    st.integers(0, 60),
    st.integers(1, 6),
)
def test_what_is_marked_is_what_was_found_wherever_it_is_cut(
    value: object, is_ascii: bool, first: int, length: int, at: int, size: int
) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    cut = text[first : first + length]
    snippet = f"{'...' if first else ''}{cut}{'...' if first + length < len(text) else ''}"
    lead = 3 if first else 0
    start = lead + at % max(1, len(cut))
    end = min(start + size, lead + len(cut))
    found = SearchResult(role="tool", snippet=snippet, highlights=[Highlight(start, end)] if end > start else [])
    page = Page(f"<p>{snippet_html(found)}</p>")
    assert page.wrong == []
    assert "".join(page.marked) == (snippet[start:end] if end > start else "")
    # A whole one without a hit in its signs is always read.
    assert '<span class="name">' in snippet_html(SearchResult(role="tool", snippet=text))
