"""What a search in words mode looks for: the words and phrases of a query, and where they stand in a text. Pure.

A word is a maximal run of letters, marks and digits (Unicode L, M, N), with a letter or a digit in it; everything else
separates, ``_`` and the apostrophe too: ``don't`` is two words. It stands in a text where no such character comes
before or after it. Scripts that put no spaces between words (Han, kana, Thai, …) have no words in this sense: a run of
theirs is looked for as it is, anywhere, and next to one a word of another script may begin and end, so that both
``検索`` and ``Python`` stand in ``Pythonで全文検索``. Text in double quotes is a phrase and is looked for as it is too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from unicodedata import category

from agentstore.read.search import folding

_WORD_CATEGORIES = "LMN"
_UNASSIGNED = "Cn"
# Blocks of the scripts without spaces: Thai, Lao, Myanmar, Khmer, Tai; Han, kana, Bopomofo, Tangut, Khitan, Nüshu.
_SPACELESS = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
    "\u2e80-\u312f\u3190-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00016fe0-\U00018d8f\U0001aff0-\U0001b2ff\U00020000-\U0003ffff]"
)
# Where Unicode has other letters, marks and digits; the gaps between the ranges hold none, or only those above.
_PLANES = (
    range(0x2E80),
    range(0x3130, 0x3190),
    range(0xA000, 0xD800),
    range(0xFB00, 0x16FE0),
    range(0x1B300, 0x20000),
    range(0xE0100, 0xE01F0),
)


@dataclass(frozen=True)
class Term:
    """A text that is looked for without regard to case; ``whole``: as a whole word."""

    text: str
    whole: bool = False

    @cached_property
    def pattern(self) -> str:
        """The text's expression, of RE2 and ``re``, without its boundaries."""
        return folding.pattern(self.text)

    @cached_property
    def _at_every_position(self) -> re.Pattern[str]:
        # Only a look ahead: an expression that took the characters would pass over hits that overlap the one before.
        return re.compile(f"(?={self.pattern})")

    def hits(self, text: str) -> Iterator[tuple[int, int]]:
        """Start and end of every occurrence, also of those that overlap."""
        for found in self._at_every_position.finditer(text):
            # A hit has the length of the term, whatever its case: folding makes one code point of one.
            start, end = found.start(), found.start() + len(self.text)
            # At the start of a text the slice is [-1:0], and so empty as at its end.
            if not (self.whole and (joins(text[start - 1 : start]) or joins(text[end : end + 1]))):
                yield start, end


def parse(query: str) -> tuple[Term, ...]:
    """The different words and phrases of a query, in its order. A quote that is not closed reaches to the end."""
    terms: dict[tuple[str, bool], Term] = {}
    for number, piece in enumerate(query.split('"')):
        # Every second piece stood in quotes.
        for term in [Term(piece)] if number % 2 else _words(piece):
            if term.text:
                # By its pattern: a word that is given again in another case would count twice in the ranking.
                terms.setdefault((term.pattern, term.whole), term)
    return tuple(terms.values())


def joins(character: str) -> bool:
    """Whether a word goes on in this character. "", the end of a text, does not."""
    # The class that is sent to the server, and not Python's own: highlights and hits must not differ by the versions of
    # Unicode of the two.
    return _joining().match(character) is not None


@cache
def joining_class() -> str:
    """The characters that join, as the inside of a character class of RE2 and ``re``.

    What Unicode has not assigned between two of them is taken along: texts do not hold it, and the expression is a
    third as long, which the server compiles for every block of rows.
    """
    ranges: list[list[str]] = []
    spaceless = re.compile(_SPACELESS)
    for plane in _PLANES:
        goes_on = False
        for character in map(chr, plane):
            kind = category(character)
            if kind[0] in _WORD_CATEGORIES and not spaceless.match(character):
                if goes_on:
                    ranges[-1][1] = character
                else:
                    ranges.append([character, character])
                goes_on = True
            elif kind != _UNASSIGNED:
                goes_on = False
    return "".join(f"{first}-{last}" for first, last in ranges)


@cache
def _joining() -> re.Pattern[str]:
    return re.compile(f"[{joining_class()}]")


def _words(piece: str) -> Iterator[Term]:
    for of_word, run in groupby(piece, _in_word):
        for whole, part in groupby(run if of_word else "", joins):
            text = "".join(part)
            # An emoji may end in a mark (a variation selector): alone it is nothing to look for.
            if any(category(character)[0] != "M" for character in text):
                yield Term(text, whole)


def _in_word(character: str) -> bool:
    return joins(character) or category(character)[0] in _WORD_CATEGORIES
