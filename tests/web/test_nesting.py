"""What came out of another session stands below it, and nothing is lost by it."""

from __future__ import annotations

import pytest

from agentstore.web.pages.sessions import _roots


@pytest.mark.parametrize(
    ("ids", "parents", "expected"),
    [
        ("ab", {}, {"a": "a", "b": "b"}),
        ("ab", {"b": "a"}, {"a": "a", "b": "a"}),
        ("ab", {"b": "a", "c": "b"}, {"a": "a", "b": "a", "c": "a"}),
        ("a", {"x": "a", "y": "x"}, {"a": "a", "x": "a", "y": "a"}),
        # Out of one that is not in the list.
        ("b", {"b": "elsewhere"}, {"b": "b"}),
        # In a circle, each by itself.
        ("ab", {"a": "b", "b": "a"}, {"a": "a", "b": "b"}),
        ("a", {"a": "a"}, {"a": "a"}),
        ("abc", {"b": "a", "c": "b", "a": "c"}, {"a": "a", "b": "b", "c": "c"}),
    ],
)
def test_below_which_each_stands(ids: str, parents: dict[str, str], expected: dict[str, str]) -> None:
    assert _roots(list(ids), parents) == expected
