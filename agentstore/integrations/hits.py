"""Hits of a search as HTML. What is in a snippet was written by anybody."""

from __future__ import annotations

import html
import re

from agentstore.models import SearchResult

# Controls, which are no characters of HTML, and what turns the direction of the text around it.
_HARMFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def marked_html(result: SearchResult) -> str:
    """The snippet as HTML text for inside of an element, its hits in ``<mark>``.

    Everything else is escaped, quotes too: it may stand anywhere but in a script, a style or an attribute without
    quotes. Controls, and characters that turn the direction of text around, show as "\ufffd".
    """
    pieces, end = [], 0
    for hit in result.highlights:
        pieces.append(escaped(result.snippet[end : hit.start]))
        pieces.append(f"<mark>{escaped(result.snippet[hit.start : hit.end])}</mark>")
        end = hit.end
    return "".join([*pieces, escaped(result.snippet[end:])])


def escaped(text: str) -> str:
    """Text of a snippet as HTML, as ``marked_html`` has it."""
    return html.escape(_HARMFUL.sub("\ufffd", text))
