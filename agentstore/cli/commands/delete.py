"""``agentstore delete``: sessions out of sight, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, NOTHING, CommandError, NothingFound
from agentstore.cli.options import Common, Shown

if TYPE_CHECKING:
    from agentstore.cli.opening import Opened


def delete(
    *ids: Annotated[str, Parameter(help="the ids, or as much of their beginnings as no other has")],
    undo: Annotated[bool, Parameter(help="show them again")] = False,
    list: Annotated[bool, Parameter(help="list those that are hidden")] = False,
    user: Annotated[str | None, Parameter(help="as this user [AGENTSTORE_USER]")] = None,
    shown: Shown = Shown(),
    common: Common = Common(),
) -> int:
    """Hide sessions from lists, searches and statistics. They stay in the store: purge erases.

    Subagents of a hidden session do not count either. show still finds it by its id.
    """
    from agentstore.cli.opening import run, settings_of

    if list and (ids or undo):
        raise CommandError("--list goes with no session")
    if not ids and not list:
        raise CommandError("no session is named", hint="agentstore sessions")
    if shown.json and not list:
        raise CommandError("--json goes with --list alone")

    async def done(opened: Opened) -> int:
        return await _listed(opened) if list else await _marked(opened, ids, undo=undo)

    return run(done, common, shown, use="change", settings=settings_of(common, shown, user=user))


async def _marked(opened: Opened, ids: tuple[str, ...], *, undo: bool) -> int:
    import datetime as dt

    from agentstore import SessionDelete
    from agentstore.cli.resolving import session_of
    from agentstore.cli.terminal.screen import Piece
    from agentstore.faces.titles import title_of

    sessions = [await session_of(opened.store, opened.org, id) for id in ids]
    hidden = {one.session_id for one in await opened.store.list_session_deletes(opened.org)}
    if undo and (shown := [session.id for session in sessions if session.id not in hidden]):
        raise NothingFound(f"{shown[0]} is not hidden", hint="agentstore delete --list")
    own, now = opened.settings["user"], dt.datetime.now(dt.UTC)
    marks = [SessionDelete(session_id=session.id, user_id=own, created_at=now) for session in sessions]
    if undo:
        await opened.store.remove_session_deletes(opened.org, marks)
    else:
        await opened.store.write_session_deletes(opened.org, marks)
    for session in sessions:
        what = "shown again" if undo else "hidden"
        opened.screen.line(f"{what} ", Piece(session.id, "yellow"), f"  {title_of(session)}")
    return FOUND


async def _listed(opened: Opened) -> int:
    from agentstore.cli.commands.sessions import show_sessions
    from agentstore.cli.terminal.jsons import print_json

    marks = await opened.store.list_session_deletes(opened.org)
    known = {one.id: one for one in await opened.store.get_sessions(opened.org, [one.session_id for one in marks])}
    found = [known[one.session_id] for one in marks if one.session_id in known]
    if opened.shown.json:
        for one in found:
            print_json(opened.screen, one)
        return FOUND if found else NOTHING
    if not found:
        raise NothingFound("no session is hidden")
    show_sessions(opened, found)
    return FOUND
