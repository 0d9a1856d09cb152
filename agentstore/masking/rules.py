"""What a rule is, and the marker that takes a secret's place."""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple

# ‹ and › are not in any token, need no escape in JSON, and are hardly ever written by anybody.
MARKER_PATTERN = rb"\xe2\x80\xb9secret:[a-z0-9-]{1,40}\xe2\x80\xba"
MARKER_START = "‹secret:".encode()
_kind = re.compile(r"[a-z0-9-]{1,40}")


class Span(NamedTuple):
    """Bytes ``start`` to ``end`` are a secret of this kind."""

    start: int
    end: int
    kind: str


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """Tokens of one form.

    ``shape`` is in the syntax that RE2 and ``re`` share, without look-around; it stands for the whole token, or for the
    part of it that is easily found. Only its last repetition may be without a limit: what is searched for from many
    places may not run far from each.
    """

    kind: str
    shape: bytes
    # What a token like it looks like: literal text and {classNUMBER}, filled in by the tests. So this file holds
    # nothing that another scanner takes for a secret.
    examples: tuple[str, ...]
    # What is searched for, where that is more than the beginning of ``shape``, with eight of its first repetition.
    probe: bytes = b""
    # What of the token stands before ``shape``, of letters, digits, _ and -; at most ``reach`` bytes.
    behind: bytes = b""
    reach: int = 64
    # What of ``shape`` is no secret and stays: the name or the host at its beginning.
    keep: bytes = b""
    # A word that stands nearby in the same line, in any case, where the form alone says too little.
    near: bytes = b""
    # Its letters are those of base64 too: + and / beside it say that it is a part of something longer.
    plain: bool = False
    # Distinct bytes that it has at least, in its last 24: fewer are a row of x.
    variety: int = 7

    def __post_init__(self) -> None:
        if not _kind.fullmatch(self.kind):
            raise ValueError(f"kind: {self.kind!r} is not of a-z, 0-9 and -")


def marker(kind: str) -> bytes:
    """What is written in a secret's place."""
    return f"‹secret:{kind}›".encode()
