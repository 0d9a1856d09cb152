"""The meaning of search, written as plainly as possible: what the fast code is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from agentstore import Highlight
from agentstore.read.search.folding import variants

BEFORE, LENGTH, DOTS = 100, 200, "..."


def positions(text: str, needle: str) -> list[int]:
    """Where the needle stands, in whatever case, from left to right, no two overlapping."""
    equal = [frozenset(variants(character)) for character in needle]
    found: list[int] = []
    for position in range(len(text) - len(needle) + 1):
        if found and position < found[-1] + len(needle):
            continue
        if all(text[position + index] in same for index, same in enumerate(equal)):
            found.append(position)
    return found


def snippet(text: str, needle: str) -> tuple[str, list[Highlight]]:
    """What a hit is shown as. The text contains the needle."""
    hit = positions(text, needle)[0]
    start = max(0, hit - BEFORE)
    end = start + LENGTH
    if end > len(text):
        start, end = max(0, len(text) - LENGTH), len(text)
    lead = DOTS if start > 0 else ""
    trail = DOTS if end < len(text) else ""
    inside = text[start:end]
    marks = [
        Highlight(len(lead) + position, len(lead) + position + len(needle)) for position in positions(inside, needle)
    ]
    return lead + inside + trail, marks


def first_containing(texts: Sequence[str], needle: str) -> str | None:
    """The first of the texts that contains the needle."""
    return next((text for text in texts if positions(text, needle)), None)
