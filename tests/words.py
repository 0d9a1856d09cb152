"""The meaning of a search by words, written as plainly as possible: what the fast code is compared with."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import TypeVar

from agentstore import Highlight
from agentstore.read.search.folding import variants
from tests import reference

# How Unicode names the characters of scripts without spaces.
SPACELESS = (
    "BOPOMOFO", "CJK", "HALFWIDTH KATAKANA", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA", "KHMER", "LAO", "MYANMAR", "THAI",
    "COMBINING KATAKANA",
)  # fmt: skip

Term = tuple[str, bool]
Texts = tuple[str, ...]
Key = TypeVar("Key")


def of_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def spaceless(character: str) -> bool:
    return of_word(character) and unicodedata.name(character, "").startswith(SPACELESS)


def joins(character: str) -> bool:
    return of_word(character) and not spaceless(character)


def terms(query: str) -> list[Term]:
    """The different words and phrases, the words as (text, True)."""
    found: list[Term] = []
    for number, piece in enumerate(query.split('"')):
        if number % 2:
            found.append((piece, False))
            continue
        text, kind = "", (False, False)
        for character in [*piece, ""]:
            now = (joins(character), spaceless(character)) if character else (False, False)
            if now != kind:
                if any(kind) and not all(unicodedata.category(one).startswith("M") for one in text):
                    found.append((text, kind[0]))
                text, kind = "", now
            text += character
    different: list[Term] = []
    for term in found:
        if term[0] and not any(same(term, other) for other in different):
            different.append(term)
    return different


def same(one: Term, other: Term) -> bool:
    return one[1] == other[1] and [*map(variants, one[0])] == [*map(variants, other[0])]


def occurs_at(text: str, term: Term, start: int) -> bool:
    needle, whole = term
    end = start + len(needle)
    if end > len(text) or any(text[start + index] not in variants(char) for index, char in enumerate(needle)):
        return False
    beside = text[:start][-1:] + text[end : end + 1]
    return not (whole and any(joins(character) for character in beside))


def frequency(text: str, term: Term) -> int:
    count = position = 0
    while position < len(text):
        hit = occurs_at(text, term, position)
        count += hit
        position += len(term[0]) if hit else 1
    return count


def scores(documents: dict[Key, Texts], query: str) -> tuple[dict[Key, int], float]:
    """The score of each document that matches, and their mean length."""
    counted = {
        key: [sum(frequency(text, term) for text in texts) for term in terms(query)]
        for key, texts in documents.items()
    }  # fmt: skip
    matching = {key: counts for key, counts in counted.items() if all(counts)}
    sizes = {key: sum(len(text.encode()) for text in documents[key]) for key in matching}
    average = sum(sizes.values()) / len(sizes) if sizes else math.nan
    return {
        key: round(
            1e6 * sum(tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * sizes[key] / average)) for tf in counts)
        )
        for key, counts in matching.items()
    }, average  # fmt: skip


def snippet(texts: Sequence[str], query: str) -> tuple[str, list[Highlight]]:
    """What a hit is shown as: of the first text that holds any of the terms."""
    wanted = terms(query)
    for text in texts:
        firsts = [at for at in range(len(text)) if any(occurs_at(text, term, at) for term in wanted)]
        if firsts:
            return _around(text, firsts[0], wanted)
    raise AssertionError("no term in any of the texts")


def _around(text: str, hit: int, wanted: Sequence[Term]) -> tuple[str, list[Highlight]]:
    start = max(0, min(hit - reference.BEFORE, len(text) - reference.LENGTH))
    end = min(start + reference.LENGTH, len(text))
    lead = reference.DOTS if start else ""
    marks: list[Highlight] = []
    position = start
    while position < end:
        here = [len(term[0]) for term in wanted if occurs_at(text, term, position)]
        longest = max([length for length in here if position + length <= end], default=0)
        if longest:
            marks.append(Highlight(len(lead) + position - start, len(lead) + position - start + longest))
        position += longest or 1
    return lead + text[start:end] + (reference.DOTS if end < len(text) else ""), marks
