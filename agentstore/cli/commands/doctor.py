"""``agentstore doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FAILED, FOUND
from agentstore.cli.options import Common

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agentstore.cli.config import Settings
    from agentstore.cli.examining.finding import Finding
    from agentstore.cli.terminal.screen import Screen
    from agentstore.settings import ConnectOptions

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    *,
    json: Annotated[bool, Parameter(help="as JSON lines: check, status (ok, warn, fail), text, todo")] = False,
    common: Common = Common(),
) -> int:
    """Look for what is wrong with this installation, the agents' history and the store. Nothing is changed.

    Exit codes: 0 nothing failed; 2 something did.
    """
    import asyncio

    from agentstore.cli.opening import settings_of
    from agentstore.cli.terminal.screen import screen_of
    from agentstore.settings import resolve_target

    settings = settings_of(common)
    options = resolve_target(settings["store"], {})
    return asyncio.run(_told(screen_of(), settings, options, json=json))


async def _told(screen: Screen, settings: Settings, options: ConnectOptions, *, json: bool) -> int:
    import sys

    from agentstore.cli.terminal.jsons import print_json

    failed = False
    async for finding in _findings(settings, options):
        failed |= finding.status == "fail"
        if json:
            print_json(screen, finding)
        else:
            _show(screen, finding)
        sys.stdout.flush()
    return FAILED if failed else FOUND


async def _findings(settings: Settings, options: ConnectOptions) -> AsyncIterator[Finding]:
    import asyncio

    from agentstore.cli.examining.agents import agents
    from agentstore.cli.examining.finding import warn
    from agentstore.cli.examining.history import history
    from agentstore.cli.examining.machine import installation
    from agentstore.cli.examining.server import server
    from agentstore.cli.tables_version import is_there

    for finding in installation(settings, local=bool(options.local_path)):
        yield finding
    if options.local_path and not is_there(options.local_path):
        yield warn("server", f"there is no store in {options.local_path} yet", "agentstore import makes it")
    else:
        answers = True
        async for finding in server(options):
            answers &= finding.check not in ("server", "schema") or finding.status == "ok"
            yield finding
        if answers:
            async for finding in history(settings, options):
                yield finding
    for finding in await asyncio.to_thread(lambda: list(agents())):
        yield finding


def _show(screen: Screen, finding: Finding) -> None:
    from agentstore.cli.terminal.screen import Piece

    screen.fold(
        Piece(f"{finding.status:<4} ", _STYLES[finding.status]), Piece(f"{finding.check}: ", "bold"), finding.text
    )
    if finding.todo:
        screen.fold(f"→ {finding.todo}", indent="     ", style="dim")
