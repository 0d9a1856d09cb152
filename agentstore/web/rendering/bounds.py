"""What a Markdown text costs to be rendered, as told by counting and not by a clock. Pure.

The parser's worst texts are quadratic: 16 KB of ``![`` took 0.6 s. The weights are microseconds, measured for texts of
nothing but what is counted, on the slow side; the same text is always on the same side of the bound.
"""

from __future__ import annotations

import re

# A message that is plain for this has some 20 KB of dense Markdown, or is an attack.
MOST_COST = 60_000
LONGEST = 65_536
DEEPEST = 20  # nested lists, quotes and emphasis; what is deeper is not shown as such

# Lines of fences are cheap. Only those that begin at a line's start are told from others without parsing: inside of a
# list or a quote a fence may end with that.
_FENCE = re.compile(r"(`{3,}|~{3,})([^\n]*)")
_INNER_FENCE = re.compile(r"^[ \t>*+\-\d.)]+(?:```|~~~)", re.MULTILINE)
_CODE_LINE = 4
_BLOCKS = re.compile(r"^[ \t>]*(?:[-+*|#]|\d{1,9}[.)])", re.MULTILINE)
_DELIMITERS = re.compile(r"\*+|_+|~+|`+")
_ADDRESSES = re.compile(r"\]\(|<[^<>\s]{1,200}[:@]|https?://")
_OTHERS = re.compile(r"[&<>!\\|#]")
_PARAGRAPH_ENDS = re.compile(r"\n[ \t]*\n")
_COLUMNS = re.compile(r"^[ \t>]*\|?[ \t]*:?-[-:| \t]*$", re.MULTILINE)


def cost_of(text: str) -> int:
    """Microseconds, roughly, and never much less than it takes."""
    prose, code = without_fences(text)
    return _cost_of_prose(prose) + _CODE_LINE * code + (len(text) - len(prose)) // 2


def without_fences(text: str) -> tuple[str, int]:
    """The text without what certainly is in fences, and how many lines that are."""
    if ("```" not in text and "~~~" not in text) or _INNER_FENCE.search(text):
        return text, 0
    prose: list[str] = []
    fence = ""
    lines = text.split("\n")
    for line in lines:
        found = _FENCE.match(line)
        if fence:
            is_end = found and found[1].startswith(fence) and not found[2].strip(" \t")
            fence = "" if is_end else fence
            continue
        if found and not (found[1][0] == "`" and "`" in found[2]):
            fence = found[1]
        prose.append(line)
    return "\n".join(prose), len(lines) - len(prose)


def _cost_of_prose(text: str) -> int:
    brackets = text.count("[")
    return (
        len(text) // 2
        + 35 * text.count("\n")
        + 40 * len(_BLOCKS.findall(text))
        + 35 * len(_DELIMITERS.findall(text))
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


def left_for(text: str) -> int:
    """What is left of the bound when a visible text is rendered; below 0 it is to be shown plain."""
    return MOST_COST - cost_of(text) if len(text) <= LONGEST else -1
