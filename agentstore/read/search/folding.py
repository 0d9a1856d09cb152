"""What "case-insensitive" means in a search, in one place for the server and for the highlights. Pure.

Two code points are equal when one is the simple lower, upper or title case of the other (Unicode simple case folding):
``Ä`` = ``ä``, ``Σ`` = ``σ`` = ``ς``, ``ẞ`` = ``ß``. One code point never equals two (``ß`` is not ``ss``), so that hits
have the same offsets in any case. Some compatibility letters stand only for themselves: ``ſ``, the Kelvin, Ångström and
Ohm signs, and the historic Cyrillic forms U+1C80 … U+1C88; else every search for an ``s``, a ``k`` or an ``о`` would
have to look for them too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from itertools import chain

_ONLY_THEMSELVES = frozenset("\u017f\u2126\u212a\u212b" + "".join(map(chr, range(0x1C80, 0x1C89))))
# Where Unicode has letters with case: going through all 1.1 million code points would hold the loop for half a second.
_CASED_PLANES = (
    range(0x80, 0x2E80),
    range(0xA640, 0xABC0),
    range(0xFB00, 0xFF60),
    range(0x10400, 0x10600),
    range(0x10C80, 0x10D90),
    range(0x118A0, 0x118E0),
    range(0x16E40, 0x16E80),
    range(0x1E900, 0x1E944),
)
# Cased letters of these blocks are folded by the server's positionCaseInsensitiveUTF8 exactly as here, as
# test_every_cased_letter finds out for each of them. A block that is missing here only makes searches slower.
_SERVER_BLOCKS = ((0x80, 0x24F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587), (0x1E00, 0x1E9B))


def variants(character: str) -> str:
    """All code points equal to this one, itself included, sorted."""
    # The table below begins after ASCII: most searches never build it.
    if character.isascii():
        return "".join(sorted({character.lower(), character.upper()}))
    return _equal_code_points().get(_fold(character), character)


def pattern(needle: str) -> str:
    """A regular expression for the needle, in the common syntax of RE2 and ``re``."""
    return "".join(_any_of(variants(character)) for character in needle)


def folds_on_server(needle: str) -> bool:
    """Whether the server's fast case-insensitive search means the same as ``variants`` for every character."""
    return all(character.isascii() or _folds_on_server(character) for character in needle)


@cache
def _folds_on_server(character: str) -> bool:
    same = variants(character)
    # Also letters that have a case elsewhere and stand only for themselves here: the server may know that case.
    cased = character.lower() != character or character.upper() != character or character.title() != character
    if len(same) == 1:
        return not cased
    # The server's search is trusted only with one lower and one upper case of the same number of bytes. It does not
    # know a third variant (``ς``), and is not relied on where a hit has another length (``ß`` and ``ẞ``).
    sizes = {len(variant.encode()) for variant in same}
    known = any(first <= ord(character) <= last for first, last in _SERVER_BLOCKS)
    return known and len(same) == 2 and len(sizes) == 1


def _any_of(same: str) -> str:
    return f"[{same}]" if len(same) > 1 else re.escape(same)


def _fold(character: str) -> str:
    if character in _ONLY_THEMSELVES:
        return character
    # Where full case folding makes two letters of one (``ß``, ``İ``), the lower case is next, and then the letter
    # itself: a fold of another length would shift the offsets of all that follows.
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


@cache
def _equal_code_points() -> dict[str, str]:
    """Folded code point → all that fold to it; built on the first search beyond ASCII."""
    groups: dict[str, list[str]] = defaultdict(list)
    for character in map(chr, chain.from_iterable(_CASED_PLANES)):
        folded = _fold(character)
        if folded != character:
            groups[folded].append(character)
    return {folded: "".join(sorted({folded, *members})) for folded, members in groups.items()}
