"""``agentstore blame``: which session and prompt wrote the lines of a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, NOTHING, CommandError
from agentstore.cli.options import Common, Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentstore.blame import BlamedLines
    from agentstore.cli.opening import Opened

# As it is typed, and as tools print it: with a column.
_PLACE = re.compile(r"(.+):(\d{1,9})(?:-(\d{1,9}))?", re.DOTALL)
_COLUMN = re.compile(r"(.+):(\d{1,9}):\d{1,9}()", re.DOTALL)


def blame(
    file: Annotated[str, Parameter(help="a file; FILE:12 or FILE:12-20 is about these lines")],
    /,
    *,
    project: Annotated[
        str, Parameter(name=("--project", "-p"), help="edit calls of this project; default: this repository")
    ] = "",
    anywhere: Annotated[bool, Parameter(help="edit calls of any project")] = False,
    shown: Shown = Shown(),
    common: Common = Common(),
) -> int:
    """Tell which session wrote the lines of a file, and the prompt that led to them.

    "high": an edit call wrote just these lines. "medium": what is not certain is said. Lines that nothing tells
    anything of are unknown. Exit codes: 0 some session is named; 1 none.
    """
    from agentstore.cli.opening import run

    if anywhere and project:
        raise CommandError("--anywhere and --project cannot be given together")

    async def told(opened: Opened) -> int:
        from agentstore.blame import blame as blamed
        from agentstore.cli.resolving import project_known
        from agentstore.cli.terminal.jsons import print_json

        top, path, wanted = _meant(file)
        id = "" if anywhere else await _project_id(opened, project) if project else None
        if id is None:
            id = (await project_known(opened.store, opened.org, top))["project_id"]
        found = await blamed(opened.store, opened.org, top, path, wanted=wanted, project_id=id)
        known = any(one.session_id for one in found.lines)
        if shown.json:
            print_json(opened.screen, found)
        else:
            await _show(opened, found.lines, found.notes)
        return FOUND if known else NOTHING

    return run(told, common, shown, pages=True)


def _place(named: str) -> re.Match[str] | None:
    """The file and its lines; None where it is a file's name, or nothing else can be told."""
    import os

    if os.path.lexists(named):
        return None
    found, column = _PLACE.fullmatch(named), _COLUMN.fullmatch(named)
    return column if found and column and not os.path.lexists(found[1]) else found


def _meant(named: str) -> tuple[str, str, tuple[int, int] | None]:
    """The top of the working tree, the path below it, and which lines."""
    import os

    from agentstore.faces.placing import placed

    wanted = None
    if place := _place(named):
        named = place[1]
        wanted = (int(place[2]), int(place[3] or place[2]))
    found = placed(named, os.getcwd())
    if not found.inside or not found.path or found.path.endswith("/"):
        raise CommandError(f"{named!r} is no file in a repository", hint="agentstore blame FILE:LINE")
    return found.inside, found.path, wanted


async def _project_id(opened: Opened, project: str) -> str:
    """The project of this name, or of the repository at this path."""
    from agentstore.cli.resolving import project_known

    known = await project_known(opened.store, opened.org, project)
    if id := known.get("project_id"):
        return str(id)
    ids = [one.id for one in await opened.store.list_projects(opened.org) if one.name == project]
    if len(ids) != 1:
        several = "several projects have" if ids else "no project has"
        raise CommandError(f"{several} the name {project!r}", hint="agentstore projects, or --anywhere")
    return ids[0]


async def _show(opened: Opened, lines: Sequence[BlamedLines], notes: Sequence[str]) -> None:
    from agentstore.cli.resolving import short_ids
    from agentstore.cli.terminal.screen import Piece
    from agentstore.cli.terminal.width import cut
    from agentstore.faces import safe
    from agentstore.faces.times import moment

    screen = opened.screen
    ids = short_ids([one.session_id for one in lines if one.session_id])
    for one in lines:
        place = str(one.first) if one.first == one.last else f"{one.first}-{one.last}"
        head: list[str | Piece] = [
            Piece(place, "cyan"),
            "  ",
            Piece(one.confidence, "bold" if one.confidence == "high" else "dim"),
        ]
        if one.session_id:
            where = f"{ids[one.session_id]} #{one.message_ordinal}"
            zone = opened.zone.key.removeprefix("Etc/")
            when = f"  {moment(one.touched_at, opened.zone)} {zone}" if one.touched_at else ""
            head += ["  ", Piece(where, "yellow"), when]
        if one.commit:
            head += ["  ", Piece(one.commit[:12], "green")]
        screen.line(*head)
        if one.prompt:
            prompt = cut(safe.line(one.prompt.strip()), screen.width - 4)
            screen.line("  ", Piece(f"> {prompt}"))
        if one.confidence != "high":
            screen.fold(one.reason, indent="  ", style="dim")
    for note in notes:
        screen.fold(note, style="dim")
