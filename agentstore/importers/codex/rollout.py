"""Rollouts on disk: plain, compressed (``.jsonl.zst``), or one document (``.json``)."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from agentstore.importers.codex.records import Entry, entries_of, entries_of_document
from agentstore.importers.file_blocks import read_start
from agentstore.importers.intake import Mask
from agentstore.importers.jsonl import BOM, Record, Report, read_values, stretches

MOST_DOCUMENT = 256 * 1024 * 1024
_NAME = re.compile(r"rollout-.*\.(?:jsonl|jsonl\.zst|json)", re.DOTALL)
_MARKERS = re.compile(
    rb'"type"\s*:\s*"(?:session_meta|turn_context|response_item|event_msg|world_state|compacted)"\s*,\s*"payload"\s*:'
    rb'|"record_type"\s*:\s*"state"'
)
_BARE_START = re.compile(rb'\s*\{"id":"[0-9a-f-]{36}","timestamp":"[^"]{1,40}","instructions":')


def is_rollout(path: pathlib.Path, head: bytes) -> bool:
    """Whether a file is one, by its name and its first bytes."""
    if path.name.endswith(".jsonl.zst"):
        return _NAME.fullmatch(path.name) is not None
    if path.suffix not in (".jsonl", ".json"):
        return False
    start = head.removeprefix(BOM)
    if path.suffix == ".json":
        return _NAME.fullmatch(path.name) is not None and b'"session"' in start
    if _MARKERS.search(start) or _BARE_START.match(start):
        return True
    # Its name alone, where the content was destroyed, or is of a version that nobody has seen.
    return _NAME.fullmatch(path.name) is not None


def is_compressed(path: pathlib.Path) -> bool:
    return path.name.endswith(".zst")


def is_document(path: pathlib.Path) -> bool:
    return path.suffix == ".json"


@contextlib.contextmanager
def opened(path: pathlib.Path, tell_broken: Callable[[], None] = lambda: None) -> Iterator[BinaryIO]:
    """The bytes of the lines; of a compressed file as they come, without going back. ``tell_broken`` is called where
    its compression is, and ends it."""
    with path.open("rb") as file:
        if not is_compressed(path):
            yield file
            return
        import zstandard  # here, for most files need none of it

        with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
            yield cast(BinaryIO, _Guarded(stream, zstandard.ZstdError, tell_broken))


class _Guarded:
    """A stream that ends where its compression is broken, as a file does that was cut."""

    def __init__(self, stream: Any, broken: type[Exception], tell_broken: Callable[[], None]) -> None:
        self._stream, self._broken, self._tell_broken = stream, broken, tell_broken

    def read(self, size: int) -> bytes:
        try:
            # What there is at once: read() would throw away what it has when it comes to the broken place.
            return cast(bytes, self._stream.read1(size))
        except self._broken:
            self._tell_broken()
            return b""


def document_of(data: bytes, report: Report) -> Record | None:
    """The object that a JSON file holds; None where there is none. ``report`` gets what is left over."""
    values = read_values(data, report)
    return next((value for value in values if isinstance(value, dict)), None)


def entries_in(path: pathlib.Path, mask: Mask | None = None) -> Iterator[Entry]:
    """All records of a file, in order, without what is none. ``OSError`` where it cannot be read.

    Masked, since forks are called by digests of what they say: those of their originals are the same.
    """
    if is_document(path):
        data = read_start(path, MOST_DOCUMENT)
        yield from entries_of_document(document_of(mask(data) if mask else data, lambda _line, _reason: None))
        return
    with opened(path) as stream:
        for stretch in stretches(stream):
            if stretch.kind in ("lines", "tail"):
                data = mask(stretch.data) if mask else stretch.data
                for _, entry in entries_of(data, lambda _line, _reason: None):
                    yield entry
