"""Which lines two texts have in common. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

# Above this many pairs of lines that could be compared, frequent lines are not looked at.
_MOST_PAIRS = 4_000_000


def common(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The positions, in both, of lines that are the same, in order."""
    start = 0
    least = min(len(old), len(new))
    while start < least and old[start] == new[start]:
        yield start, start
        start += 1
    end = 0
    while end < least - start and old[-1 - end] == new[-1 - end]:
        end += 1
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    if left and right:
        matcher = SequenceMatcher(None, left, right, autojunk=len(left) * len(right) > _MOST_PAIRS)
        for block in matcher.get_matching_blocks():
            for offset in range(block.size):
                yield start + block.a + offset, start + block.b + offset
    for offset in range(end, 0, -1):
        yield len(old) - offset, len(new) - offset
