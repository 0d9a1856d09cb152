"""How many records of a type were kept out, or were not known."""

from __future__ import annotations

Counts = dict[str, int]

_MOST_TYPES = 500
_LONGEST = 80


def count(counts: Counts, label: str) -> None:
    """One more. What is unknown may have a name of any length, and there may be any number of them."""
    label = label[:_LONGEST]
    if label not in counts and len(counts) >= _MOST_TYPES:
        label = "(others)"
    counts[label] = counts.get(label, 0) + 1
