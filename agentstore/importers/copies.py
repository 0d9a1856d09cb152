"""One session in several files: which file is the session, which ones it contains already, and which are forks of it.

A session has copies: folders that were copied, worktrees that moved, checkpoints of an export, two machines' folders
below one root. A file whose records another one holds, too, adds nothing. Files of which each has records of its own
diverged: the one that went on first stays the session, each other is a fork with an id of its own,
``<id>~<8 hexadecimal digits>``, made from the first record that only it has. All of it follows from what the files
hold, whatever their order and their folders; a file that only grows keeps its id.

Records are compared by digests of what they are known by (see ``record_key``), 8 bytes each: not by what they say.
"""

from __future__ import annotations

import array
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from agentstore.importers.times import parse_time


class Trace(NamedTuple):
    """The records of a file in their order, each once: a digest and a time of each, 16 bytes together.

    ``size`` is the file's: of two files with the same records the longer one has more beside them.
    """

    digests: array.array[int]
    times: array.array[float]
    size: int = 0


class Traced(msgspec.Struct, array_like=True):
    """A trace as it is remembered."""

    digests: bytes = b""
    times: bytes = b""
    size: int = 0

    @staticmethod
    def of(trace: Trace) -> Traced:
        return Traced(trace.digests.tobytes(), trace.times.tobytes(), trace.size)

    def trace(self) -> Trace:
        return Trace(array.array("Q", self.digests), array.array("d", self.times), self.size)


class TraceMaker:
    """Makes a trace record by record; ``before`` is that of the records before them."""

    def __init__(self, before: Trace | None = None) -> None:
        self._digests, self._times = (before.digests, before.times) if before else (array.array("Q"), array.array("d"))
        self._seen = set(self._digests)

    def add(self, key: str, time: str) -> None:
        """A record without a key is left out."""
        if key and (digest := _digest(key)) not in self._seen:
            self._seen.add(digest)
            self._digests.append(digest)
            moment = parse_time(time)
            self._times.append(moment.timestamp() if moment else math.inf)

    def trace(self, size: int) -> Trace:
        return Trace(self._digests, self._times, size)


def trace_of(keys: Iterable[tuple[str, str]], size: int = 0) -> Trace:
    """Make a trace from the key and the time of each record; those without a key are left out."""
    maker = TraceMaker()
    for key, time in keys:
        maker.add(key, time)
    return maker.trace(size)


def record_key(kind: str, uuid: str, message_id: str, time: str, text: str) -> str:
    """What a record that speaks is known by: a response by its message id, a line by its uuid, else time and text."""
    if kind == "assistant" and message_id:
        return f"m {message_id}"
    if uuid:
        return f"u {uuid}"
    return f"t {time} {text}" if time or text else ""


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", errors="replace"), digest_size=8).digest(), "big")


def sort_out(session_id: str, traces: Mapping[str, Trace]) -> dict[str, str]:
    """The id of each file's session, for files that all say they are ``session_id``; "" where another has it all."""
    ids = dict.fromkeys(traces, "")
    members = _not_contained(traces)
    # A list of what is left to do, and no recursion: a session may have been forked any number of times.
    left = [(session_id, list(members))]
    given = {session_id}
    while left:
        id, group = left.pop()
        if len(group) < 2:
            ids.update(dict.fromkeys(group, id))
            continue
        first, *others = _ways(group, traces, members)
        left.append((id, first))
        for names in others:
            left.append((_fork_id(session_id, traces[names[0]], _common(group, members), given), names))
            given.add(left[-1][0])
    return ids


def _fork_id(session_id: str, trace: Trace, common: set[int], given: set[str]) -> str:
    """An id from the first record that is not in all of the others. (From a later one where that id is given: two files
    may lack different records of a third.)"""
    ids = (f"{session_id}~{digest >> 32:08x}" for digest in trace.digests if digest not in common)
    return next((id for id in ids if id not in given), f"{session_id}~{_digest(repr(trace.digests)):016x}")


def _common(group: Sequence[str], members: Mapping[str, set[int]]) -> set[int]:
    return set.intersection(*(members[name] for name in group))


def _not_contained(traces: Mapping[str, Trace]) -> dict[str, set[int]]:
    """The files that hold something which no other of them holds, with what they hold; of equal ones the longer, else
    the first. Only of these are there sets in memory: a session may have hundreds of snapshots."""
    kept: dict[str, set[int]] = {}
    for name in sorted(traces, key=lambda name: (-len(traces[name].digests), -traces[name].size, name)):
        own = traces[name].digests
        if own and not any(other.issuperset(own) for other in kept.values()):
            kept[name] = set(own)
    return kept or {name: set() for name in sorted(traces)[:1]}  # where nobody speaks in any, one stands for all


def _ways(group: Sequence[str], traces: Mapping[str, Trace], members: Mapping[str, set[int]]) -> list[list[str]]:
    """Where the files of a group part: those that go on with the same record, the first to go on first.

    A way that is there already stays before those that come later, however any of them grows.
    """
    common = _common(group, members)
    ways: dict[int, tuple[float, list[str]]] = {}
    for name in group:
        digests, times, _ = traces[name]
        place = next(place for place, digest in enumerate(digests) if digest not in common)
        ways.setdefault(digests[place], (times[place], []))[1].append(name)
    return [names for _, (_, names) in sorted(ways.items(), key=lambda way: (way[1][0], way[0]))]
