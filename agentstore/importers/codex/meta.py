"""What a session says about itself: ``session_meta``, the first record of a rollout.

A file may have several: a resume writes it again, and a fork or a subagent that begins with its parent's history has
the parent's after its own. The first is the file's own (counted on fixtures, read in Codex's source).

Who its parent is stands in one of several places, by version: ``forked_from_id``; ``parent_thread_id``;
``source.subagent.thread_spawn.parent_thread_id``; ``history_base.thread_id`` (there the parent's records are not
copied, but referred to: that id is the one in the name of a file, which a revert changes while the thread's id stays).
"""

from __future__ import annotations

import pathlib
import re

import msgspec

from agentstore.importers.codex.records import dig, string, strings
from agentstore.importers.jsonl import Record

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAME = re.compile(
    r"(?:rollout-)?(?:\d{4}-\d\d-\d\d(?:T\d\d-\d\d-\d\d(?:-\d+)?)?-)?(.+?)(?:\.jsonl(?:\.zst)?|\.json)?", re.DOTALL
)


class Meta(msgspec.Struct, array_like=True):
    """The facts of a ``session_meta`` that rows need."""

    thread: str = ""
    parent: str = ""
    is_subagent: bool = False
    base: str = ""  # the rollout whose records come before the first one here, and are not repeated
    is_forked: bool = False  # it was given history that it repeats, or refers to
    base_end: int = 0  # the ordinal before which that is
    start_ordinal: int = 0  # a subagent's own history begins at this ordinal; 0 where it does not say
    cwd: str = ""
    branch: str = ""
    remote: str = ""
    title: str = ""
    model: str = ""


def meta_of(payload: Record) -> Meta:
    source = payload.get("source")
    spawn = dig(source, "subagent", "thread_spawn")
    base = string(dig(payload, "history_base", "thread_id"))
    is_subagent = dig(source, "subagent") is not None or payload.get("thread_source") == "subagent"
    spawned_by = strings(spawn, "parent_thread_id") or strings(payload, "parent_thread_id")
    forked_from = strings(payload, "forked_from_id")
    return Meta(
        thread=strings(payload, "id", "thread_id", "session_id"),
        parent=(spawned_by or forked_from if is_subagent else forked_from or spawned_by) or base,
        is_subagent=is_subagent,
        base=base,
        is_forked=bool(forked_from),
        base_end=_ordinal(dig(payload, "history_base", "end_ordinal_exclusive")),
        start_ordinal=_ordinal(payload.get("subagent_history_start_ordinal")),
        cwd=strings(payload, "cwd"),
        branch=string(dig(payload, "git", "branch")),
        remote=string(dig(payload, "git", "repository_url")),
        title=_agent_title(payload, spawn, source),
        model=strings(payload, "model"),
    )


def _ordinal(value: object) -> int:
    return value if type(value) is int and 0 < value < 1 << 62 else 0


def _agent_title(payload: Record, spawn: object, source: object) -> str:
    """What a subagent is called: its nickname and role, or what it is for (``review``, ``compact``, …)."""
    nickname = strings(spawn, "agent_nickname") or strings(payload, "agent_nickname")
    role = strings(spawn, "agent_role", "agent_path") or strings(payload, "agent_role", "agent_path")
    if nickname and role:
        return f"{nickname} ({role})"
    kind = dig(source, "subagent")
    return nickname or role or string(kind) or strings(kind, "other")


def thread_in_name(path: pathlib.PurePath | str) -> str:
    """The id in the name of a rollout; what is left of the name where it has none."""
    name = pathlib.PurePath(path).name
    found = _UUID.findall(name)
    if found:
        return str(found[-1]).lower()
    stem = _NAME.fullmatch(name)
    return stem.group(1) if stem else name


def born_at(id: str) -> int:
    """The millisecond in which a UUID of version 7 was made; 0 for every other id."""
    if not _UUID.fullmatch(id) or id[14] != "7":
        return 0
    return int(id[:8] + id[9:13], 16)
