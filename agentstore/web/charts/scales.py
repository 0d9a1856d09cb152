"""From numbers to lengths. Pure."""

from __future__ import annotations

_STEPS = (1, 2, 5)


def ticks(largest: int, wanted: int = 4) -> list[int]:
    """Round numbers from 0 to one that is not less than the largest: a scale's lines."""
    if largest <= 0:
        return [0, 1]
    size = 1
    while True:
        for step in _STEPS:
            if step * size * wanted >= largest:
                return [one * step * size for one in range(-(-largest // (step * size)) + 1)]
        size *= 10


def percent(part: float, whole: float) -> str:
    """A share as SVG takes it, "0%" of nothing."""
    share = 100 * part / whole if whole > 0 else 0.0
    return f"{max(0.0, min(100.0, share)):.4g}%"


def shades(values: list[int], most: int = 4) -> dict[int, int]:
    """Of each value its shade, 1 … ``most``, by the value's share of the largest; 0 has none."""
    largest = max(values, default=0)
    return {value: -(-value * most // largest) if value > 0 else 0 for value in set(values)}
