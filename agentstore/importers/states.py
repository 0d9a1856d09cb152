"""Where the import of a file stopped: enough to continue, and to see that what was read has not changed since."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import BinaryIO

import msgspec

STATE_VERSION = 1  # of what ``memory`` holds: another version's cannot be continued
_PROOF_BYTES = 4096


class StaleStateError(ValueError):
    """The state does not belong to this file as it is now: read it again from its start."""


class ImportState(msgspec.Struct, frozen=True, array_like=True):
    """The state of an import after the line that ends at byte ``offset``, the last safe point of a file.

    ``head`` and ``tail`` are digests of the file's first bytes and of those before ``offset``; ``memory`` is what the
    importer remembers, packed.
    """

    version: int
    offset: int
    line: int
    head: bytes
    tail: bytes
    memory: bytes

    @property
    def is_of_sessions(self) -> bool:
        """Whether it is a database's (``state_of_sessions``). It tells of each session whether it changed, or what is
        said of it elsewhere: so it is good whatever others say now, where any other state is to be given up."""
        return not self.offset and not self.head

    def open(self, stream: BinaryIO) -> None:
        """Leave the stream where reading continues; ``StaleStateError`` if its earlier part is not what was read."""
        if self.version != STATE_VERSION:
            raise StaleStateError(f"the state has version {self.version}, this is version {STATE_VERSION}")
        size = stream.seek(0, io.SEEK_END)
        if size < self.offset:
            raise StaleStateError(f"the file has {size} bytes, and {self.offset} were read")
        length = min(self.offset, _PROOF_BYTES)
        stream.seek(0)
        if _proof(_read(stream, length)) != self.head:
            raise StaleStateError("the file begins otherwise than when it was read")
        stream.seek(self.offset - length)
        if _proof(_read(stream, length)) != self.tail:
            raise StaleStateError("the file was written again before the place where reading stopped")


def state_of_sessions(proofs: Mapping[str, bytes]) -> ImportState:
    """The state after a database: by session what changes when the session does."""
    return ImportState(STATE_VERSION, 0, 0, b"", b"", msgspec.msgpack.encode(proofs))


def proofs_in(state: ImportState | None) -> dict[str, bytes]:
    """The proofs of such a state; ``StaleStateError`` where it is another."""
    if state is None:
        return {}
    if state.version != STATE_VERSION:
        raise StaleStateError(f"the state has version {state.version}, this is version {STATE_VERSION}")
    try:
        return msgspec.msgpack.decode(state.memory, type=dict[str, bytes]) if state.memory else {}
    except msgspec.MsgspecError as error:
        raise StaleStateError("the state is not one of a database") from error


class Trace:
    """What is left of the bytes that were read: their number, the first and the last ones."""

    def __init__(self, stream: BinaryIO | None = None, state: ImportState | None = None) -> None:
        self._offset, self._head, self._tail = 0, b"", b""
        if stream is not None and state is not None and state.offset:
            length = min(state.offset, _PROOF_BYTES)
            stream.seek(0)
            self._head = _read(stream, length)
            stream.seek(state.offset - length)
            self._offset, self._tail = state.offset, _read(stream, length)
        self._safe = (self._offset, self._tail)

    @property
    def offset(self) -> int:
        """Where what was read ends."""
        return self._offset

    def see(self, data: bytes, *, ends_line: bool) -> None:
        self._offset += len(data)
        if len(self._head) < _PROOF_BYTES:
            self._head += data[: _PROOF_BYTES - len(self._head)]
        self._tail = data[-_PROOF_BYTES:] if len(data) >= _PROOF_BYTES else (self._tail + data)[-_PROOF_BYTES:]
        if ends_line:
            self._safe = (self._offset, self._tail)

    def state(self, line: int, memory: bytes) -> ImportState:
        """The state at the last safe point."""
        offset, tail = self._safe
        return ImportState(STATE_VERSION, offset, line, _proof(self._head[:offset]), _proof(tail), memory)


def _proof(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()


def _read(stream: BinaryIO, size: int) -> bytes:
    """So many bytes, or those up to the end: a stream may give less at once."""
    pieces = []
    while size > 0 and (data := stream.read(size)):
        pieces.append(data)
        size -= len(data)
    return b"".join(pieces)
