"""Query text. Values enter only through ``literal()``, names only through ``identifier()``.

The driver's own parameters are not used: they are text substitution that breaks on ``%`` and drops the fraction and the
zone of a datetime, and the revision it speaks has no server-side parameters. A template must be a literal string of the
source code (``LiteralString``), so a value cannot become SQL by accident.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, LiteralString

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\0": "\\0", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
)


@dataclass(frozen=True, slots=True)
class Sql:
    """Finished query text. Only the functions of this module make it: a test looks for others."""

    text: str

    def __str__(self) -> str:
        return self.text


def sql(template: LiteralString, **values: Any) -> Sql:
    """The template with every ``{name}`` replaced: a ``Sql`` as it is, anything else as a literal."""

    def fill(match: re.Match[str]) -> str:
        value = values[match[1]]
        return value.text if isinstance(value, Sql) else literal(value)

    # One pass over the template: braces inside of a value that was filled in are never looked at.
    return Sql(_PLACEHOLDER.sub(fill, template))


def join(separator: LiteralString, parts: Iterable[Sql]) -> Sql:
    """The parts with the separator between them."""
    return Sql(separator.join(part.text for part in parts))


def of_package(text: str) -> Sql:
    """A statement out of a file of this package."""
    return Sql(text)


def identifier(name: str) -> Sql:
    """A quoted name of a database, table or column."""
    return Sql("`" + valid_text(name).translate(_ESCAPES).replace("`", "\\`") + "`")


def literal(value: Any) -> str:
    """A value as SQL: str, bool, int, float, date, aware datetime, None; list as array, tuple as ``IN`` list.

    The literal selected back is the same value, with the same type class and to the microsecond.
    """
    if isinstance(value, str):
        return "'" + valid_text(value).translate(_ESCAPES) + "'"
    if value is None:
        return "NULL"
    # Before int: a bool is one.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    # Before date: a datetime is one, and would lose its time.
    if isinstance(value, dt.datetime):
        return f"fromUnixTimestamp64Micro(toInt64({ticks(value)}), 'UTC')"
    if isinstance(value, dt.date):
        return f"toDate32('{value.isoformat()}')"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ")"
    raise TypeError(f"no SQL literal for {type(value).__name__}")


def valid_text(text: str) -> str:
    """The text as it is stored: lone surrogates have no UTF-8 and become U+FFFD, so a filter finds what was written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def ticks(value: dt.datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact. A naive one is a ``TypeError``."""
    return (value - EPOCH) // _MICROSECOND


def from_ticks(value: int | None) -> dt.datetime | None:
    """The datetime in UTC of microseconds since 1970."""
    return None if value is None else EPOCH + dt.timedelta(microseconds=value)
