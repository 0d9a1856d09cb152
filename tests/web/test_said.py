"""The line that tells of a prompt."""

from __future__ import annotations

import pytest

from agentstore.web.rendering import said_line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Fix the\n\n  clock", "Fix the clock"),
        ("[Thinking]\nhm\n[/Thinking]\nSo it is", "So it is"),
        ("<system-reminder>be nice</system-reminder>\nHello", "Hello"),
        ("<system-reminder>be nice</system-reminder>", ""),
        ("<b>bold</b> & *all*", "&lt;b&gt;bold&lt;/b&gt; &amp; *all*"),
        ("x" * 500, "x" * 199 + "…"),
        ("", ""),
    ],
)
def test_what_people_said_in_it(content: str, expected: str) -> None:
    assert said_line(content, 200) == expected
