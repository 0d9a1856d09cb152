"""What was said and what was thought, apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.faces.talk import Part, parts_of

PLAIN = re.compile(r"\[Thinking\]\n(.*?)\n\[/Thinking\]\n?", re.DOTALL)
PIECES = st.sampled_from(["[Thinking]\n", "\n[/Thinking]", "\n", "a", " ", "[Thinking]", "[/Thinking]"])


def plainly(content: str) -> list[Part]:
    found, position = [], 0
    for one in PLAIN.finditer(content):
        found += [Part(content[position : one.start()]), Part(one[1], is_thinking=True)]
        position = one.end()
    found.append(Part(content[position:]))
    return [part._replace(text=part.text.strip("\n")) for part in found if part.text.strip()]


@given(st.lists(PIECES, max_size=12).map("".join))
def test_the_parts_are_those_of_a_plain_pattern(content: str) -> None:
    assert list(parts_of(content)) == plainly(content)


@pytest.mark.timeout(20)
def test_beginnings_without_an_end_take_no_longer_than_their_length() -> None:
    content = "[Thinking]\n" * 200_000  # a pattern would look for the end of each: hours
    assert list(parts_of(content)) == [Part(content.strip("\n"))]
