"""``agentstore sessions``: which sessions there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, NOTHING, CommandError, NothingFound
from agentstore.cli.options import Common, Shown, Which

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentstore import Session
    from agentstore.cli.opening import Opened

_LARGEST_PAGE = 1000


def sessions(
    *,
    limit: Annotated[int, Parameter(name=("--limit", "-n"), help="at most so many; 0: all")] = 50,
    which: Which = Which(),
    shown: Shown = Shown(),
    common: Common = Common(),
) -> int:
    """List sessions, the latest first."""
    from agentstore.cli.opening import run

    if limit < 0:
        raise CommandError(f"--limit: {limit} is less than 0", hint="0 is all")

    async def listed(opened: Opened) -> int:
        return await _json(opened, which, limit) if shown.json else await _table(opened, which, limit)

    return run(listed, common, shown, pages=True)


async def _json(opened: Opened, which: Which, limit: int) -> int:
    from agentstore.cli.filtering import sessions_wanted
    from agentstore.cli.terminal.jsons import print_json

    printed = 0
    async for session in opened.store.iter_sessions(opened.org, await sessions_wanted(opened, which)):
        print_json(opened.screen, session)
        printed += 1
        if printed == limit:
            break
    return FOUND if printed else NOTHING


async def _table(opened: Opened, which: Which, limit: int) -> int:
    from agentstore.cli.filtering import sessions_wanted

    if 1 <= limit <= _LARGEST_PAGE:
        page = await opened.store.list_sessions(opened.org, await sessions_wanted(opened, which, limit=limit))
        found, more = page.sessions, page.total - len(page.sessions)
    else:
        found, more = [], 0
        async for session in opened.store.iter_sessions(opened.org, await sessions_wanted(opened, which)):
            if len(found) == limit != 0:
                break
            found.append(session)
    if not found:
        raise NothingFound("no session matches", hint="without filters: agentstore sessions")
    show_sessions(opened, found)
    if more > 0:
        opened.screen.fold(f"… and {more:,} more: --limit 0 shows all", style="dim")
    return FOUND


def show_sessions(opened: Opened, found: Sequence[Session]) -> None:
    """A table of sessions, in the order given. Nothing is printed where there are none."""
    from agentstore.cli.resolving import short_ids
    from agentstore.cli.terminal.tables import Column, table
    from agentstore.faces.money import count, short_count
    from agentstore.faces.times import moment, zone_title
    from agentstore.faces.titles import title_of

    if not found:
        return
    users = {session.user_name or session.user_id for session in found}
    ids = short_ids([session.id for session in found])
    table(
        opened.screen,
        [
            Column("id", style="yellow"),
            Column(zone_title("started", opened.zone), rank=1, most=16),
            Column("user", least=6, most=16, rank=6),
            Column("agent", rank=4, style="cyan"),
            Column("project", least=8, most=24, rank=3, style="green"),
            Column("msgs", right=True, rank=5),
            Column("commits", right=True, rank=7),
            Column("output", right=True, rank=8),
            Column("title", least=12, good=32),
        ],
        [
            (
                ids[session.id],
                moment(session.started_at, opened.zone),
                session.user_name or session.user_id if len(users) > 1 else "",
                session.agent_type,
                session.project_name,
                count(session.message_count),
                count(session.commit_count) if session.commit_count else "",
                short_count(session.total_output_tokens) if session.total_output_tokens else "",
                title_of(session),
            )
            for session in found
        ],
    )
