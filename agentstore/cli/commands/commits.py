"""``agentstore commits``: what came of sessions, and which session something came of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, NOTHING, CommandError, NothingFound
from agentstore.cli.options import Common, Scope, Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentstore.cli.linked import Linked
    from agentstore.cli.opening import Opened


def commits(
    what: Annotated[str, Parameter(help="the beginning of a SHA, or the address of a pull request")] = "",
    /,
    *,
    limit: Annotated[int, Parameter(name=("--limit", "-n"), help="at most so many of the latest; 0: all")] = 50,
    scope: Scope = Scope(),
    shown: Shown = Shown(),
    common: Common = Common(),
) -> int:
    """List commits and pull requests, those of the latest sessions first, or find the sessions of one."""
    from agentstore.cli.opening import run

    if limit < 0:
        raise CommandError(f"--limit: {limit} is less than 0", hint="0 is all")
    if what and scope != Scope():
        raise CommandError("a commit is looked for everywhere: it goes with no filter", hint="leave one out")

    async def told(opened: Opened) -> int:
        from agentstore.cli.linked import latest, looked_up
        from agentstore.cli.terminal.jsons import print_json

        more = False
        if what:
            found = await looked_up(opened, what)
        else:
            found, more = await latest(opened, scope, limit)
        if shown.json:
            for one in found:
                print_json(opened.screen, one.link)
            return FOUND if found else NOTHING
        if not found:
            hint = "agentstore search finds what was said" if what else "without filters: agentstore commits"
            raise NothingFound(f"no session made {what!r}" if what else "no session made a commit", hint=hint)
        _show(opened, found)
        if more:
            opened.screen.fold("… and more: --limit 0 shows all", style="dim")
        return FOUND

    return run(told, common, shown, pages=True)


def _show(opened: Opened, found: Sequence[Linked]) -> None:
    from agentstore.cli.resolving import short_ids
    from agentstore.cli.terminal.tables import Column, table
    from agentstore.faces.addresses import name_of
    from agentstore.faces.times import moment, zone_title

    ids = short_ids([one.link.session_id for one in found])
    users = {one.link.user_id for one in found}
    table(
        opened.screen,
        [
            Column("what", least=12, good=24, most=40, style="yellow"),
            Column(zone_title("when", opened.zone), rank=2, most=16),
            Column("session"),
            Column("user", least=6, most=16, rank=6),
            Column("agent", rank=7, style="cyan"),
            Column("project", least=8, most=24, rank=4, style="green"),
            Column("title", least=8, good=20, rank=3, most=60),
            Column("address", rank=9),
        ],
        [
            (
                name_of(one.link),
                moment(one.when, opened.zone),
                ids[one.link.session_id],
                one.link.user_name or one.link.user_id if len(users) > 1 else "",
                one.link.agent_type,
                one.link.project_name,
                one.title,
                one.link.pr_url,
            )
            for one in found
        ],
    )
