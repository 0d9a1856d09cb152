"""Erasing a session: what it would take along, and what it took."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentstore.cli.failing import FOUND
from agentstore.cli.resolving import session_of
from agentstore.cli.terminal.screen import Piece, Screen
from agentstore.faces.erasing import Doomed, doomed_with
from agentstore.faces.times import moment
from agentstore.faces.titles import title_of

if TYPE_CHECKING:
    from agentstore import Purge
    from agentstore.cli.opening import Opened

_MOST_FILES = 5


async def look(opened: Opened, id: str) -> Doomed:
    """What would be erased."""
    session = await session_of(opened.store, opened.org, id)
    return await doomed_with(opened.store, opened.org, session)


def told(screen: Screen, doomed: Doomed) -> None:
    """What it is about, before it is asked."""
    session = doomed.session
    screen.fold(Piece(session.id, "yellow"), f"  {title_of(session)}", style="bold")
    screen.fold(doomed.counts)
    whose = [session.user_name or session.user_id, session.project_name, session.agent_type]
    screen.fold(" · ".join(filter(None, whose)), style="dim")


async def erase(opened: Opened, doomed: Doomed, timeout: float) -> int:
    """Erase it, and say what is gone and what is not."""
    purge = await _purged(opened, doomed.session.id, timeout)
    screen = opened.screen
    screen.line("erased ", Piece(doomed.session.id, "yellow"), f"  {title_of(doomed.session)}")
    for one in sorted(set(purge.session_ids) - {doomed.session.id}):
        screen.line("       ", Piece(one, "yellow"))
    screen.line(Piece(doomed.counts, "dim"))
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
