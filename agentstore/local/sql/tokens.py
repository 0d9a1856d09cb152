"""The tokens of a statement: words, names, strings and marks, without comments and white space."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Every character is in some token, so nothing but comments and white space is passed over. Strings and quoted names
# come before words and marks: what is within them must not be taken for a clause.
_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|//[^\n]*|\#(?:!|\ )[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<string>'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\Z)|‘[^’]*(?:’|\Z)|(?P<tag>\$[^$]*\$).*?(?P=tag))
      | (?P<name>`[^`\\]*(?:(?:\\.|``)[^`\\]*)*(?:`|\Z)|"[^"\\]*(?:(?:\\.|"")[^"\\]*)*(?:"|\Z)|“[^”]*(?:”|\Z))
      | (?P<word>[^\W\d][\w$]*)
      | (?P<other>[\w.]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int
    depth: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words

    def is_mark(self, mark: str) -> bool:
        return self.kind == "other" and self.text == mark


def tokens(sql: str, start: int = 0) -> Iterator[Token]:
    """The tokens of ``sql`` from ``start``, without comments and white space; ``depth`` counts open parentheses.

    Lazily: who needs only the beginning does not pay for the rest.
    """
    depth = 0
    for match in _TOKEN.finditer(sql, start):
        kind = match.lastgroup or "other"
        if kind == "skip":
            continue
        text = match[0]
        # A closing mark has the depth of its opening one.
        if text in (")", "]", "}"):
            depth -= 1
        yield Token(kind, text, match.start(), match.end(), depth)
        if text in ("(", "[", "{"):
            depth += 1


def is_word_at(found: Sequence[Token], index: int, *words: str) -> bool:
    """Whether there is a token at this place, and it is one of these words."""
    return index < len(found) and found[index].is_word(*words)


def unquoted(name: str) -> str:
    """An identifier without its quotes and escapes."""
    if name[:1] == "“":
        return name[1:-1]
    if name[:1] not in ('"', "`"):
        return name
    # Doubled quotes before escapes: two escaped quotes would else become one.
    quote = name[0]
    inner = name[1:-1].replace(quote * 2, quote)
    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
