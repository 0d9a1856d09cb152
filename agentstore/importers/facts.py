"""What is remembered of files between two surveys: facts about each, packed, and digests of what follows from them.

Facts are made from the bytes of one file. A survey makes those that it was not given, and goes through all of them;
so it gives the same whether it was given any or none.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Generic, NamedTuple, TypeVar

import msgspec

from agentstore.importers.importer import FileFacts, Options
from agentstore.importers.jsonl import Stretch, stretches
from agentstore.importers.states import ImportState, StaleStateError, Trace

_S = TypeVar("_S")


def digest_of(*parts: object) -> bytes:
    """Eight bytes that these values are known by."""
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=8).digest()


class Noted(NamedTuple, Generic[_S]):
    """What was found in a file. ``until`` is where its next lines would begin, and that all before was looked at; None
    where it cannot be continued. ``is_whole``: all of it could be read; else it is looked at again next time."""

    said: _S
    until: ImportState | None = None
    is_whole: bool = True


class _Packed(msgspec.Struct, array_like=True):
    version: int
    is_masked: bool
    said: msgspec.Raw
    until: ImportState | None


class Notes(Generic[_S]):
    """The facts of an agent's files: those that were kept, and those that are made when they are asked for.

    ``make`` looks at a file, from where it was looked at before if that is given; ``StaleStateError`` if it is not the
    same file any more, and ``OSError`` if it cannot be read. ``version`` is of what the facts hold.
    """

    def __init__(
        self,
        kind: type[_S],
        version: int,
        make: Callable[[pathlib.Path, Noted[_S] | None], Noted[_S]],
        options: Options,
        known: FileFacts,
        grown: FileFacts,
    ) -> None:
        self._is_masked = options.mask is not None
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._version = version
        self._make = make
        self._known = known
        self._grown = grown
        self._noted: dict[pathlib.Path, Noted[_S] | None] = {}
        self._changed: set[pathlib.Path] = set()  # those that are not what is kept

    def said(self, path: pathlib.Path) -> _S | None:
        """What a file says; None where it cannot be read: its import says why."""
        noted = self.noted(path)
        return noted.said if noted else None

    def noted(self, path: pathlib.Path) -> Noted[_S] | None:
        if path not in self._noted:
            self._noted[path] = self._unpacked(self._known.get(path, b"")) or self._made(path)
        return self._noted[path]

    def keep(self, path: pathlib.Path, noted: Noted[_S]) -> None:
        """More was found out about a file."""
        self._noted[path] = noted
        self.touch(path)

    def touch(self, path: pathlib.Path) -> None:
        """What is said of a file was added to."""
        self._changed.add(path)

    def packed(self, path: pathlib.Path) -> bytes:
        noted = self._noted.get(path)
        if noted is None or not noted.is_whole:
            return b""
        if path not in self._changed:
            return self._known[path]
        said = msgspec.Raw(msgspec.msgpack.encode(noted.said))
        return msgspec.msgpack.encode(_Packed(self._version, self._is_masked, said, noted.until))

    def _made(self, path: pathlib.Path) -> Noted[_S] | None:
        self._changed.add(path)
        before = self._unpacked(self._grown.get(path, b""))
        try:
            if before is not None and before.until is not None:
                try:
                    return self._make(path, before)
                except StaleStateError:
                    pass
            return self._make(path, None)
        except OSError:
            return None

    def _unpacked(self, packed: bytes) -> Noted[_S] | None:
        """None for what another version has packed, or one that did not mask, or did."""
        try:
            kept = msgspec.msgpack.decode(packed, type=_Packed)
            if (kept.version, kept.is_masked) != (self._version, self._is_masked):
                return None
            return Noted(self._decode(kept.said), kept.until)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            return None


class Looking:
    """Goes through the lines of a file that were not looked at before."""

    def __init__(self, stream: BinaryIO, until: ImportState | None) -> None:
        if until is not None:
            until.open(stream)
        self._stream = stream
        self._trace = Trace(stream, until)
        self._is_whole = True
        self.size = until.offset if until else 0
        stream.seek(self.size)

    def stretches(self) -> Iterator[Stretch]:
        for stretch in stretches(self._stream):
            self.size += len(stretch.data)
            self._is_whole = stretch.kind in ("lines", "end of too long")
            self._trace.see(stretch.data, ends_line=self._is_whole)
            yield stretch

    def until(self) -> ImportState | None:
        """Where the next lines begin. What was read of a line without its end was looked at, too: so there is no place
        where it could be continued."""
        return self._trace.state(0, b"") if self._is_whole else None
