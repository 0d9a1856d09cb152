"""What a rollout is compared with others by: a mark for each record that a copy of it would have, too.

A fork or a subagent may begin with its parent's history, written again: with new times, by a newer version maybe, and
of a subagent without what was filtered (calls and thoughts, or all but the last turns). So a mark is made from what
stays: who said what to the model, the ids of calls and turns, the totals of tokens. Ids of items tell apart what else
looks the same, where both sides have them.

``inherited`` finds how much of a child is its parent's: the longest run of its records, from the first one on, that
come in this order in the parent without leaving out a prompt. Times are never looked at.
"""

from __future__ import annotations

import bisect
import hashlib
import zlib
from array import array
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from agentstore.importers.codex.calls import CALLS, RESULTS
from agentstore.importers.codex.meta import Meta, born_at, meta_of
from agentstore.importers.codex.records import Entry, strings
from agentstore.importers.codex.speech import is_injected, text_in
from agentstore.importers.codex.usage import totals_of

_PROMPT, _RESPONSE, _TURN = 1, 2, 4
_MOST_STARTS = 8  # places of the parent that are tried for a child's first record
_MOST_TRIES = 50  # records of the same look, but other ids, that are passed over
# What a subagent is told in place of the result of the call that started it, behind the history that it was given.
_SPAWNED = "You are the newly spawned agent."


def digest(*parts: str) -> int:
    """64 bits that these texts are known by."""
    data = "\0".join(parts).encode("utf-8", errors="replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


class Mark(NamedTuple):
    digest: int
    id: int = 0
    flags: int = 0


def mark_of(entry: Entry) -> Mark | None:
    """None for records that say nothing about whose they are."""
    payload, kind = entry.payload, entry.type
    if entry.kind == "response_item":
        id = strings(payload, "id")
        known = digest(id) if id else 0
        if kind == "message":
            role, text = strings(payload, "role"), text_in(payload.get("content"))
            is_prompt = role == "user" and not is_injected(text)
            return Mark(digest("said", role, text), known, _PROMPT * is_prompt + _RESPONSE * (role == "assistant"))
        if kind in CALLS or kind in RESULTS:
            return Mark(digest(kind, strings(payload, "call_id") or id), known, _RESPONSE)
        if kind == "reasoning":
            return Mark(
                digest("thought", text_in(payload.get("summary")), strings(payload, "encrypted_content")),
                known,
                _RESPONSE,
            )
        return None
    if entry.kind == "event_msg":
        return _mark_of_event(kind, payload)
    if entry.kind == "turn_context" and (turn := strings(payload, "turn_id")):
        return Mark(digest("turn", turn), 0, _TURN)
    if entry.kind == "compacted":
        return Mark(digest("summed up", strings(payload, "message")))
    return None


def _mark_of_event(kind: str, payload: dict[str, object]) -> Mark | None:
    """What events say of messages is no mark: copies of another history mode may have it in other words."""
    if kind in ("task_started", "turn_started") and (turn := strings(payload, "turn_id")):
        return Mark(digest("turn", turn), 0, _TURN)
    if kind == "token_count" and (totals := totals_of(payload.get("info"))):
        return Mark(digest("spent", *map(str, totals)), 0, _RESPONSE)
    return None


class Stretch(NamedTuple):
    """From which record on a copy has the records of which thread, and whether all of them: then their tokens can be
    told as the original tells them."""

    start: int
    thread: str
    is_whole: bool = False


class Kin(NamedTuple):
    """How many of a file's records are inherited, and whose they are."""

    until: int = 0
    stretches: tuple[Stretch, ...] = ()

    def at(self, record: int, own: str) -> Stretch:
        """The stretch of a record; of one that is not inherited one of ``own``."""
        if record >= self.until or not self.stretches:
            return Stretch(record, own, is_whole=True)
        place = bisect.bisect_right(self.stretches, record, key=lambda stretch: stretch.start)
        return self.stretches[max(0, place - 1)]


_ARRAYS = ("marks", "ids", "places", "prompts")


class _Packed(msgspec.Struct, array_like=True):
    arrays: list[bytes]
    flags: bytes
    meta: Meta
    foreign: list[str]
    turns: list[tuple[int, int]]
    numbers: tuple[int, int, int, int]


class Trail:
    """The marks of a file, and what its records say about where its own history begins."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.marks = array("Q")
        self.ids = array("Q")
        self.flags = bytearray()
        self.places = array("Q")  # of each mark the number of its record
        self.prompts = array("Q")  # the marks that are prompts
        self.meta = Meta()
        self.scope = ""  # whose its own records are; another than the thread where two files claim that
        self.foreign: list[str] = []  # threads whose ``session_meta`` is here, too
        self.turns: list[tuple[int, int]] = []  # where a turn begins, and when its id was made
        self.spawned = self.ordinal = -1  # where the records say that the own history begins
        self.records = self._total = 0
        self.take(entries)

    def take(self, entries: Iterable[Entry]) -> None:
        """Records that follow those before."""
        for entry in entries:
            self._see(entry)
            self.records += 1
        self.scope = self.meta.thread

    def packed(self) -> bytes:
        kept = _Packed(
            [getattr(self, name).tobytes() for name in _ARRAYS],
            bytes(self.flags),
            self.meta,
            self.foreign,
            self.turns,
            (self.spawned, self.ordinal, self.records, self._total),
        )
        return zlib.compress(msgspec.msgpack.encode(kept), 1)

    @staticmethod
    def unpacked(packed: bytes) -> Trail:
        """One that was packed; ``ValueError`` where it was not."""
        try:
            kept = msgspec.msgpack.decode(zlib.decompress(packed), type=_Packed)
        except zlib.error as error:
            raise ValueError("no packed trail") from error
        trail = Trail()
        for name, packed in zip(_ARRAYS, kept.arrays, strict=True):
            getattr(trail, name).frombytes(packed)
        trail.flags += kept.flags
        trail.meta, trail.foreign, trail.turns = kept.meta, kept.foreign, kept.turns
        trail.spawned, trail.ordinal, trail.records, trail._total = kept.numbers
        trail.scope = trail.meta.thread
        return trail

    def _see(self, entry: Entry) -> None:
        place = self.records
        if entry.kind == "session_meta":
            meta = meta_of(entry.payload)
            if not place or not self.meta.thread:
                self.meta = meta
            elif meta.thread not in ("", self.meta.thread, *self.foreign) and len(self.foreign) < 100:
                self.foreign.append(meta.thread)
        elif self.ordinal < 0 and entry.ordinal is not None and 0 < self.meta.start_ordinal <= entry.ordinal:
            self.ordinal = place
        turn = strings(entry.payload, "turn_id") if entry.kind in ("turn_context", "event_msg") else ""
        if (born := born_at(turn)) and (not self.turns or self.turns[-1][1] != born):
            self.turns.append((place, born))
        if entry.type == "function_call_output":
            output = entry.payload.get("output")
            if isinstance(output, str) and output.startswith(_SPAWNED):
                self.spawned = place  # the last one: those before it may be inherited
        if (mark := mark_of(entry)) and not self._repeats_total(entry, mark):
            if mark.flags & _PROMPT:
                self.prompts.append(len(self.marks))
            self.marks.append(mark.digest)
            self.ids.append(mark.id)
            self.flags.append(mark.flags)
            self.places.append(place)

    def _repeats_total(self, entry: Entry, mark: Mark) -> bool:
        """Totals are told again whenever somebody asks, by the child, too."""
        if entry.type != "token_count":
            return False
        repeats, self._total = mark.digest == self._total, mark.digest
        return repeats

    def find(self, mark: int, id: int, start: int) -> int:
        """Where this mark comes next; -1 where it does not. Other ids are other records; 0 is none."""
        for _ in range(_MOST_TRIES):
            try:
                found = self.marks.index(mark, start)
            except ValueError:
                return -1
            if not id or not self.ids[found] or id == self.ids[found]:
                return found
            start = found + 1
        return -1

    def skips_prompt(self, start: int, end: int) -> bool:
        place = bisect.bisect_left(self.prompts, start)
        return place < len(self.prompts) and self.prompts[place] < end


def inherited(child: Trail, parent: Trail, kin: Kin) -> Kin:
    """What of a child's records its parent has; ``kin`` is what of the parent's are inherited themselves."""
    best = _longest(child, parent, child.ids) or _longest(child, parent, array("Q", bytes(8 * len(child.ids))))
    cut = _up_to_spawned if child.meta.is_subagent else _before_own_turn
    best = best[: cut(child, parent, best)]
    if not best:
        return Kin()
    is_whole = best[-1] + 1 == len(best)
    stretches: list[Stretch] = []
    for place, found in zip(child.places, best, strict=False):
        theirs = kin.at(parent.places[found], parent.scope)
        known = Stretch(place, theirs.thread, theirs.is_whole and is_whole)
        if not stretches or stretches[-1][1:] != known[1:]:
            stretches.append(known)
    return Kin(child.places[len(best) - 1] + 1, tuple(stretches))


def _longest(child: Trail, parent: Trail, ids: array[int]) -> list[int]:
    """The longest run of a child's first marks in its parent; of each its place there. Copies may have lost their ids,
    or have got others: then ``ids`` are none."""
    best: list[int] = []
    start = 0
    for _ in range(_MOST_STARTS):
        first = parent.find(child.marks[0], ids[0], start) if child.marks else -1
        if first < 0:
            break
        run = _run(child, parent, ids, first)
        best = run if len(run) > len(best) else best
        start = first + 1
    return best


def _run(child: Trail, parent: Trail, ids: array[int], first: int) -> list[int]:
    run: list[int] = []
    cursor = first
    for mark, id in zip(child.marks, ids, strict=True):
        found = parent.find(mark, id, cursor)
        if found < 0 or parent.skips_prompt(cursor, found):
            break
        run.append(found)
        cursor = found + 1
    return run


def _before_own_turn(child: Trail, parent: Trail, run: list[int]) -> int:
    """A fork begins with a prompt. Where what follows in its turn is its own, so is the prompt, though the parent went
    on with the same words; unless ids prove that the turn is the parent's."""
    length = len(run)
    if length == len(child.marks) or not child.flags[length] & _RESPONSE:
        return length
    turn = length
    while turn and not child.flags[turn - 1] & _PROMPT:
        turn -= 1
    while turn and child.flags[turn - 1] & _PROMPT:
        turn -= 1
    before = turn - 1 if turn and child.flags[turn - 1] & _TURN else turn
    for mark in range(before, length):
        if child.flags[mark] & _TURN or (child.ids[mark] and child.ids[mark] == parent.ids[run[mark]]):
            return length
    return turn if any(child.flags[mark] & _PROMPT for mark in range(turn, length)) else length


def _up_to_spawned(child: Trail, parent: Trail, run: list[int]) -> int:
    """What a spawned subagent is told stands behind what it inherits; unless its parent was told that."""
    length = bisect.bisect_right(child.places, child.spawned) if child.spawned >= 0 else len(run)
    is_parents = 0 < length <= len(run) and parent.places[run[length - 1]] == parent.spawned
    return len(run) if is_parents else min(length, len(run))


def told_by_itself(child: Trail) -> Kin:
    """What of a child's records is inherited by what they say themselves: for a parent that is not there.

    By ids of turns of version 7, which hold when they were made, and are copied as they are: a turn made before its
    thread is another's. Else by what a spawned subagent is told behind the history that it was given.
    """
    own = born_at(child.meta.thread)
    older = [place for place, born in child.turns if born < own]
    chain = [thread for thread in (*child.foreign, child.meta.parent) if thread and thread != child.meta.thread]
    if own and older and chain:
        until = next((place for place, born in child.turns if born >= own), child.records)
        stretches: list[Stretch] = []
        for place, born in child.turns:
            thread = max((one for one in chain if born_at(one) <= born), key=born_at, default=chain[0])
            if place < until and (not stretches or stretches[-1].thread != thread):
                stretches.append(Stretch(place, thread))
        return Kin(until, tuple(stretches))
    if child.spawned >= 0 and chain and child.meta.is_subagent:
        return Kin(child.spawned + 1, (Stretch(0, chain[0]),))
    return Kin()


def told_by_ordinals(child: Trail, found: Kin) -> Kin:
    """A subagent's ``subagent_history_start_ordinal`` is sure; ``found`` says whose the records before it are."""
    until = child.ordinal if child.ordinal >= 0 else child.records
    chain = [thread for thread in (*child.foreign, child.meta.parent) if thread]
    return Kin(until, found.stretches or (Stretch(0, chain[0] if chain else ""),))
