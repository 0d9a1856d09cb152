"""The CSS of highlighted code, made by Pygments: what ``static/code.css`` is. Not needed where pages are served.

``python -m agentstore.web.rendering.stylesheet > agentstore/web/static/code.css``
"""

from __future__ import annotations

from collections.abc import Iterator

from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Error, Whitespace

_LIGHT, _DARK = "default", "github-dark"
_HEAD = "/* Made by Pygments: agentstore/web/rendering/stylesheet.py */"


def stylesheet() -> str:
    """Colours for light and dark, by class alone.

    Dark where the system is, unless the root element says ``data-theme="light"``; and where it says "dark".
    """
    return "\n".join(
        [
            _HEAD,
            *_rules(_LIGHT, ".code"),
            "@media (prefers-color-scheme: dark) {",
            *_rules(_DARK, ':root:not([data-theme="light"]) .code'),
            "}",
            *_rules(_DARK, ':root[data-theme="dark"] .code'),
            "",
        ]
    )


def _rules(name: str, prefix: str) -> Iterator[str]:
    names = {kind: short for kind, short in STANDARD_TYPES.items() if short and kind not in (Error, Whitespace)}
    for kind, look in get_style_by_name(name):
        said = [
            f"color: #{look['color']}" if look["color"] else "",
            "font-weight: bold" if look["bold"] else "",
            "font-style: italic" if look["italic"] else "",
        ]
        if kind in names and any(said):
            yield f"{prefix} .{names[kind]} {{ {'; '.join(filter(None, said))} }}"


if __name__ == "__main__":
    print(stylesheet(), end="")
