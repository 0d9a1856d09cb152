"""The CSS of highlighted code, made by Pygments: what ``static/code.css`` is. Not needed where pages are served.

``python -m agentstore.web.rendering.stylesheet > agentstore/web/static/code.css``
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Error, Whitespace

_LIGHT, _DARK = "default", "github-dark"
# What code stands on, with lines of a diff: app.css has the same colours.
_ON_LIGHT = ("ffffff", "eef0f3", "e2f6e7", "fdeaea")
_ON_DARK = ("12151a", "0d1014", "12301b", "3a1719")
_CONTRAST = 4.5
_HEAD = "/* Made by Pygments: agentstore/web/rendering/stylesheet.py */"


def stylesheet() -> str:
    """Colours for light and dark, by class alone.

    Dark where the system is, unless the root element says ``data-theme="light"``; and where it says "dark".
    """
    return "\n".join(
        [
            _HEAD,
            *_rules(_LIGHT, ".code", _ON_LIGHT),
            "@media (prefers-color-scheme: dark) {",
            *_rules(_DARK, ':root:not([data-theme="light"]) .code', _ON_DARK),
            "}",
            *_rules(_DARK, ':root[data-theme="dark"] .code', _ON_DARK),
            "",
        ]
    )


def readable(colour: str, grounds: Sequence[str]) -> str:
    """The colour, or the nearest one to it towards black or white that has enough contrast on all these grounds."""
    end = 0 if _light(grounds[0]) > _light(colour) else 255
    parts = _parts(colour)
    for step in range(21):
        found = "".join(f"{round(part + (end - part) * step / 20):02X}" for part in parts)
        if all(contrast(found, ground) >= _CONTRAST for ground in grounds):
            return found
    return f"{end:02X}" * 3


def contrast(one: str, other: str) -> float:
    """How well two colours are told apart, as WCAG counts it: from 1 to 21."""
    darker, lighter = sorted((_light(one), _light(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour))


def _light(colour: str) -> float:
    shares = (part / 255 for part in _parts(colour))
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _rules(name: str, prefix: str, grounds: Sequence[str]) -> Iterator[str]:
    names = {kind: short for kind, short in STANDARD_TYPES.items() if short and kind not in (Error, Whitespace)}
    for kind, look in get_style_by_name(name):
        said = [
            f"color: #{readable(look['color'], grounds)}" if look["color"] else "",
            "font-weight: bold" if look["bold"] else "",
            "font-style: italic" if look["italic"] else "",
        ]
        if kind in names and any(said):
            yield f"{prefix} .{names[kind]} {{ {'; '.join(filter(None, said))} }}"


if __name__ == "__main__":
    print(stylesheet(), end="")
