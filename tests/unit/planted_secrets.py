"""Seeds with a secret in one of their texts: in each of them, in turn, also in JSON that is written in a text."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import zstandard

from tests.unit.cursor_databases import field
from tests.unit.importer_seeds import Seed
from tests.unit.masking_examples import fill

# Some that are known by their form alone, also in a path, and that no escape changes.
FORMS = ("ghp_{a36}", "sk-ant-api03-{w93}AA", "glpat-{w20}", "npm_{a36}")

FOLDER = b"file:///home/u/my%20shop"  # as Cursor's messages of protocol buffers have it


def fresh_secret(chance: random.Random) -> str:
    return fill(chance.choice(FORMS), chance.random())


def planted(seed: Seed, secret: str) -> Iterator[Seed]:
    """The seed, each time with the secret in another place: of its file, or of one beside it."""
    for data in _variants_of(seed.data, seed.shape, secret):
        yield seed._replace(data=data)
    for name, beside in seed.beside.items():
        for data in _variants_of(beside, "document", secret):
            yield seed._replace(beside={**seed.beside, name: data})


def unpacked(data: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(data) as stream:
        return bytes(stream.read())


def _variants_of(data: bytes, shape: str, secret: str) -> Iterator[bytes]:
    if shape == "database":
        yield from _databases(data, secret)
    elif shape == "bytes":
        yield from map(zstandard.compress, _variants_of(unpacked(data), "lines", secret))
    elif shape == "lines":
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines):
            for one in _variants_of(line, "document", secret):
                yield b"".join([*lines[:number], one.rstrip(b"\n") + b"\n", *lines[number + 1 :]])
    else:
        try:
            value = json.loads(data)
        except ValueError:
            yield data.rstrip(b"\n") + f" {secret}\n".encode()  # YAML, or plain text
            return
        for changed in variants(value, secret):
            yield json.dumps(changed, ensure_ascii=False).encode()


def variants(value: Any, secret: str) -> Iterator[Any]:
    """The same value, each time with the secret in one of its texts, or as the name of one."""
    if isinstance(value, str):
        yield f"{value}/{secret}" if value.startswith(("/", "file:")) else f"{value} {secret}".strip()
        if value[:1] in ("{", "["):
            try:
                inside = json.loads(value)
            except ValueError:
                return
            yield from (json.dumps(one) for one in variants(inside, secret))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from ([*value[:number], one, *value[number + 1 :]] for one in variants(item, secret))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from ({**value, name: one} for one in variants(item, secret))
        yield {**value, f"/home/{secret}": "there"}  # names are texts, too: those of folders, for one


def _databases(data: bytes, secret: str) -> Iterator[bytes]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(data)
        cells = [
            (table, column, rowid, value)
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for column in [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for rowid, value in connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
        ]
    for table, column, rowid, value in cells:
        for changed in _cells(value, secret):
            with closing(sqlite3.connect(":memory:")) as connection:
                connection.deserialize(data)
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, rowid))
                connection.commit()
                yield connection.serialize()


def _cells(value: object, secret: str) -> Iterator[object]:
    if isinstance(value, str) and value[:2] == "7b":  # JSON in hexadecimal digits
        yield from (json.dumps(one).encode().hex() for one in variants(json.loads(bytes.fromhex(value)), secret))
    elif isinstance(value, str):
        yield from variants(value, secret)
    elif isinstance(value, bytes) and value[:1] == b"{":
        yield from (json.dumps(one).encode() for one in variants(json.loads(value), secret))
    elif isinstance(value, bytes) and (folder := field(9, FOLDER)) in value:
        yield value.replace(folder, field(9, FOLDER + b"/" + secret.encode()))
