"""JSON Lines as agents leave them behind: torn, concatenated, commented. No input raises.

A good line is decoded by msgspec. Whatever that refuses takes the slow, forgiving path: bad UTF-8 and lone surrogates
become U+FFFD, NaN and numbers out of range become null, control characters in strings are kept, every complete object
of a line counts, and what is left over is reported.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal, NamedTuple

import msgspec

Record = dict[str, Any]
Report = Callable[[int, str], None]

MAX_LINE_BYTES = 64 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
_STRETCH_BYTES = 128 * 1024
_MAX_RESTARTS = 50  # per line, so that a hostile one cannot make the time grow with the square of its length
_MAX_DIGITS = 400  # of an integer; Python refuses to convert more than 4,300 and the time grows with the square
# What msgspec raises for a text that it refuses.
REFUSED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decode = msgspec.json.Decoder().decode
_surrogate = re.compile("[\ud800-\udfff]")
_space = re.compile(r"[\s\x00]*")
# Claude Code's records, and Codex's.
_record_start = re.compile(r'\{"(?:parentUuid":|timestamp": ?"[^"\n]{1,40}", ?(?:"ordinal": ?\d{1,19}, ?)?"type":)')


class Stretch(NamedTuple):
    """Consecutive bytes of a file: whole lines, the last line without its end, or a part of a line that is too long."""

    data: bytes
    kind: Literal["lines", "tail", "too long", "end of too long"]


def stretches(stream: BinaryIO) -> Iterator[Stretch]:
    """The bytes of a stream up to its end, a few hundred kilobytes or one line at a time."""
    held: list[bytes] = []  # of the line at hand
    size = 0
    while data := stream.read(_STRETCH_BYTES):
        if size:
            end = data.find(b"\n") + 1
            size += end or len(data)
            held.append(data[:end] if end else data)
            if size > MAX_LINE_BYTES:  # not held any longer; ``size`` still tells that it goes on
                yield Stretch(b"".join(held), "end of too long" if end else "too long")
                held = []
            elif end:
                yield Stretch(b"".join(held), "lines")
            if not end:
                continue
            held, size, data = [], 0, data[end:]
        cut = data.rfind(b"\n") + 1
        if cut:
            yield Stretch(data[:cut], "lines")
        if cut < len(data):
            held, size = [data[cut:]], len(data) - cut
    if held:
        yield Stretch(b"".join(held), "tail")


def stretches_of(data: bytes) -> Iterator[Stretch]:
    """The same of bytes that are in memory: they are copied once only."""
    position, size = 0, len(data)
    while position < size:
        end = data.rfind(b"\n", position, position + _STRETCH_BYTES) + 1
        end = end or data.find(b"\n", position + _STRETCH_BYTES) + 1
        too_long = (end or size) - position > MAX_LINE_BYTES
        if end:
            yield Stretch(data[position:end], "end of too long" if too_long else "lines")
        else:
            yield Stretch(data[position:], "too long" if too_long else "tail")
        position = end or size


def read_records(data: bytes, report: Report) -> Iterator[tuple[int, Record]]:
    """Yield (1-based line, object) for each JSON object of the file; ``report(line, reason)`` gets everything else."""
    lines = io.BytesIO(data.removeprefix(BOM))  # shares the buffer, where split() would hold the file twice
    for number, line in enumerate(lines, 1):
        body = line.strip(b" \t\r\n")
        if body.startswith(b"//"):
            report(number, "comment")
        elif body:
            yield from _objects(number, body, report, torn=not line.endswith(b"\n"))


def read_document(data: bytes, report: Report) -> Record | None:
    """The JSON object that a file holds as a whole, read as forgivingly as a line; None where there is none."""
    body = data.removeprefix(BOM).strip(b" \t\r\n\0")
    values = _values(0, body, report, torn=False) if body else []
    if not values or isinstance(values[0], dict):
        return values[0] if values else None
    report(0, f"not a JSON object but {type(values[0]).__name__}")
    return None


def _objects(number: int, body: bytes, report: Report, *, torn: bool) -> Iterator[tuple[int, Record]]:
    for value in _values(number, body, report, torn=torn):
        if isinstance(value, dict):
            yield number, value
        else:
            report(number, f"not a JSON object but {type(value).__name__}")


def _values(number: int, body: bytes, report: Report, *, torn: bool) -> list[Any]:
    try:
        return [_decode(body)]
    except RecursionError:
        report(number, "nested too deeply")
        return []
    except REFUSED:
        return _forgiving(number, body, report, torn=torn)


def _forgiving(number: int, body: bytes, report: Report, *, torn: bool) -> list[Any]:
    text = body.decode("utf-8", errors="replace")
    values: list[Any] = []
    reason = "" if _is_utf8(body) else "invalid UTF-8, replaced by U+FFFD"
    position, restarts = _skip(text, 0), 0
    while position < len(text) and restarts < _MAX_RESTARTS:
        try:
            value, position = _json.raw_decode(text, position)
            values.append(_clean(value))
        except RecursionError:
            # Its end is not known, so nothing after it is looked for in this line.
            reason = "nested too deeply"
            break
        except ValueError as error:
            reason = "truncated last line" if torn else f"bad JSON: {error}"[:200]
            # A last line that is still being written ends here: what it holds inside may look like a record.
            position = len(text) if torn else _next_record(text, position)
            restarts += 1
        position = _skip(text, position)
    if reason:
        report(number, reason)
    return values


def _next_record(text: str, position: int) -> int:
    """Where the next record begins: one that was appended to a torn line is kept.

    It looks for the beginning that records of conversations have. Objects inside the torn record begin otherwise, and
    are not taken for records.
    """
    found = _record_start.search(text, position + 1)
    return found.start() if found else len(text)


def _skip(text: str, position: int) -> int:
    found = _space.match(text, position)
    return found.end() if found else position


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _number(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


_json = json.JSONDecoder(strict=False, parse_int=_integer, parse_float=_number, parse_constant=lambda _name: None)


def _clean(value: Any) -> Any:
    """The value without lone surrogates: they have no UTF-8, so no row could hold them."""
    if isinstance(value, str):
        return _surrogate.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def to_json(value: Any) -> str:
    """The value as compact JSON text, non-ASCII characters as they are."""
    try:
        return msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, OverflowError, ValueError):
        # Integers beyond 64 bits.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_place = re.compile(r": line (\d{1,9}) column ")


def read_values(data: bytes, report: Report) -> list[Any]:
    """The JSON values of a document that is no file of lines; what is left over is reported with its line."""
    body = data.removeprefix(BOM).strip(b" \t\r\n\x00")

    def placed(_number: int, reason: str) -> None:
        place = _place.search(reason)
        report(int(place.group(1)) if place else 0, reason)

    return _values(0, body, placed, torn=False) if body else []
