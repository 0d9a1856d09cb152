"""All records of sessions, one after the other, in bounded memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from agentstore.cli.filtering import sessions_wanted
from agentstore.cli.options import Which
from agentstore.faces import safe
from agentstore.faces.subagents import children_of

if TYPE_CHECKING:
    from agentstore import FileTouch, Session, ToolCall
    from agentstore.cli.opening import Opened

_CALLS_AT_ONCE = 100
_TOUCHES_AT_ONCE = 1000

# What one of a type is called, and many.
_NAMES = {
    "session": ("session", "sessions"),
    "message": ("message", "messages"),
    "tool_call": ("tool call", "tool calls"),
    "git_link": ("git link", "git links"),
    "file_touch": ("file touch", "file touches"),
    "session_star": ("star", "stars"),
    "message_pin": ("pin", "pins"),
}

Typed = tuple[str, Any]


def line_of(type: str, record: Any) -> str:
    """A record as a line of JSON that says what it is of, and is safe on a terminal."""
    return f'{{"type":"{type}",{safe.in_json(msgspec.json.encode(record).decode())[1:]}\n'


def counted(counts: Mapping[str, int]) -> str:
    """How many records there were of each type."""
    told = ((counts[type], one, many) for type, (one, many) in _NAMES.items() if type in counts)
    return ", ".join(f"{number:,} {one if number == 1 else many}" for number, one, many in told)


async def records_of(opened: Opened, which: Which, limit: int) -> AsyncIterator[Typed]:
    """Each record with its type: a session, what is in it, and then the same of its subagents, each once.

    ``limit``: of the sessions that the filter finds; 0 is all. Marks are held, they are few.
    """
    stars = _by_session(await opened.store.list_session_stars(opened.org))
    pins = _by_session(await opened.store.list_message_pins(opened.org))
    # What is hidden, and ids of subagents that were told: others do not come twice.
    seen = {mark.session_id for mark in await opened.store.list_session_deletes(opened.org)}
    found = 0
    async for session in opened.store.iter_sessions(opened.org, await sessions_wanted(opened, which)):
        waiting = [] if session.id in seen else [session]
        while waiting:
            one = waiting.pop(0)
            if one.relationship_type == "subagent":
                seen.add(one.id)
            yield "session", one
            named: list[str] = []
            async for record in _contents(opened, one, named):
                yield record
            for star in stars.get(one.id, ()):
                yield "session_star", star
            for pin in pins.get(one.id, ()):
                yield "message_pin", pin
            below = [child for child in await children_of(opened.store, opened.org, one, named) if child.id not in seen]
            seen.update(child.id for child in below)
            waiting += below
        found += 1
        if found == limit:
            return


async def _contents(opened: Opened, session: Session, named: list[str]) -> AsyncIterator[Typed]:
    """What is in one session. ``named`` gets the subagents that its calls name."""
    async for message in opened.store.iter_messages(opened.org, session.id):
        yield "message", message
    if session.tool_call_count:
        async for call in _calls(opened, session):
            if call.subagent_session_id:
                named.append(call.subagent_session_id)
            yield "tool_call", call
    if session.commit_count:
        for link in await opened.store.get_session_git_links(opened.org, session.id):
            yield "git_link", link
    # Asked of every session: who writes by the library may write touches without calls.
    async for touch in _touches(opened, session):
        yield "file_touch", touch


async def _calls(opened: Opened, session: Session) -> AsyncIterator[ToolCall]:
    after: tuple[int, str, int] | None = None
    while True:
        page = await opened.store.get_session_tool_calls(opened.org, session.id, after=after, limit=_CALLS_AT_ONCE)
        for call in page:
            yield call
        if len(page) < _CALLS_AT_ONCE:
            return
        after = (page[-1].message_ordinal, page[-1].tool_use_id, page[-1].call_index)


async def _touches(opened: Opened, session: Session) -> AsyncIterator[FileTouch]:
    """As they are written: without what the session says. Those that a fork copied are the other session's."""
    from agentstore import FileTouch

    names = FileTouch.__struct_fields__
    cursor = ""
    while True:
        page = await opened.store.file_history(
            opened.org, "", session_id=session.id, limit=_TOUCHES_AT_ONCE, cursor=cursor
        )
        for entry in page.touches:
            told = {name: getattr(entry, name) for name in names if name != "org_id"}
            yield FileTouch(org_id=session.org_id, **told)
        cursor = page.next_cursor
        if not cursor:
            return


def _by_session(marks: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for mark in marks:
        found.setdefault(mark.session_id, []).append(mark)
    return found
