"""One session in several files: which file is the session, which ones it contains already, and which are forks of it.

A session has copies: folders that were copied, worktrees that moved, checkpoints of an export, two machines' folders
below one root. A file whose records another one holds, too, adds nothing. Files of which each has records of its own
diverged: the one that went on first stays the session, each other is a fork with an id of its own,
``<id>~<8 hexadecimal digits>``, made from the first record that only it has. All of it follows from what the files
hold, whatever their order and their folders; a file that only grows keeps its id.

Records are compared by digests of what they are known by (see ``record_key``), 8 bytes each: not by what they say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agentstore.importers.projects import parse_time


class Trace(NamedTuple):
    """The records of a file in their order, each once: its digest, and the time that it has ("" if none)."""

    times: Mapping[bytes, str]
    size: int  # of the file: of two files with the same records the longer one has more beside them


def trace_of(keys: Iterable[tuple[str, str]], size: int = 0) -> Trace:
    """Make a trace from the key and the time of each record; those without a key are left out."""
    times: dict[bytes, str] = {}
    for key, time in keys:
        if key:
            times.setdefault(_digest(key), time)
    return Trace(times, size)


def record_key(kind: str, uuid: str, message_id: str, time: str, text: str) -> str:
    """What a record that speaks is known by: a response by its message id, a line by its uuid, else time and text."""
    if kind == "assistant" and message_id:
        return f"m {message_id}"
    if uuid:
        return f"u {uuid}"
    return f"t {time} {text}" if time or text else ""


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", errors="replace"), digest_size=8).digest()


def sort_out(session_id: str, traces: Mapping[str, Trace]) -> dict[str, str]:
    """The id of each file's session, for files that all say they are ``session_id``; "" where another has it all."""
    ids = dict.fromkeys(traces, "")
    _branch(session_id, session_id, _without_contained(traces), traces, ids)
    return ids


def _without_contained(traces: Mapping[str, Trace]) -> list[str]:
    """The files that hold something which no other of them holds; of equal ones the longer, else the first."""
    names = sorted(traces, key=lambda name: (-len(traces[name].times), -traces[name].size, name))
    kept: list[str] = []
    for name in names:
        own = traces[name].times.keys()
        if own and not any(own <= traces[other].times.keys() for other in kept):
            kept.append(name)
    return kept


def _branch(root: str, id: str, names: Sequence[str], traces: Mapping[str, Trace], ids: dict[str, str]) -> None:
    # By a list of what is left to do, not by recursion: a session may have been forked any number of times.
    left = [(id, list(names))]
    while left:
        id, group = left.pop()
        if len(group) < 2:
            ids.update(dict.fromkeys(group, id))
            continue
        common = set(traces[group[0]].times).intersection(*(traces[name].times for name in group[1:]))
        ways: dict[bytes, list[str]] = {}
        for name in group:
            ways.setdefault(next(digest for digest in traces[name].times if digest not in common), []).append(name)
        # The first to go on is the session: a way that is there already stays first, however the others grow.
        ordered = sorted(ways, key=lambda digest: (_moment(traces[ways[digest][0]].times[digest]), digest))
        left.append((id, ways[ordered[0]]))
        left += [(f"{root}~{digest.hex()[:8]}", ways[digest]) for digest in ordered[1:]]


def _moment(time: str) -> float:
    moment = parse_time(time)
    return moment.timestamp() if moment else float("inf")
