"""What a Markdown text costs to be rendered, as told by counting and not by a clock. Pure.

The parser's worst texts are quadratic: 16 KB of ``![`` took 0.6 s. The weights are microseconds, measured for texts of
nothing but what is counted, on the slow side; the same text is always on the same side of the bound.
"""

from __future__ import annotations

import re

# A message that is plain for this has some 20 KB of dense Markdown, or is an attack.
MOST_COST = 50_000
LONGEST = 65_536
DEEPEST = 20  # nested lists, quotes and emphasis; what is deeper is not shown as such

_BLOCKS = re.compile(r"^[ \t>]*(?:[-+*|#]|\d{1,9}[.)])", re.MULTILINE)
_DELIMITERS = re.compile(r"\*+|_+|~+|`+")
_ADDRESSES = re.compile(r"\]\(|<[^<>\s]{1,200}[:@]")
_OTHERS = re.compile(r"[&<>!\\|#]")
_PARAGRAPH_ENDS = re.compile(r"\n[ \t]*\n")
_COLUMNS = re.compile(r"^[ \t>]*\|?[ \t]*:?-[-:| \t]*$", re.MULTILINE)


def cost_of(text: str) -> int:
    """Microseconds, roughly, and never much less than it takes."""
    brackets = text.count("[")
    return (
        len(text) // 2
        + 35 * text.count("\n")
        + 40 * len(_BLOCKS.findall(text))
        + 25 * len(_DELIMITERS.findall(text))
        + 70 * len(_ADDRESSES.findall(text))
        + 5 * len(_OTHERS.findall(text))
        + 35 * brackets
        + brackets * brackets // 200
        + 35 * _cells_of(text)
    )


def _cells_of(text: str) -> int:
    """Cells of tables: a row that says nothing has as many as its table has columns."""
    if "|" not in text or not _COLUMNS.search(text):
        return 0
    return sum(
        max((row.count("|") for row in _COLUMNS.findall(part)), default=0) * (part.count("\n") + 1)
        for part in _PARAGRAPH_ENDS.split(text)
    )


def is_too_much(text: str) -> bool:
    """Whether a text is to be shown plain."""
    return len(text) > LONGEST or cost_of(text) > MOST_COST
