"""The tokens of an Antigravity conversation: from the database beside its transcript.

``conversations/<conversation>.db`` has a table ``gen_metadata(idx, data)``: one protobuf message for each response.
Its schema is not published; the numbers of the fields that are read here are those that agentsview read out of the
program (1.1.16), and compared with what the program itself reports, in 550 of 550 responses:

* 1: the model's part, in it 4: the usage, 19 and 21: the model's name, and its name for people
* 2: the steps that came of it; the first one is always a ``PLANNER_RESPONSE``
* the usage: 1: a number for the model (1000 to 4999), 2: input that was not cached, 3: output with thoughts, 5: what
  was read from the cache; what is 0 is not written

Where a field is of another kind, or out of bounds, there are no tokens: they would be guessed. Older messages that
have these somewhere else are left alone for the same reason.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from agentstore.importers.conversation import Usage
from agentstore.importers.intake import Mask, masked_text
from agentstore.importers.jsonl import to_json
from agentstore.importers.sqlite_files import Report, open_database

_MOST_TOKENS = 2_000_000
_MOST_BYTES = 16 << 20  # of one message
_MOST_FIELDS = 10_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Field = tuple[int, int | bytes]


class Generation(NamedTuple):
    """What a response cost, and the model that gave it, as far as its message says."""

    usage: Usage
    model: str


def generations_in(path: pathlib.Path, report: Report, mask: Mask | None = None) -> dict[int, Generation]:
    """The responses of a conversation, by the step of each. None where there is no such database."""
    found: dict[int, Generation] = {}
    try:
        if path.is_symlink() or not path.is_file():
            return found
    except (OSError, ValueError):
        return found
    with open_database(path, report, mask) as database:
        if not database.has("gen_metadata", "idx", "data"):
            return found
        for number, data in database.rows(
            "SELECT idx, data FROM gen_metadata WHERE length(data) <= ? ORDER BY idx", _MOST_BYTES
        ):
            if isinstance(data, bytes) and type(number) is int and (read := _generation(data)):
                step, generation = read
                generation = generation._replace(model=masked_text(mask, generation.model))
                found.setdefault(number if step is None else step, generation)
    return found


def _generation(data: bytes) -> tuple[int | None, Generation] | None:
    fields = list(_fields(data))
    part = next((value for number, value in fields if number == 1 and isinstance(value, bytes)), b"")
    steps = [value for number, value in fields if number == 2]
    inner = list(_fields(part))
    usage = _usage(next((value for number, value in inner if number == 4 and isinstance(value, bytes)), b""))
    if usage is None:
        return None
    names = {number: _name(value) for number, value in inner if number in (19, 21)}
    return _first_step(steps), Generation(usage, names.get(21) or names.get(19) or "")


def _usage(data: bytes) -> Usage | None:
    fields = {number: value for number, value in _fields(data) if isinstance(value, int)}
    told = {"input_tokens": fields.get(2, 0), "output_tokens": fields.get(3, 0), "cache_read_tokens": fields.get(5, 0)}
    if not 1000 <= fields.get(1, 0) < 5000 or not any(told.values()) or max(told.values()) > _MOST_TOKENS:
        return None
    return Usage(told["input_tokens"], told["cache_read_tokens"], 0, told["output_tokens"], to_json(told))


def _first_step(steps: list[int | bytes]) -> int | None:
    """The first of the steps: each has a field of its own, or all stand in one. None where no field is there."""
    if not steps:
        return None
    first = steps[0]
    if isinstance(first, bytes):
        value, _ = _varint(first, 0)
        return value
    return first


def _name(value: int | bytes) -> str:
    try:
        text = value.decode() if isinstance(value, bytes) else ""
    except UnicodeDecodeError:
        return ""
    return text if len(text) <= 64 and text.isprintable() else ""


def _fields(data: bytes) -> Iterator[Field]:
    """The fields of a message, one level of it, up to the first that is none. Numbers of fixed size are passed over."""
    position, size = 0, len(data)
    for _ in range(_MOST_FIELDS):
        tag, position = _varint(data, position)
        if tag < 8:
            return
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            if value < 0:
                return
            yield number, value
        elif kind == _BYTES:
            length, position = _varint(data, position)
            if length < 0 or position + length > size:
                return
            yield number, data[position : position + length]
            position += length
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            return


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number and where it ends; -1 where there is none."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            return -1, position
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    return -1, position
