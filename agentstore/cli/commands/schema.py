"""``agentstore schema``: of which version the store's tables are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError, NothingFound
from agentstore.cli.options import Common, Shown

if TYPE_CHECKING:
    from agentstore.cli.opening import Opened


def schema(
    action: Annotated[Literal["show", "upgrade"], Parameter(help="show or upgrade")] = "show",
    /,
    *,
    json: Annotated[bool, Parameter(help="as JSON")] = False,
    common: Common = Common(),
) -> int:
    """Show the version of the store's tables and what they lack, or upgrade them. Showing changes nothing.

    Exit codes: 0; 1 there is no store; 2 the store is away, or newer than this agentstore.
    """
    from agentstore.cli.opening import run, settings_of

    shown = Shown(json=json)
    if action == "show":
        return _show(common, json=json)

    async def upgraded(opened: Opened) -> int:
        from agentstore.cli.terminal.jsons import print_json

        applied = await opened.store.ensure_schema()
        if json:
            print_json(opened.screen, {"applied": applied})
        else:
            said = f"applied: {', '.join(map(str, applied))}" if applied else "the tables are up to date already"
            opened.screen.fold(said)
        return FOUND

    return run(upgraded, common, shown, use="as it is", settings=settings_of(common, shown))


def _show(common: Common, *, json: bool) -> int:
    import asyncio

    from agentstore.cli.opening import settings_of
    from agentstore.cli.tables_version import schema_of, show_schema
    from agentstore.cli.terminal.jsons import print_json
    from agentstore.cli.terminal.screen import screen_of
    from agentstore.settings import resolve_target

    options = resolve_target(settings_of(common)["store"], {})
    found = asyncio.run(schema_of(options))
    if found is None:
        raise NothingFound(f"there is no store in {options.where} yet", hint="agentstore import")
    if json:
        print_json(screen_of(), found)
    else:
        show_schema(screen_of(), found)
    if found.newer:
        raise CommandError(
            f"the tables are of version {found.version}, and this agentstore knows {found.newest}",
            hint="upgrade agentstore",
        )
    return FOUND
