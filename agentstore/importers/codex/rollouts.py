"""What has to be known of each rollout, and is remembered of it: its first records, and more where others need it."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator

import msgspec

from agentstore.importers.codex.meta import Meta
from agentstore.importers.codex.records import Entry, entries_of, strings
from agentstore.importers.codex.rollout import entries_in, is_compressed, is_document
from agentstore.importers.codex.speech import directory_in, text_in
from agentstore.importers.codex.trail import Kin, Trail
from agentstore.importers.codex.usage import totals_of
from agentstore.importers.facts import Looking, Noted, Notes
from agentstore.importers.importer import FileFacts, Options

VERSION = 1
_HEAD_RECORDS = 24  # a parent's session_meta comes right after the own one


class Spent(msgspec.Struct, array_like=True):
    """The totals before an ordinal. ``is_sure``: what is added to the file later does not change them."""

    totals: list[int]
    is_sure: bool


class Said(msgspec.Struct, array_like=True):
    """What the first records of a file say; ``foreign`` are threads whose ``session_meta`` is among them, too.

    ``trail`` is there where its records had to be compared with another file's; ``kin`` what came of that, with what it
    came from; ``spent`` where a child asked for it, by the ordinal.
    """

    meta: Meta = msgspec.field(default_factory=Meta)
    foreign: list[str] = []
    cwds: list[str] = []  # the directories that the first records tell, where the very first does not
    head: bytes = b""  # the trail of the first records, while there are no others
    trail: bytes = b""
    kin: tuple[bytes, Kin] | None = None
    spent: dict[int, Spent] = {}


class Rollouts:
    """The rollouts that are read together. None of these raises for one that cannot be read: its import says why."""

    def __init__(self, options: Options, known: FileFacts, grown: FileFacts) -> None:
        self._mask = options.mask
        self._notes = Notes(Said, VERSION, self._look_over, options, known, grown)
        self._trails: dict[pathlib.Path, Trail] = {}

    def said(self, path: pathlib.Path) -> Said:
        return self._notes.said(path) or Said()

    def facts(self, path: pathlib.Path) -> bytes:
        return self._notes.packed(path)

    def trail(self, path: pathlib.Path) -> Trail:
        """The marks of all records."""
        if path not in self._trails:
            self._trails[path] = self._kept_trail(path) or self._whole(path)
        return self._trails[path]

    def forget_trails(self) -> None:
        """They are large; what is asked for again is unpacked again."""
        self._trails = {}

    def keep_kin(self, path: pathlib.Path, proof: bytes, kin: Kin) -> None:
        said = self._notes.said(path)
        if said is not None and said.kin != (proof, kin):
            said.kin = (proof, kin)
            self._notes.touch(path)

    def spent_before(self, path: pathlib.Path, ordinal: int) -> list[int]:
        """What a thread had spent in all before a record; 0: before its end."""
        said = self._notes.said(path)
        if said is None:
            return []
        if ordinal not in said.spent:
            said.spent[ordinal] = self._spent(path, ordinal)
            self._notes.touch(path)
        return said.spent[ordinal].totals

    # --- looking into files ------------------------------------------------------------------------------------------

    def _look_over(self, path: pathlib.Path, before: Noted[Said] | None) -> Noted[Said]:
        if is_document(path) or is_compressed(path):
            entries = list(itertools.islice(entries_in(path, self._mask), _HEAD_RECORDS))
            head = Trail(entries)
            few = head.packed() if head.records < _HEAD_RECORDS else b""
            return Noted(Said(head.meta, head.foreign, _directories(entries), few))
        with path.open("rb") as stream:
            looking = Looking(stream, before.until if before else None)
            said = before.said if before else Said(head=Trail().packed())
            said.spent = {ordinal: spent for ordinal, spent in said.spent.items() if spent.is_sure}
            self._read_on(said, looking)
            return Noted(said, looking.until())

    def _read_on(self, said: Said, looking: Looking) -> None:
        """What a file has more than before, as far as it matters."""
        head = Trail.unpacked(said.head) if said.head else None
        whole = Trail.unpacked(said.trail) if said.trail else None
        parts = self._parts(looking)
        while (head or whole) and (entries := next(parts, None)) is not None:
            if head:
                first = entries[: _HEAD_RECORDS - head.records]
                head.take(first)
                said.cwds += [cwd for cwd in _directories(first) if cwd not in said.cwds]
                said.meta, said.foreign, said.head = head.meta, head.foreign, head.packed()
                if head.records >= _HEAD_RECORDS:
                    head, said.head = None, b""
            if whole:
                whole.take(entries)
        if whole:
            said.trail = whole.packed()

    def _parts(self, looking: Looking) -> Iterator[list[Entry]]:
        for stretch in looking.stretches():
            if stretch.kind in ("lines", "tail"):
                data = self._mask(stretch.data) if self._mask else stretch.data
                yield [entry for _, entry in entries_of(data, lambda _line, _reason: None)]

    def _kept_trail(self, path: pathlib.Path) -> Trail | None:
        packed = self.said(path).trail
        try:
            return Trail.unpacked(packed) if packed else None
        except (ValueError, msgspec.MsgspecError):
            return None

    def _whole(self, path: pathlib.Path) -> Trail:
        """Read all of a file, which was not necessary until now."""
        noted = self._notes.noted(path)
        if noted is None:
            return Trail()
        trail, until = Trail(), noted.until
        try:
            if is_document(path) or is_compressed(path):
                trail.take(entries_in(path, self._mask))
            else:
                with path.open("rb") as stream:
                    looking = Looking(stream, None)
                    for entries in self._parts(looking):
                        trail.take(entries)
                    until = looking.until()
        except OSError:
            return Trail()
        noted.said.trail = trail.packed()
        self._notes.keep(path, Noted(noted.said, until))
        return trail

    def _spent(self, path: pathlib.Path, ordinal: int) -> Spent:
        totals: list[int] = []
        try:
            for entry in entries_in(path):
                if ordinal and entry.ordinal is not None and entry.ordinal >= ordinal:
                    return Spent(totals, is_sure=True)
                if entry.type == "token_count":
                    totals = totals_of(entry.payload.get("info")) or totals
        except OSError:
            pass
        return Spent(totals, is_sure=False)


def _directories(entries: list[Entry]) -> list[str]:
    """Where a session may have run, as its reader finds it."""
    found: dict[str, None] = {}
    for entry in entries:
        if entry.kind == "turn_context":
            found[strings(entry.payload, "cwd")] = None
        elif entry.kind == "response_item" and entry.type == "message":
            found[directory_in(text_in(entry.payload.get("content")))] = None
    return [cwd for cwd in found if cwd]
