"""``agentstore import`` and ``reimport``: history into the store, and what is kept of it read again."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import CommandError, NothingFound
from agentstore.cli.options import Common, Shown

if TYPE_CHECKING:
    import pathlib

    from agentstore.cli.config import Settings
    from agentstore.cli.importing.whose import Whose
    from agentstore.cli.opening import Opened

_Json = Annotated[bool, Parameter(help="the summary as JSON, with the names of the library's records")]
_Mask = Annotated[bool | None, Parameter(negative="--no-mask", help="replace secrets by markers of their kind")]
_Machine = Annotated[str | None, Parameter(help="from this machine [AGENTSTORE_MACHINE, else this one]")]


def import_(
    *paths: Annotated[str, Parameter(help="folders and files; none: where the agents of this machine keep theirs")],
    watch: Annotated[bool, Parameter(name=("--watch", "-w"), help="go on with what is written from then on")] = False,
    user: Annotated[str | None, Parameter(help="whose it is [AGENTSTORE_USER, else git's user.email]")] = None,
    user_name: Annotated[str | None, Parameter(help="the user's name [AGENTSTORE_USER_NAME]")] = None,
    machine: _Machine = None,
    mask: _Mask = None,
    raw: Annotated[bool, Parameter(negative="--no-raw", help="also keep the records as they are, masked")] = True,
    again: Annotated[bool, Parameter(help="read everything once more, also what was deleted")] = False,
    dry_run: Annotated[
        bool, Parameter(name=("--dry-run", "-N"), help="tell what would be read; write nothing")
    ] = False,
    json: _Json = False,
    common: Common = Common(),
) -> int:
    """Import what agents have left on this machine, or below some paths. Run again, it reads what is new.

    Exit codes: 0 done; 1 there is no history; 2 a file or the store failed; 130 interrupted, 143 terminated. With
    --watch: 0 when it is terminated.
    """
    from agentstore.cli.importing.places import existing, places_by_agent
    from agentstore.cli.importing.whose import whose
    from agentstore.cli.opening import run, settings_of

    if watch and (dry_run or again):
        raise CommandError(f"--watch and {'--dry-run' if dry_run else '--again'} cannot be given together")
    flags = {"user": user, "user_name": user_name, "machine": machine, "mask": _text(mask)}
    settings = settings_of(common, Shown(json=json), **flags)
    places: list[pathlib.Path] | None = existing(paths) if paths else None
    if places is None and not watch and not places_by_agent():
        raise NothingFound("no agent has left history where one is known to", hint="agentstore import PATHS")
    shown = Shown(json=json)
    given = whose(settings)
    if dry_run:
        return _preview(settings, places, given, common, shown)
    if watch and find_spec("watchfiles") is None:
        raise CommandError("--watch needs watchfiles", hint="pip install 'agentstore[ingest]'")

    async def imported(opened: Opened) -> int:
        from agentstore.cli.importing import running

        if not json:
            running.announce(opened, places, given)
        if watch:
            return await running.watched(opened, places, given, keep_raw=raw)
        return await running.imported(opened, places, given, keep_raw=raw, again=again)

    return run(imported, common, shown, use="write", settings=settings)


def reimport(
    *ids: Annotated[str, Parameter(help="only these sessions, by the beginnings of their ids")],
    agent: Annotated[tuple[str, ...], Parameter(name=("--agent", "-a"), help="only of these agents")] = (),
    machine: Annotated[str | None, Parameter(help="only from this machine")] = None,
    mask: _Mask = None,
    json: _Json = False,
    common: Common = Common(),
) -> int:
    """Read the kept records again with this version's importers; no agent's files are needed.

    Exit codes: 0 done; 1 nothing is kept; 2 a file or the store failed; 130 interrupted.
    """
    from agentstore.cli.importing.whose import is_on
    from agentstore.cli.opening import run, settings_of

    settings = settings_of(common, Shown(json=json), mask=_text(mask))
    masked = is_on(settings["mask"])

    async def reimported(opened: Opened) -> int:
        from agentstore.cli.importing import running

        return await running.reimported(opened, ids, agent, machine, mask=masked)

    return run(reimported, common, Shown(json=json), use="write", settings=settings)


def _preview(settings: Settings, places: list[pathlib.Path] | None, given: Whose, common: Common, shown: Shown) -> int:
    """What would be read. A local store that does not exist yet is not made for it."""
    import asyncio

    from agentstore.cli.importing import running
    from agentstore.cli.opening import run
    from agentstore.cli.tables_version import is_there
    from agentstore.cli.terminal.screen import screen_of
    from agentstore.settings import resolve_target

    local = resolve_target(settings["store"], {}).local_path
    if local and not is_there(local):
        screen = screen_of()
        return asyncio.run(running.previewed(screen, None, settings, places, given, json=shown.json))

    async def previewed(opened: Opened) -> int:
        return await running.previewed(opened.screen, opened.store, settings, places, given, json=shown.json)

    return run(previewed, common, shown, settings=settings)


def _text(mask: bool | None) -> str | None:
    return None if mask is None else str(mask).lower()
