"""``agentstore show``: a whole session."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError, NothingFound
from agentstore.cli.options import Common, Shown

if TYPE_CHECKING:
    from agentstore import Session
    from agentstore.cli.opening import Opened
    from agentstore.faces.telling import Detail


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
        from agentstore.faces.telling import Detail

        session = await session_of(opened.store, opened.org, id)
        if raw:
            return await _raw(opened, session)
        if shown.json:
            return await _json(opened, session)
        detail = Detail(tools=tools, thinking=thinking, lines=0 if full else Detail.lines)
        return await _text(opened, session, detail, is_markdown=format == "md")

    return run(told, common, shown, pages=True)


async def _text(opened: Opened, session: Session, detail: Detail, *, is_markdown: bool) -> int:
    from agentstore.cli import showing
    from agentstore.faces import markdown
    from agentstore.faces.telling import Spent, children_of, cost_of, told

    store, org, screen, zone = opened.store, opened.org, opened.screen, opened.zone
    links = await store.get_session_git_links(org, session.id)
    children = await children_of(store, org, session)
    if is_markdown:
        markdown.write_head(screen, zone, session, links)
    else:
        showing.show_head(screen, zone, session, links, children)
    tell = markdown.write_message if is_markdown else showing.show_message
    spent = Spent()
    async for one in told(store, org, session, links, tools=detail.tools):
        spent.add(one.message)
        tell(screen, zone, one, detail)
    # After the messages: nobody waits for it to read.
    cost = await cost_of(store, org, session)
    (markdown.write_foot if is_markdown else showing.show_foot)(screen, spent, cost)
    return FOUND


async def _json(opened: Opened, session: Session) -> int:
    """One object, written as it is read."""
    from agentstore.cli.terminal.jsons import as_json
    from agentstore.faces.telling import calls_of

    store, org, screen = opened.store, opened.org, opened.screen
    screen.raw(f'{{"session":{as_json(session)},"messages":[')
    between = ""
    async for message in store.iter_messages(org, session.id):
        screen.raw(between + as_json(message))
        between = ","
    screen.raw('],"tool_calls":[')
    between = ""
    async for call in calls_of(store, org, session.id):
        screen.raw(between + as_json(call))
        between = ","
    screen.raw(f'],"git_links":{as_json(await store.get_session_git_links(org, session.id))}}}\n')
    return FOUND


async def _raw(opened: Opened, session: Session) -> int:
    """The bytes that were kept of the session's own file; on a terminal as safe lines."""
    from agentstore.faces.telling import originals_of

    printed = False
    async for part in originals_of(opened.store, opened.org, session):
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
