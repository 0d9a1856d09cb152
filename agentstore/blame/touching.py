"""The edit calls that are stored of a file, with what they wrote."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agentstore.blame.replay import Edit
from agentstore.blame.written import changes_of
from agentstore.models import FileHistoryEntry, ToolCall
from agentstore.protocols import ReadStore

MOST_CALLS = 300
MOST_PATHS = 8
_MOST_TOUCHES = 10 * MOST_CALLS
_PAGE = 1000
_AT_ONCE = 8
_LAST_ID = "\U0010ffff"
_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


_Place = tuple[str, int, str, int, str]


class History(NamedTuple):
    """The calls in the order in which they were made, and how many older ones there are that were not looked at."""

    edits: list[Edit]
    left_out: int


async def edits_of(store: ReadStore, org: str, project_id: str, paths: Iterable[str]) -> History:
    """The calls that wrote the file, under all names that it had."""
    touches, is_all = await _touches(store, org, project_id, paths)
    touches.sort(key=_order)
    fresh = set(_fresh(touches)).difference([] if is_all else map(_place, touches[:1]))
    writing = [touch for touch in touches if touch.operation in ("write", "edit")]
    chosen = writing[-MOST_CALLS:]
    gate = asyncio.Semaphore(_AT_ONCE)
    edits = await asyncio.gather(*(_edit(store, org, touch, _place(touch) in fresh, gate) for touch in chosen))
    return History([edit for edit in edits if edit is not None], len(writing) - len(chosen))


def _fresh(touches: Iterable[FileHistoryEntry]) -> Iterator[_Place]:
    """The touches that found no file: nothing touched it before, or what did last deleted it."""
    before: FileHistoryEntry | None = None
    for touch in touches:
        if before is None or (before.operation == "delete" and before.path == touch.path):
            yield _place(touch)
        before = touch


async def _touches(
    store: ReadStore, org: str, project_id: str, paths: Iterable[str]
) -> tuple[list[FileHistoryEntry], bool]:
    """All touches of the paths, and of the names from which the file was moved there; and whether they are all."""
    waiting, seen, is_all = list(dict.fromkeys(paths)), set[str](), True
    found: dict[_Place, FileHistoryEntry] = {}
    while waiting and len(seen) < MOST_PATHS:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        cursor = ""
        while True:
            page = await store.file_history(org, path, project_id=project_id, limit=_PAGE, cursor=cursor)
            for touch in page.touches:
                found[_place(touch)] = touch
                if touch.moved_from:
                    waiting.append(touch.moved_from)
            cursor = page.next_cursor
            if not cursor or len(found) > _MOST_TOUCHES:
                is_all = is_all and not cursor
                break
    return list(found.values()), is_all and not set(waiting) - seen


async def _edit(
    store: ReadStore, org: str, touch: FileHistoryEntry, is_fresh: bool, gate: asyncio.Semaphore
) -> Edit | None:
    async with gate:
        call = await _call(store, org, touch)
    if call is None:  # rewritten since
        return None
    return Edit(
        touch.session_id, touch.message_ordinal, touch.tool_use_id, touch.call_index, call.tool_name, touch.touched_at,
        changes_of(call, touch.path, touch.operation), is_fresh,
    )  # fmt: skip


async def _call(store: ReadStore, org: str, touch: FileHistoryEntry) -> ToolCall | None:
    """The call itself. Calls are asked for by what they come after: from the message's first one on."""
    wanted = (touch.message_ordinal, touch.tool_use_id, touch.call_index)
    after = (touch.message_ordinal - 1, _LAST_ID, 0) if touch.message_ordinal else None
    while True:
        page = await store.get_session_tool_calls(org, touch.session_id, after=after, limit=20)
        for call in page:
            key = (call.message_ordinal, call.tool_use_id, call.call_index)
            if key == wanted:
                return call
            if call.message_ordinal > touch.message_ordinal:
                return None
            after = key
        if len(page) < 20:
            return None


def _order(touch: FileHistoryEntry) -> tuple[dt.datetime, str, int, int]:
    return touch.touched_at or _NEVER, touch.session_id, touch.message_ordinal, touch.call_index


def _place(touch: FileHistoryEntry) -> _Place:
    return touch.session_id, touch.message_ordinal, touch.tool_use_id, touch.call_index, touch.path
