"""``agentstore show``: a whole session."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError, NothingFound
from agentstore.cli.options import Common, Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentstore import Message, Session, ToolCall
    from agentstore.cli.opening import Opened
    from agentstore.cli.showing import Detail


def show(
    id: Annotated[str, Parameter(help="the id, or as much of its beginning as no other has")],
    /,
    *,
    tools: Annotated[bool, Parameter(name=("--tools", "-t"), help="with what tools were given and gave back")] = False,
    thinking: Annotated[bool, Parameter(help="with what the model thought")] = False,
    full: Annotated[bool, Parameter(help="all lines of what tools gave back, not only the first")] = False,
    raw: Annotated[bool, Parameter(help="the agent's own records, as they were kept")] = False,
    format: Annotated[Literal["text", "md"], Parameter(help="md: as Markdown")] = "text",
    shown: Shown = Shown(),
    common: Common = Common(),
) -> int:
    """Show a session as one would want to read it, and the command that resumes it."""
    from agentstore.cli.opening import run

    if raw and (shown.json or format == "md" or tools or thinking):
        raise CommandError("--raw is the records as they are: it goes with no other form", hint="leave one out")

    async def told(opened: Opened) -> int:
        from agentstore.cli.resolving import session_of
        from agentstore.cli.showing import Detail

        session = await session_of(opened.store, opened.org, id)
        if raw:
            return await _raw(opened, session)
        if shown.json:
            return await _json(opened, session)
        detail = Detail(tools=tools, thinking=thinking, lines=0 if full else Detail.lines)
        return await _text(opened, session, detail, is_markdown=format == "md")

    return run(told, common, shown, pages=True)


async def _text(opened: Opened, session: Session, detail: Detail, *, is_markdown: bool) -> int:
    from agentstore import SessionFilter
    from agentstore.cli import markdown, showing

    store, org, screen, zone = opened.store, opened.org, opened.screen, opened.zone
    links = await store.get_session_git_links(org, session.id)
    if is_markdown:
        markdown.write_head(screen, zone, session, links)
    else:
        wanted = SessionFilter(parent_session_id=session.id, include_subagents=True, limit=100)
        children = (await store.list_sessions(org, wanted)).sessions
        showing.show_head(screen, zone, session, links, children)
    calls = _by_message(await store.get_session_tool_calls(org, session.id) if detail.tools else [])
    pins: dict[int, list[str]] = {}
    for pin in await store.list_message_pins(org, session.id):
        pins.setdefault(pin.message_ordinal, []).append(pin.note)
    tell = markdown.write_message if is_markdown else showing.show_message
    async for message in store.iter_messages(org, session.id):
        ordinal = message.ordinal
        tell(screen, zone, message, calls.get(ordinal, []), pins.get(ordinal, []), detail)
    return FOUND


def _by_message(calls: Sequence[ToolCall]) -> dict[int, list[ToolCall]]:
    found: dict[int, list[ToolCall]] = {}
    for call in calls:
        found.setdefault(call.message_ordinal, []).append(call)
    return found


async def _json(opened: Opened, session: Session) -> int:
    from agentstore.cli.terminal.jsons import print_json

    store, org = opened.store, opened.org
    messages: list[Message] = await store.get_session_messages(org, session.id)
    print_json(
        opened.screen,
        {
            "session": session,
            "messages": messages,
            "tool_calls": await store.get_session_tool_calls(org, session.id),
            "git_links": await store.get_session_git_links(org, session.id),
        },
    )
    return FOUND


async def _raw(opened: Opened, session: Session) -> int:
    """The bytes that were kept; on a terminal as safe lines."""
    files = await opened.store.list_source_files(opened.org, session_id=session.id)
    printed = False
    for id in sorted({file.original_id for file in files if file.original_id}):
        for part in await opened.store.get_originals(opened.org, id):
            if part.session_id not in ("", session.id):
                continue
            printed = True
            if not opened.screen.is_terminal:
                sys.stdout.buffer.write(part.data)
                continue
            for one in part.data.decode("utf-8", errors="replace").splitlines():
                opened.screen.line(one)
    if not printed:
        raise NothingFound(
            f"no original is kept of session {session.id}", hint="it was imported without, or is a database's"
        )
    return FOUND
