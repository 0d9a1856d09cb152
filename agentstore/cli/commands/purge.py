"""``agentstore purge``: a session out of the store and off its disk, for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError
from agentstore.cli.options import Common

if TYPE_CHECKING:
    from agentstore.cli.opening import Opened
    from agentstore.faces.erasing import Doomed

_LONGEST = 60


def purge(
    id: Annotated[str, Parameter(help="the id, or as much of its beginning as no other has")],
    /,
    *,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), help="do not ask")] = False,
    timeout: Annotated[float, Parameter(help="wait so many seconds for the server to erase it")] = 3600.0,
    go_on: Annotated[bool, Parameter(help="of one whose purge was interrupted, by its whole id")] = False,
    let_back: Annotated[bool, Parameter(help="of a purged one, by its whole id: let it be imported again")] = False,
    common: Common = Common(),
) -> int:
    """Erase a session with its subagents: messages, tool calls, marks, the kept originals, from tables and indexes.

    It cannot be undone. The agent's own files on this or another machine are not touched; they are not imported again.
    """
    from agentstore.cli.opening import run

    if not timeout > 0:
        raise CommandError("--timeout is more than 0 seconds")
    if let_back and go_on:
        raise CommandError("--go-on and --let-back cannot be given together")
    if let_back:
        return run(lambda opened: _let_back(opened, id), common, use="change")
    if go_on:
        return run(lambda opened: _go_on(opened, id, timeout), common, use="change")
    if not yes and not sys.stdin.isatty():
        raise CommandError("there is nobody to ask here", hint="--yes erases without asking")
    found: list[Doomed] = []

    async def looked(opened: Opened) -> int:
        from agentstore.cli.erasing import look

        found.append(await look(opened, id))
        return FOUND

    # Asked between two times of opening the store: while somebody thinks no connection waits, and Ctrl-C is at once.
    code = run(looked, common)
    if code != FOUND:
        return code
    if not yes:
        _ask(found[0])

    async def erased(opened: Opened) -> int:
        from agentstore.cli.erasing import erase

        return await erase(opened, found[0], timeout)

    return run(erased, common, use="change")


def _ask(doomed: Doomed) -> None:
    """Have the id or the title typed; anything else is no."""
    from agentstore.cli.erasing import told
    from agentstore.cli.terminal.screen import screen_of
    from agentstore.faces import safe
    from agentstore.faces.titles import title_of

    screen = screen_of(sys.stderr)
    told(screen, doomed)
    title = safe.line(title_of(doomed.session).strip())
    # Of a session without a title "" is none of them: Enter, and the end of the input, erase nothing.
    names = {doomed.session.id, doomed.session.id[:8], title, title[:_LONGEST].strip()} - {""}
    screen.fold(f"To erase it for good, type its title or {doomed.session.id[:8]}:", style="bold")
    sys.stderr.flush()
    if sys.stdin.readline().strip() not in names:
        raise CommandError("nothing is erased: that is neither its title nor its id")


async def _go_on(opened: Opened, id: str, timeout: float) -> int:
    from agentstore import NotFoundError
    from agentstore.cli.erasing import finish

    try:
        await opened.store.get_session(opened.org, id)
    except NotFoundError:
        pass
    else:  # nothing of it is erased yet, and nobody was asked
        raise CommandError(f"no purge of {id} was begun: it is there", hint=f"agentstore purge {id}")
    return await finish(opened, id, timeout)


async def _let_back(opened: Opened, id: str) -> int:
    await opened.store.restore_sessions(opened.org, [id])
    opened.screen.line(f"{id} may be imported again: agentstore import --again")
    return FOUND
