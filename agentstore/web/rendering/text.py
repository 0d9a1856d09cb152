"""The one door of foreign text to HTML: titles, names, paths, results, all that was written by somebody. Pure.

First what nobody sees, or what turns the text around it, becomes visible (``faces.safe``, as on a terminal; joiners
stay inside of words and emoji), then it is escaped, quotes too: the result may stand in an element and in an attribute
with quotes. Hits are found in what is shown, and marked by their offsets.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from agentstore.faces import safe
from agentstore.web.rendering.marks import Find, marked, nothing


def visible(text: str) -> str:
    """The text as it is shown: lines and tabs as they are, all else that cannot be seen as a sign for it."""
    return text if text.isascii() and text.isprintable() else safe.block(text)


def text_html(text: str, find: Find = nothing) -> Markup:
    """A text of several lines."""
    return shown_html(visible(text), find)


def line_html(text: str, most: int = 0, find: Find = nothing) -> Markup:
    """A text on one line: line ends and tabs are spaces. ``most``: cut to so many characters, with an ellipsis."""
    # Far more than is shown has to be looked at: runs of spaces become one.
    line = safe.line(text[: most * 8] if most else text).strip()
    if most and (len(line) > most or len(text) > most * 8):
        line = line[: most - 1].rstrip() + "…"
    return shown_html(line, find)


def shown_html(shown: str, find: Find = nothing) -> Markup:
    """What ``visible`` gave, as HTML."""
    return escape(shown) if find is nothing else marked(shown, find(shown))
