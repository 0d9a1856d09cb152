"""Sizes and durations as people read them. Pure."""

from __future__ import annotations

_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def size(number: int) -> str:
    """Bytes in the unit that says most: 512 B, 1.2 kB, 34 MB."""
    for unit, name in _UNITS:
        if number >= unit:
            return f"{number / unit:.1f} {name}" if number < 10 * unit else f"{number // unit} {name}"
    return f"{number} B"


def seconds(number: float) -> str:
    """A duration: 0.4 s, 12 s, 3 min, 2.5 h, 4 days."""
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if number >= 2 * unit:
            return (
                f"{number / unit:.0f} {name}" if number >= 10 * unit or name == "min" else f"{number / unit:.1f} {name}"
            )
    return f"{number:.0f} s" if number >= 10 else f"{number:.1f} s"


def path(name: str, home: str) -> str:
    """A path with ``~`` for the home directory."""
    return "~" + name[len(home) :] if home not in ("", "/") and (name == home or name.startswith(home + "/")) else name
