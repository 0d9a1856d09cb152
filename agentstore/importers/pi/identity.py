"""Who a session of Pi's kind is, and what its messages are known by."""

from __future__ import annotations

import datetime as dt
import hashlib
import pathlib
import re

from agentstore.importers.conversation import Usage
from agentstore.importers.intake import Mask
from agentstore.importers.jsonl import BOM, Record, read_records
from agentstore.importers.tools import text_of

PI = "pi"
# By a folder of the path; the names are agentsview's, so that a session is the same one there.
_AGENTS = {
    ".pi": PI,
    ".omp": "omp",
    ".prime": "prime-agent",
    ".openclaw": "openclaw",
    ".clawdbot": "openclaw",
    ".qclaw": "qclaw",
}
AGENTS = frozenset(_AGENTS.values())
_BY_AGENT = frozenset({"openclaw", "qclaw"})  # whose sessions are below ``agents/<name>/sessions``
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SEPARATOR = re.compile(r"[/\\]")


def agent_of(path: pathlib.PurePath, head: bytes) -> str:
    """Whose file this is: by its place, else by its first line, which only OMP writes otherwise."""
    found = next((_AGENTS[part] for part in reversed(path.parts) if part in _AGENTS), "")
    return found or ("omp" if _first_types(head)[:1] == ["title"] else PI)


def is_session(path: pathlib.PurePath, head: bytes) -> bool:
    """Whether a file begins as a session does."""
    if path.suffix != ".jsonl":
        return False
    types = _first_types(head)
    return types[:1] == ["session"] or types[:2] == ["title", "session"]


def _first_types(head: bytes) -> list[str]:
    types: list[str] = []
    for line in head.removeprefix(BOM).split(b"\n", 8)[:8]:
        if line.strip():
            record = _record(line)
            is_header = record.get("type") == "session" and ("cwd" in record or "timestamp" in record)
            types.append("session" if is_header else "title" if record.get("type") == "title" else "")
    return types


def header_in(head: bytes, mask: Mask | None = None) -> Record | None:
    """The header of a session's file, from its first lines, masked."""
    for line in head.removeprefix(BOM).split(b"\n", 8)[:8]:
        record = _record(line)
        if record.get("type") == "session":
            return _record(mask(line)) if mask else record
    return None


def _record(line: bytes) -> Record:
    # As the reader has it: ids are valid text there.
    return next((record for _, record in read_records(line, lambda _line, _reason: None)), {})


def session_key(agent: str, path: pathlib.PurePath, id: str) -> str:
    """The session's id as agentsview gives it."""
    if agent in _BY_AGENT and len(path.parts) > 2 and path.parts[-2] == "sessions":
        return f"{agent}:{path.parts[-3]}:{id}"
    return f"{agent}:{id}"


def id_of(path: pathlib.PurePath, header: Record) -> str:
    """A session's own id: that of its header, else what the file's name has of it."""
    return text_of(header, "id") or path.stem


def parent_of(header: Record) -> str:
    """The session that this one was made from: its file is named ``<time>_<id>.jsonl``, or the id itself is given."""
    told = text_of(header, "branchedFrom", "parentSession")
    name = _SEPARATOR.split(told)[-1].removesuffix(".jsonl")
    last = name.rpartition("_")[2]
    return last if _UUID.fullmatch(last) else name


def message_key(
    agent: str, entry: str, moment: dt.datetime | None, role: str, model: str = "", usage: Usage | None = None
) -> str:
    """What a message is known by in all files that have it: its entry's id, which is unique in one tree, and its time.

    Where entries have no ids (version 1) what it cost stands in for that.
    """
    if moment is None:
        return ""
    ms = round(moment.timestamp() * 1000)
    if entry:
        return f"{agent}:{entry[:80]}@{ms}"
    spent = (usage.input, usage.output, usage.cache_read, usage.cache_write) if usage else ()
    digest = hashlib.blake2b(repr((role, model, *spent)).encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{agent}:{ms}-{digest}"
