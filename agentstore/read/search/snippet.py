"""The part of a text shown around a hit, and where the hits in it are. Pure; the text itself is cut on the server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentstore.models import Highlight
from agentstore.read.search.tokens import Term

LENGTH = 200
BEFORE = 100
ELLIPSIS = "..."


def assemble(around: str, start: int, text_length: int, terms: Iterable[Term]) -> tuple[str, list[Highlight]]:
    """Snippet and highlights of a part of ``LENGTH`` code points that begins at ``start`` of a longer text.

    ``around`` is that part with its neighbours, one code point on each side, which decide whether a word at the edge
    is whole; any separator stands for the start of the text. An ellipsis stands on each side where text was cut.
    Highlights are all non-overlapping hits that lie wholly inside, left to right, the longer one where two begin
    together, as code-point offsets into the snippet, the ellipsis counted.
    """
    # Without the neighbours. They are never shown; hits that reach into them are left out below.
    cut = around[1 : LENGTH + 1]
    lead = ELLIPSIS if start > 0 else ""
    trail = ELLIPSIS if start + len(cut) < text_length else ""
    offset = len(lead) - 1
    hits = _without_overlaps(
        hit for term in terms for hit in term.hits(around) if hit[0] >= 1 and hit[1] <= len(cut) + 1
    )
    return f"{lead}{cut}{trail}", [Highlight(first + offset, end + offset) for first, end in hits]


def _without_overlaps(hits: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """From left to right, those that do not overlap the last one."""
    reached = 0
    for start, end in sorted(hits, key=lambda hit: (hit[0], -hit[1])):
        if start >= reached:
            reached = end
            yield start, end
