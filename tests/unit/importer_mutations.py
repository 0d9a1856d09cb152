"""Transcripts as no agent writes them: torn bytes, and JSON whose values are of any kind and size."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
from collections.abc import Callable
from typing import Any

from tests.unit.importer_seeds import Seed

# Texts that stand for what ``json.dumps`` would not write.
RAW = {
    "@raw-huge@": "9" * 401,
    "@raw-huger@": "-" + "7" * 5000,
    "@raw-nan@": "NaN",
    "@raw-infinity@": "-Infinity",
    "@raw-float@": "1e999",
    "@raw-surrogate@": '"a\\ud800b"',
    "@raw-key@": '{"\\udc00": "\\ud83d"}',
    "@raw-deep@": "[" * 900 + "]" * 900,
    "@raw-deeper@": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "@raw-open@": "[" * 5000,
    "@raw-control@": '"\x00\x01\x1f"',
}
VALUES: list[Any] = [
    *RAW, None, True, False, 0, -1, 2**31, 2**63, 2**64, 10**30, 0.5, -1e300, "", " ", "null", "\x00", "a" * 70_000,
    "\u2028\u202e\ufffe", "2026-03-02T08:00:00Z", "9999-99-99", [], {}, [[]], [{}], [None], ["text"], {"": ""},
    {"text": "t"}, [{"type": "text", "text": 1}], {"id": ["x"]}, "/", "..\\..", "git commit -m x", "e\u0301" * 40,
]  # fmt: skip
TORN = [
    b"",
    b"{",
    b"}",
    b'"',
    b"\n",
    b"\r\n",
    b"\x00",
    b"\xff",
    b"[",
    b"]",
    b",",
    b"null",
    b"\\ud800",
    b"}{",
    b"//",
    b"\\",
]
_MOST_STEPS = 60


def mutated(seed: Seed, chance: random.Random) -> bytes:
    """The transcript with one or more things wrong."""
    ways: list[Callable[[bytes, random.Random], bytes]] = [torn]
    ways += {
        "lines": [changed_lines, changed_lines, moved_lines],
        "document": [changed_document, changed_document, changed_document, framed],
        "database": [changed_cells, changed_cells],
        "bytes": [],
    }[seed.shape]
    data = seed.data
    for _ in range(chance.choice([1, 1, 2, 3])):
        data = chance.choice(ways)(data, chance)
    return data


def torn(data: bytes, chance: random.Random) -> bytes:
    """Bytes that are lost, doubled or in the place of others."""
    found = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(found) + 1)
        found[start : start + chance.choice([0, 1, 2, 40, 400])] = chance.choice(TORN)
    return bytes(found)


def changed_lines(data: bytes, chance: random.Random) -> bytes:
    """Values of another kind in some lines."""
    lines = data.splitlines(keepends=True)
    for _ in range(chance.randrange(1, 4)):
        if lines:
            place = chance.randrange(len(lines))
            lines[place] = changed(lines[place], chance) + b"\n"
    return b"".join(lines)


def changed_document(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randrange(1, 4)):
        data = changed(data, chance)
    return data


def changed(text: bytes, chance: random.Random) -> bytes:
    """A JSON text with one value changed; the same bytes where it is none (any more)."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text.rstrip(b"\r\n")
    value = _changed(value, chance)
    try:
        written = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    except (ValueError, RecursionError):
        return text.rstrip(b"\r\n")
    for name, raw in RAW.items():
        written = written.replace(f'"{name}"', raw)
    return written.encode("utf-8", errors="surrogatepass")


def _changed(value: Any, chance: random.Random) -> Any:
    """Go down to some place, and change what is there."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.02:
        return chance.choice(VALUES)
    target: Any = value
    for _ in range(_MOST_STEPS):
        key = chance.choice(list(target)) if isinstance(target, dict) else chance.randrange(len(target))
        inner = target[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.75:
            target = inner
            continue
        _change(target, key, chance)
        break
    return value


def _change(target: Any, key: Any, chance: random.Random) -> None:
    way = chance.randrange(6)
    if way == 0:
        del target[key]
    elif way == 1 and isinstance(target, dict):
        target[chance.choice([*target, "id", "type", "content", "@raw-huge@", ""])] = target.pop(key)
    elif way == 1:
        target.append(target[key])
    elif way == 2:
        target[key] = [target[key]]
    else:
        target[key] = chance.choice(VALUES)


def moved_lines(data: bytes, chance: random.Random) -> bytes:
    """Lines that stand elsewhere, twice, nowhere, or two of them as one."""
    lines = data.splitlines(keepends=True) or [b""]
    for _ in range(chance.randrange(1, 5)):
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        way = chance.randrange(6)
        if way == 0:
            lines[one], lines[other] = lines[other], lines[one]
        elif way == 1:
            lines.insert(one, lines[other])
        elif way == 2 and len(lines) > 1:
            del lines[one]
        elif way == 3:
            lines[one] = lines[one].rstrip(b"\n")
        elif way == 4:
            lines[one] = lines[one].rstrip(b"\n") + b"\r\n"
        else:
            lines.insert(
                one, chance.choice([b"\n", b"\xef\xbb\xbf", b"// x\n", b"[]\n", b"null\n", b"{}\n", b"\x00" * 99])
            )
    return b"".join(lines)


def framed(data: bytes, chance: random.Random) -> bytes:
    """A document with something around it."""
    before = chance.choice([b"", b"\xef\xbb\xbf", b"\r\n", b"[", b"\x00"])
    after = chance.choice([b"", b"\n\n", data, b"{}", b"garbage", b"\x00\x00", b"]"])
    return before + data + after


def changed_cells(data: bytes, chance: random.Random) -> bytes:
    """A database in which some cells hold something else; the same bytes where it is none (any more)."""
    # A torn one may hold names that are no text, and rows that are not there.
    mishaps = (sqlite3.Error, UnicodeDecodeError)
    with contextlib.closing(sqlite3.connect(":memory:")) as database, contextlib.suppress(*mishaps):
        database.deserialize(data)
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for _ in range(chance.randrange(1, 4) if tables else 0):
            _change_cell(database, chance.choice(sorted(tables)), chance)
        database.commit()
        return database.serialize()
    return data


def _change_cell(database: sqlite3.Connection, table: str, chance: random.Random) -> None:
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
    rows = [row for (row,) in database.execute(f'SELECT rowid FROM "{table}" ORDER BY rowid')]
    if not rows or not columns:
        return
    column, row = chance.choice(columns), chance.choice(rows)
    if chance.random() < 0.1:
        database.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (row,))
        return
    held: Any
    (held,) = database.execute(f'SELECT "{column}" FROM "{table}" WHERE rowid = ?', (row,)).fetchone() or (None,)
    is_json = isinstance(held, str | bytes) and held[:1] in ("{", "[", b"{", b"[")
    if is_json and chance.random() < 0.8:
        new: Any = changed(held.encode() if isinstance(held, str) else held, chance)
        new = new.decode("utf-8", errors="replace") if isinstance(held, str) else new
    else:
        new = chance.choice([None, 0, -1, 2**62, 0.5, "", "text", b"\xff\x00", b"{", '{"a": [', "\ufffe", "x" * 70_000])
    with contextlib.suppress(sqlite3.IntegrityError):
        database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (new, row))
