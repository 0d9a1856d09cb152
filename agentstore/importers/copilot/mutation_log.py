"""VS Code's log of mutations (``chatSessions/<id>.jsonl``): an object, and line after line what changed in it.

Read in microsoft/vscode (``objectMutationLog.ts``): ``{"kind": 0, "v": object}`` is the whole object, ``1`` sets the
value at a path ``k``, ``2`` appends the values ``v`` to the array at ``k``, which before is cut to ``i`` items where
there is an ``i``, ``3`` removes what is at ``k``. The log is written anew, as one line, after many changes.
"""

from __future__ import annotations

import pathlib
from typing import Any

from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Record, Report, read_records, stretches

_MOST_PATH = 64


def replay(path: pathlib.Path, report: Report, intake: Intake) -> Record:
    """The object as the log leaves it; what does not fit in it is reported, and the rest goes on."""
    state: Record = {}
    lines = offset = 0
    with path.open("rb") as stream:
        for stretch in stretches(stream):
            offset += len(stretch.data)
            if stretch.kind in ("too long", "end of too long"):
                if stretch.kind == "end of too long":
                    lines += 1
                    report(lines, "a line that is too long, skipped")
                intake.leave_out(offset)
                continue
            # All of it is one part: a log is no file that is only added to.
            state = _replayed(state, intake.lines(stretch.data), lines, report)
            lines += stretch.data.count(b"\n")
    return state


def _replayed(state: Record, data: bytes, before: int, report: Report) -> Record:
    for number, entry in read_records(data, lambda line, reason: report(before + line, reason)):
        if entry.get("kind") == 0:
            value = entry.get("v")
            state = value if isinstance(value, dict) else {}
        elif not _apply(state, entry):
            report(before + number, "a change that does not fit")
    return state


def _apply(state: Record, entry: Record) -> bool:
    kind, path = entry.get("kind"), entry.get("k")
    if not isinstance(path, list) or not 0 < len(path) <= _MOST_PATH:
        return False
    holder: Any = state
    for key in path[:-1]:
        holder = _child(holder, key)
    if kind == 1:
        return _set(holder, path[-1], entry.get("v"))
    if kind == 3:
        return _remove(holder, path[-1])
    return kind == 2 and _push(holder, path[-1], entry.get("v"), entry.get("i"))


def _child(holder: Any, key: Any) -> Any:
    if isinstance(holder, dict) and isinstance(key, str):
        return holder.get(key)
    if isinstance(holder, list) and type(key) is int and 0 <= key < len(holder):
        return holder[key]
    return None


def _set(holder: Any, key: Any, value: Any) -> bool:
    if isinstance(holder, dict) and isinstance(key, str):
        holder[key] = value
        return True
    if isinstance(holder, list) and type(key) is int and 0 <= key <= len(holder):
        holder[key : key + 1] = [value]
        return True
    return False


def _remove(holder: Any, key: Any) -> bool:
    if isinstance(holder, dict) and isinstance(key, str):
        holder.pop(key, None)
        return True
    return _set(holder, key, None)


def _push(holder: Any, key: Any, values: Any, start: Any) -> bool:
    items = _child(holder, key)
    if not isinstance(items, list):
        items = []
        if not _set(holder, key, items):
            return False
    if type(start) is int and start >= 0:
        del items[start:]
    items.extend(values if isinstance(values, list) else [])
    return True
