"""``agentstore files``: which sessions touched a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, NOTHING, CommandError, NothingFound
from agentstore.cli.options import Common, Shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentstore import FileHistoryEntry
    from agentstore.cli.opening import Opened
    from agentstore.cli.touched import Touched

_PAGE = 1000
Operation = Literal["read", "write", "edit", "delete", "move"]


def files(
    path: Annotated[str, Parameter(help="a file, or a folder with all below it")],
    /,
    *,
    did: Annotated[
        tuple[Operation, ...], Parameter(name=("--did", "-d"), negative=(), help="only where this was done with it")
    ] = (),
    project: Annotated[
        str, Parameter(name=("--project", "-p"), help="of this project, the path relative to it, as typed")
    ] = "",
    anywhere: Annotated[bool, Parameter(help="in any project, the path as typed")] = False,
    limit: Annotated[
        int, Parameter(name=("--limit", "-n"), help="at most so many sessions, of --json so many touches; 0: all")
    ] = 50,
    shown: Shown = Shown(),
    common: Common = Common(),
) -> int:
    """Find the sessions that touched a file of the repository you are in, the latest first.

    src/ is all below src. Renamed files are found by either name.
    """
    from agentstore.cli.opening import run

    if limit < 0:
        raise CommandError(f"--limit: {limit} is less than 0", hint="0 is all")
    if anywhere and project:
        raise CommandError("--anywhere and --project cannot be given together")

    async def told(opened: Opened) -> int:
        meant = await _meant(opened, path, project, anywhere=anywhere)
        return await (_json if shown.json else _table)(opened, meant, did, limit)

    return run(told, common, shown, pages=True)


class Meant(NamedTuple):
    """The path as history has it, and in which project, by its id or its name; "" is any."""

    path: str
    project_id: str = ""
    project_name: str = ""


async def _meant(opened: Opened, path: str, project: str, *, anywhere: bool) -> Meant:
    from agentstore.cli.resolving import project_known
    from agentstore.faces.placing import placed

    if anywhere or project:
        return Meant(path, **await project_known(opened.store, opened.org, project))
    found = placed(path, os.getcwd())
    return Meant(found.path, **await project_known(opened.store, opened.org, found.inside))


async def _touches(opened: Opened, meant: Meant, did: tuple[Operation, ...]) -> AsyncIterator[FileHistoryEntry]:
    cursor = ""
    while True:
        page = await opened.store.file_history(
            opened.org, meant.path, project_id=meant.project_id, operations=did, limit=_PAGE, cursor=cursor
        )
        for touch in page.touches:
            # Several projects may have one name, and the store knows them by their ids.
            if meant.project_name in ("", touch.project_name):
                yield touch
        cursor = page.next_cursor
        if not cursor:
            return


async def _json(opened: Opened, meant: Meant, did: tuple[Operation, ...], limit: int) -> int:
    from agentstore.cli.terminal.jsons import print_json

    printed = 0
    async for touch in _touches(opened, meant, did):
        print_json(opened.screen, touch)
        printed += 1
        if printed == limit:
            break
    return FOUND if printed else NOTHING


async def _table(opened: Opened, meant: Meant, did: tuple[Operation, ...], limit: int) -> int:
    from agentstore.cli.touched import Touched, show_touched

    sessions: dict[str, Touched] = {}
    async for touch in _touches(opened, meant, did):
        sessions.setdefault(touch.session_id, Touched(touch)).add(touch)
    if not sessions:
        hint = f"agentstore files --anywhere {meant.path}" if meant.project_id else "a path relative to its repository"
        raise NothingFound(f"no session touched {meant.path or 'any file here'}", hint=hint)
    found = list(sessions.values())
    show_touched(opened, found[: limit or None], is_folder=meant.path.endswith("/") or not meant.path)
    if 0 < limit < len(found):
        opened.screen.fold(f"… and {len(found) - limit:,} more: --limit 0 shows all", style="dim")
    return FOUND
