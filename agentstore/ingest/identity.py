"""What a file is known by, wherever it lies: its agent, its name, and its first line."""

from __future__ import annotations

import contextlib
import hashlib
import io
import pathlib

from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.importer import HEAD
from agentstore.importers.sqlite_files import is_sqlite
from agentstore.importers.states import Trace

_BLOCK = 1 << 20


def head_of(path: pathlib.Path) -> bytes:
    """The first bytes of a file, of a compressed one those of what is in it. ``OSError`` if it cannot be read."""
    head = read_start(path, HEAD)
    if not is_compressed(path):
        return head
    import zstandard  # here, for few files need it

    # Not all that comes of these bytes: that may be thousands of times as much.
    stream, first = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(head), read_across_frames=True), b""
    with contextlib.suppress(zstandard.ZstdError):
        while len(first) < HEAD and (block := stream.read(HEAD - len(first))):
            first += block
    return first


def end_of_lines(path: pathlib.Path, size: int) -> int:
    """Where the last whole line of a log ends that has ``size`` bytes; ``size`` where that is not seen at once.

    ``OSError`` if it cannot be read.
    """
    if is_compressed(path):
        return size
    with path.open("rb") as file:
        start = max(0, size - HEAD)
        file.seek(start)
        end = file.read(size - start).rfind(b"\n")
    return start + end + 1 if end >= 0 else size


def is_compressed(path: pathlib.Path) -> bool:
    """Whether a file is a log that its agent has compressed."""
    return path.suffix == ".zst"


def is_database(path: pathlib.Path) -> bool:
    """Whether sessions come and go in a file. ``OSError`` if it cannot be read."""
    return is_sqlite(read_start(path, HEAD))


def ends_of(path: pathlib.Path, offset: int) -> tuple[int, bytes, bytes]:
    """How many bytes are in a compressed file, and what proves the first ``offset`` of them (``ImportState``)."""
    import zstandard

    trace, size = Trace(), 0
    try:
        with (
            path.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream,
        ):
            while block := stream.read1(_BLOCK):
                trace.see(block[: max(0, offset - size)], ends_line=True)
                size += len(block)
    except zstandard.ZstdError:
        return -1, b"", b""
    state = trace.state(0, b"")
    return size, state.head, state.tail


def source_id(agent: str, path: pathlib.Path, head: bytes) -> str:
    """The id of a file that begins with ``head``.

    Of a log it stays while lines are added, and where it is moved or compressed: agents begin it with a line that no
    other has. A document is written anew as a whole, and is known by its name alone.
    """
    stem, _, suffix = path.name.partition(".")
    line, newline, _ = head.partition(b"\n")
    first = line if "jsonl" in suffix and (newline or len(head) >= HEAD) else b""
    digest = hashlib.blake2b(digest_size=16)
    for part in (agent.encode(), stem.encode("utf-8", errors="surrogateescape"), first):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def original_id(machine: str, path: pathlib.Path, source_id: str) -> str:
    """Under which the originals of a file are kept that is read from its start."""
    text = "\0".join((machine, name_of(path), source_id))
    return hashlib.blake2b(text.encode("utf-8", errors="replace"), digest_size=16).hexdigest()
