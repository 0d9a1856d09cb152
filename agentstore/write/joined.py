"""Several texts in one column: the session ids of a file. Pure.

Not an array: the offsets of its rows count on through a block, so that what each call encoded could not be joined. A
zero byte stands between two texts. One inside of a text is escaped: ids are read from transcripts, and these may say
anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentstore.connection.sql import Sql, sql
from agentstore.write.encoding import Segments, encode_strings

_SEPARATOR = "\0"
_ESCAPES = str.maketrans({_SEPARATOR: "\x01\x02", "\x01": "\x01\x01"})


def escaped(text: str) -> str:
    """The text as it stands among others."""
    return text.translate(_ESCAPES)


def parted(joined: str) -> tuple[str, ...]:
    """The texts of a value of the column."""
    if not joined:
        return ()
    # From left to right: "\x01\x01\x02" is an escaped \x01 before \x02.
    return tuple(
        "\x01".join(part.replace("\x01\x02", _SEPARATOR) for part in text.split("\x01\x01"))
        for text in joined.split(_SEPARATOR)
    )


def holds_any(column: Sql, texts: Iterable[str]) -> Sql:
    """The condition that a column of joined texts has one of these."""
    return sql("hasAny(splitByChar('\\0', {column}), {texts})", column=column, texts=[escaped(text) for text in texts])


def encode_joined(values: Sequence[tuple[str, ...]]) -> Segments:
    """``String`` of several texts, of which none is empty."""
    if not set(map(type, values)) <= {tuple}:
        raise TypeError("expected a tuple")
    if any("" in texts for texts in values):
        raise ValueError("has an empty text")
    try:
        return encode_strings([_SEPARATOR.join(map(escaped, texts)) for texts in values])
    except AttributeError:
        raise TypeError("expected a tuple of str") from None
