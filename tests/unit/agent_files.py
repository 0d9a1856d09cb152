"""Reading files of one agent in tests: what every importer's rows have to be, and what becomes of them when a file is
cut or damaged."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from agentstore.importers import ImportResult, ImportState, Options
from agentstore.importers.importer import Importer
from tests.unit.mutation_seed import mutation_seed

Rows = dict[Any, Any]


def read_all(importer: Importer, root: pathlib.Path, **options: Any) -> list[ImportResult]:
    """All files below a folder that are this agent's, in the order in which they are best read."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and importer.detect(path, start_of(path))]
    history = importer.survey(files, Options(**options))
    return [check(result) for path in history.files for result in history.read(path)]


def read_one(importer: Importer, path: pathlib.Path, **options: Any) -> list[ImportResult]:
    return [check(result) for result in importer.survey([path], Options(**options)).read(path)]


def start_of(path: pathlib.Path) -> bytes:
    with path.open("rb") as file:
        return file.read(65536)


def check(result: ImportResult) -> ImportResult:
    """The rows fit their columns, are text that has UTF-8, and belong to one session."""
    msgspec.json.encode(result)
    assert len(result.sessions) <= 1
    ids = {session.id for session in result.sessions}
    for rows in (result.messages, result.tool_calls, result.git_links, result.file_touches):
        assert {row.session_id for row in rows} <= ids
    for message in result.messages:
        assert message.content_length == len(message.content)
        for tokens in (message.input_tokens, message.cache_read_tokens, message.cache_write_tokens):
            assert 0 <= tokens < 2**63
        assert 0 <= message.output_tokens < 2**63
    return result


def union(results: Sequence[ImportResult]) -> Rows:
    """The rows as a store has them that took the results one after the other."""
    rows: Rows = {}
    for result in results:
        rows |= {("session", row.id): row for row in result.sessions}
        rows |= {("message", row.session_id, row.ordinal): row for row in result.messages}
        rows |= {
            ("call", row.session_id, row.message_ordinal, row.tool_use_id, row.call_index): row
            for row in result.tool_calls
        }
        rows |= {("link", row.session_id, row.commit_sha, row.pr_url): row for row in result.git_links}
        rows |= {
            ("touch", row.session_id, row.message_ordinal, row.tool_use_id, row.call_index, row.path): row
            for row in result.file_touches
        }
    return rows


def keys(rows: Rows) -> set[Any]:
    return {key for key in rows if key[0] != "link"}


def kept(state: ImportState | None) -> ImportState:
    """A state as it comes back from a store."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=ImportState)


def grown(importer: Importer, path: pathlib.Path, ends: Sequence[int], piece_bytes: int) -> list[ImportResult]:
    """Import a file each time when it had so many bytes, each time from where the time before stopped."""
    data = path.read_bytes()
    results: list[ImportResult] = []
    state: ImportState | None = None
    for end in ends:
        path.write_bytes(data[:end])
        history = importer.survey([path], Options(piece_bytes=piece_bytes))
        results += [check(result) for result in history.read(path, state)]
        state = kept(results[-1].state)
    path.write_bytes(data)
    return results


def cuts(data: bytes, chance: random.Random, number: int = 200) -> Iterator[bytes]:
    """The data up to each end of a line, and up to so many other places."""
    places = {place for place in range(len(data)) if data[place : place + 1] == b"\n"}
    places |= {place + 1 for place in places}
    places |= {chance.randrange(len(data) + 1) for _ in range(number)}
    for place in sorted(places):
        yield data[:place]


NOISE = [
    b"", b"{", b'"', b"\n", b"\x00", b"\xff", b"[", b"null", b'"\\ud800"', b"}{", b"NaN", b"9" * 400, b"-1", b"[]",
    b"{}", b"\xef\xbb\xbf", b"\r\n", b"true", b"[" * 2000, b'{"a":' * 2000, b"1e999", b'""',
]  # fmt: skip


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The data with a few bytes replaced by what may hurt."""
    torn = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(torn) + 1)
        torn[start : start + chance.choice([0, 1, 2, 7, 40])] = chance.choice(NOISE)
    return bytes(torn)


def seeded() -> random.Random:
    seed = mutation_seed()
    print(f"seed {seed}")
    return random.Random(seed)
