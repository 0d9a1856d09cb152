"""Hits of a search inside of what is shown, marked by their offsets and never by replacing in HTML. Pure.

They are found in the text as it is shown, and fold as the search does. A hit may begin in one run of text and end in
another, as in "a **b** c": each run has its share of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from markupsafe import Markup, escape

from agentstore.faces import safe
from agentstore.read.search.tokens import Term, parse

Span = tuple[int, int]
Find = Callable[[str], Sequence[Span]]
_MOST = 2_000  # marks in one text; more of them help nobody


def nothing(_text: str) -> Sequence[Span]:
    """Finds nothing."""
    return ()


def finder(needle: str) -> Find:
    """Finds a text, whatever its case. Nothing finds the empty one."""
    return _finder([Term(safe.block(needle))] if needle else [])


def word_finder(query: str) -> Find:
    """Finds the words and quoted phrases of a query."""
    return _finder(parse(query))


def _finder(terms: Sequence[Term]) -> Find:
    def find(text: str) -> Sequence[Span]:
        found: list[Span] = []
        for term in terms:
            for span in term.hits(text):
                found.append(span)
                if len(found) >= _MOST:
                    break
        return list(_apart(found))

    return find if terms else nothing


def _apart(spans: Iterable[Span]) -> Iterator[Span]:
    """From left to right, the longer one where two begin together, those that do not overlap the last one."""
    reached = 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= reached:
            reached = end
            yield start, end


def marked(text: str, spans: Sequence[Span]) -> Markup:
    """The text escaped, with its spans in ``<mark>``. They stand in order and do not overlap."""
    if not spans:
        return escape(text)
    pieces, reached = [], 0
    for start, end in spans:
        pieces += [escape(text[reached:start]), Markup("<mark>"), escape(text[start:end]), Markup("</mark>")]
        reached = end
    return Markup("").join([*pieces, escape(text[reached:])])


def spread(runs: Sequence[str], find: Find) -> list[list[Span]]:
    """For each of the runs that are read as one text, its shares of the hits."""
    shares: list[list[Span]] = [[] for _ in runs]
    spans = find("".join(runs)) if find is not nothing else ()
    at, begins = 0, 0
    for start, end in spans:
        while at < len(runs) and begins + len(runs[at]) <= start:
            begins += len(runs[at])
            at += 1
        while at < len(runs) and begins < end:
            size = len(runs[at])
            if (low := max(start - begins, 0)) < (high := min(end - begins, size)):
                shares[at].append((low, high))
            if begins + size > end:
                break
            begins += size
            at += 1
    return shares
