"""The messages of a window with all that belongs to them, made into HTML beside the event loop."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from agentstore.models import CutText, GitLink, Message, MessagePin, Session, SessionWindow, ToolCall
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer
from agentstore.web.conversation.windows import TEXT, Window
from agentstore.web.rendering import WHOLE, Find, MessagePart, ToldCall, in_thread, message_parts, nothing, told_call


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call: as it is stored, and as it is shown."""

    call: ToolCall
    told: ToldCall


@dataclass(frozen=True, slots=True)
class Said:
    """A message as a page shows it. ``cut`` says how much there is of a text that is not all here."""

    message: Message
    parts: list[MessagePart]
    calls: list[Call]
    cut: CutText | None = None
    pins: list[MessagePin] = field(default_factory=list)
    links: list[GitLink] = field(default_factory=list)

    @property
    def is_prompt(self) -> bool:
        """Whether a person said it: what a program put in under their name is folded."""
        return self.message.role == "user" and any(not part.is_folded for part in self.parts)


async def told(
    store: AsyncClickHouseStore,
    viewer: Viewer,
    session: Session,
    window: Window,
    pins: Sequence[MessagePin] = (),
    find: Find = nothing,
) -> list[Said]:
    """The messages of a window, in order."""
    if window.is_empty:
        return []
    found, links = await asyncio.gather(
        store.session_window(
            viewer.org, session.id, first_ordinal=window.first, last_ordinal=window.last, max_characters=TEXT
        ),
        store.get_session_git_links(viewer.org, session.id) if session.commit_count else _none(),
    )
    size = sum(len(one.content) for one in found.messages) + sum(
        len(one.input_json) + len(one.result_content) for one in found.tool_calls
    )
    return await in_thread(size, lambda: _said(found, session, pins, links, find))


async def _none() -> list[GitLink]:
    return []


def _said(
    found: SessionWindow, session: Session, pins: Sequence[MessagePin], links: Sequence[GitLink], find: Find
) -> list[Said]:
    calls: dict[int, list[ToolCall]] = defaultdict(list)
    for call in found.tool_calls:
        calls[call.message_ordinal].append(call)
    pinned: dict[int, list[MessagePin]] = defaultdict(list)
    for pin in pins:
        pinned[pin.message_ordinal].append(pin)
    made: dict[int, list[GitLink]] = defaultdict(list)
    for link in links:
        made[link.message_ordinal].append(link)
    cut = {one.ordinal: one for one in found.cut if one.part == "content"}
    return [
        Said(
            message,
            message_parts(message.content, calls[message.ordinal], find),
            [Call(one, _told_call(one, session.project_path, find)) for one in calls[message.ordinal]],
            cut.get(message.ordinal),
            pinned[message.ordinal],
            made[message.ordinal],
        )
        for message in found.messages
    ]


def _told_call(call: ToolCall, project_path: str, find: Find) -> ToldCall:
    """As it is first shown; where what is looked for is further down, all that there is."""
    told = told_call(call, project_path, find)
    is_marked = told.body.is_marked or (told.result is not None and told.result.is_marked)
    if find is nothing or is_marked or not (find(call.input_json) or find(call.result_content)):
        return told
    return told_call(call, project_path, find, WHOLE)
