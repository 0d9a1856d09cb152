"""Erasing a session: what it would take along, and what it took."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from agentstore.cli.failing import FOUND
from agentstore.cli.resolving import session_of
from agentstore.cli.subagents import all_below
from agentstore.cli.terminal.screen import Piece, Screen
from agentstore.faces.money import count
from agentstore.faces.times import moment
from agentstore.faces.titles import title_of

if TYPE_CHECKING:
    from agentstore import Purge, Session, SourceFile
    from agentstore.cli.opening import Opened

_MOST_FILES = 5


class Doomed(NamedTuple):
    """A session that is to be erased, the subagents that the store lists below it, and the files it was read from."""

    session: Session
    subagents: list[Session]
    files: list[SourceFile]


async def look(opened: Opened, id: str) -> Doomed:
    """What would be erased."""
    session = await session_of(opened.store, opened.org, id)
    subagents = await all_below(opened, session)
    files = await opened.store.list_source_files(opened.org, session_id=session.id)
    return Doomed(session, subagents, files)


def told(screen: Screen, doomed: Doomed) -> None:
    """What it is about, before it is asked."""
    session = doomed.session
    screen.fold(Piece(session.id, "yellow"), f"  {title_of(session)}", style="bold")
    screen.fold(_counts(doomed))
    whose = [session.user_name or session.user_id, session.project_name, session.agent_type]
    screen.fold(" · ".join(filter(None, whose)), style="dim")


def _counts(doomed: Doomed) -> str:
    all_of_it = [doomed.session, *doomed.subagents]
    parts = [
        f"{count(sum(one.message_count for one in all_of_it))} messages",
        f"{count(sum(one.tool_call_count for one in all_of_it))} tool calls",
        f"{len(doomed.subagents)} subagent{'s' * (len(doomed.subagents) > 1)}" if doomed.subagents else "",
    ]
    return " · ".join(filter(None, parts))


async def erase(opened: Opened, doomed: Doomed, timeout: float) -> int:
    """Erase it, and say what is gone and what is not."""
    purge = await _purged(opened, doomed.session.id, timeout)
    screen = opened.screen
    screen.line("erased ", Piece(doomed.session.id, "yellow"), f"  {title_of(doomed.session)}")
    for one in sorted(set(purge.session_ids) - {doomed.session.id}):
        screen.line("       ", Piece(one, "yellow"))
    screen.line(Piece(_counts(doomed), "dim"))
    _tell_what_stays(opened, purge)
    for file in doomed.files[:_MOST_FILES]:
        where = f" on {file.machine}" if file.machine else ""
        screen.line(Piece(f"the agent's own file is not touched{where}: {file.path}", "dim"))
    return FOUND


async def finish(opened: Opened, id: str, timeout: float) -> int:
    """Go on with a purge that was interrupted: no read finds the session any more."""
    purge = await _purged(opened, id, timeout)
    for one in purge.session_ids:
        opened.screen.line("erased ", Piece(one, "yellow"))
    _tell_what_stays(opened, purge)
    return FOUND


async def _purged(opened: Opened, id: str, timeout: float) -> Purge:
    try:
        return await opened.store.purge_sessions(opened.org, [id], timeout_seconds=timeout)
    except asyncio.CancelledError:
        # Ctrl-C: what is under way on the server goes on.
        raise KeyboardInterrupt(
            f"interrupted: it may be hidden already, and its text still be on the disk; agentstore purge --go-on {id}"
        ) from None


def _tell_what_stays(opened: Opened, purge: Purge) -> None:
    until = f"{moment(purge.inactive_parts_until, opened.zone)} {opened.zone.key.removeprefix('Etc/')}"
    told = f"the server keeps inactive parts, which no read reaches, until {until}; backups are not touched"
    opened.screen.fold(told, style="dim")
