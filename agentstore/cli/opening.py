"""Running a command on the store: which one, opened, and closed whatever happens."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from agentstore.cli.at_once import run_at_once
from agentstore.cli.config import Settings
from agentstore.cli.failing import FOUND, CommandError, NothingFound
from agentstore.cli.options import Common, Shown
from agentstore.cli.terminal.pager import paged
from agentstore.cli.terminal.screen import Screen, screen_of
from agentstore.faces.times import zone_of

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore

# What a command does with the store: it reads what is there; it changes what is there; it makes the tables it needs; it
# looks after them itself.
Use = Literal["read", "change", "write", "as it is"]


class Opened:
    """What a command works with: an open store, the organisation, and how to show things."""

    def __init__(self, store: AsyncClickHouseStore, settings: Settings, shown: Shown, screen: Screen) -> None:
        self.store = store
        self.settings = settings
        self.org = settings["org"]
        self.shown = shown
        self.screen = screen
        self._zone: ZoneInfo | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The zone that times are shown in."""
        if self._zone is None:
            self._zone = ZoneInfo("UTC") if self.shown.utc else zone_of(self.settings["tz"])
        return self._zone


Work = Callable[[Opened], Awaitable[int | None]]


def settings_of(common: Common, shown: Shown = Shown(), **flags: str | None) -> Settings:
    """What the flags, the environment and the file say. ``flags`` are those that only some commands have."""
    return Settings({"store": common.store, "org": common.org, "tz": shown.tz, **flags}, debug=common.debug)


def run(
    work: Work,
    common: Common,
    shown: Shown = Shown(),
    *,
    use: Use = "read",
    settings: Settings | None = None,
    pages: bool = False,
) -> int:
    """Open the store, do the work, close it; the exit code (that of the work, 0 where it says nothing).

    Tables of a local store are brought to this library's version when they are needed, those of a server only to write.
    ``pages``: the output may be long and goes through a pager.
    """
    settings = settings or settings_of(common, shown)
    if shown.utc and shown.tz:
        raise CommandError("--utc and --tz cannot be given together")
    finished = run_at_once if use == "read" else asyncio.run
    if pages and not shown.json:
        with paged(wanted=shown.pager) as screen:
            return finished(_run(work, settings, shown, screen, use))
    return finished(_run(work, settings, shown, screen_of(), use))


async def _run(work: Work, settings: Settings, shown: Shown, screen: Screen, use: Use) -> int:
    # Here, since both take a while to load, and a mistake in the options should be told before that.
    from agentstore import AsyncClickHouseStore, SchemaError
    from agentstore.cli.terminal.logs import show_warnings

    show_warnings(debug=settings.debug)
    store = AsyncClickHouseStore(settings["store"])
    local = store.options.local_path
    if use in ("read", "change") and local and not _is_there(local):
        raise NothingFound(f"there is no store in {local} yet", hint="agentstore import")
    opened = Opened(store, settings, shown, screen)
    async with store:
        if use == "write":
            await store.ensure_schema()
        try:
            return await work(opened) or FOUND
        except SchemaError as error:
            if use not in ("read", "change") or not local or screen.printed:
                raise _explained(error) from None
        try:
            await store.ensure_schema()
        except SchemaError as error:  # of a newer version
            raise _explained(error) from None
        return await work(opened) or FOUND


def _is_there(path: str) -> bool:
    return pathlib.Path(path).expanduser().exists()


def _explained(error: Exception) -> Exception:
    """The library's hint is about a method; here it is a command."""
    from agentstore import SchemaError

    if isinstance(error, SchemaError) and "ensure_schema" in error.hint:
        return CommandError(error.message, hint="agentstore schema upgrade")
    return error
