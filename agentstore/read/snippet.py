"""The part of a text shown around a hit, and where the hits in it are. Pure; the text itself is cut on the server."""

from __future__ import annotations

import re

from agentstore.models import Highlight

LENGTH = 200
BEFORE = 100
ELLIPSIS = "..."


def assemble(window: str, start: int, text_length: int, needle: re.Pattern[str]) -> tuple[str, list[Highlight]]:
    """Snippet and highlights of a window of ``LENGTH`` code points that begins at ``start`` of a longer text.

    An ellipsis stands on each side where text was cut. Highlights are all non-overlapping hits that lie wholly inside,
    left to right, as code-point offsets into the snippet, the ellipsis counted.
    """
    lead = ELLIPSIS if start > 0 else ""
    trail = ELLIPSIS if start + len(window) < text_length else ""
    offset = len(lead)
    highlights = [Highlight(hit.start() + offset, hit.end() + offset) for hit in needle.finditer(window)]
    return f"{lead}{window}{trail}", highlights
