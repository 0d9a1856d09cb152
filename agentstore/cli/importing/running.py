"""Importing, watching, looking and reading again: followed to the end, or to Ctrl-C, and told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from agentstore import AgentStoreError, AsyncClickHouseStore
from agentstore.cli.config import Settings
from agentstore.cli.failing import FAILED, FOUND, CommandError, Interrupted, NothingFound
from agentstore.cli.importing.following import Failure, Followed, follow
from agentstore.cli.importing.places import places_by_agent
from agentstore.cli.importing.reporting import show_failures, show_preview, show_summary
from agentstore.cli.importing.whose import Whose, show_whose
from agentstore.cli.interrupts import Interrupts
from agentstore.cli.opening import Opened
from agentstore.cli.resolving import session_of
from agentstore.cli.terminal import sizes
from agentstore.cli.terminal.jsons import print_json
from agentstore.cli.terminal.progress import progress
from agentstore.cli.terminal.screen import Piece, Screen
from agentstore.cli.terminal.tables import Column, table
from agentstore.faces.money import count
from agentstore.ingest import IngestEvent, IngestSummary, ingest, preview, reimport, watch

Events = AsyncGenerator[IngestEvent | IngestSummary, None]
_TERMINATED = 143
_STOPPING = "what was read is being stored; once more ends at once"
_GOES_ON = "agentstore import goes on from there"
_NO_HISTORY = "nothing there is history of an agent"


def announce(opened: Opened, places: Sequence[Path] | None, given: Whose) -> None:
    """Whose history goes where, and where it is looked for, before any of it is read."""
    show_whose(opened.screen, opened.settings, given)
    _show_places(opened.screen, places)
    sys.stdout.flush()


async def imported(opened: Opened, places: Sequence[Path] | None, given: Whose, *, keep_raw: bool, again: bool) -> int:
    """One import. The first Ctrl-C lets it store what was read."""
    with Interrupts(note=_STOPPING) as interrupts:
        events = ingest(
            opened.store,
            opened.org,
            places=places,
            user=given.user,
            user_name=given.user_name,
            machine=given.machine,
            mask=given.mask,
            keep_raw=keep_raw,
            again=again,
            stop=interrupts.asked,
        )
        return await _followed(opened, events, interrupts, what="importing", nothing=_NO_HISTORY)


async def reimported(
    opened: Opened, ids: Sequence[str], agents: Sequence[str], machine: str | None, *, mask: bool
) -> int:
    """What is kept of some sessions, or of all, read again."""
    chosen = [(await session_of(opened.store, opened.org, one)).id for one in ids]
    with Interrupts(cancels=True) as interrupts:
        events = reimport(
            opened.store, opened.org, agents=agents or None, session_ids=chosen or None, machine=machine, mask=mask
        )
        return await _followed(opened, events, interrupts, what="reading again", nothing="nothing of it is kept")


async def previewed(
    screen: Screen,
    store: AsyncClickHouseStore | None,
    settings: Settings,
    places: Sequence[Path] | None,
    given: Whose,
    *,
    json: bool,
) -> int:
    """What an import would read."""
    told = await preview(store, settings["org"], places=places, user=given.user, machine=given.machine)
    if json:
        print_json(screen, told)
    else:
        show_whose(screen, settings, given)
        _show_places(screen, places)
        if told.agents or told.failed:
            show_preview(screen, told)
    if not told.agents and not told.failed:
        raise NothingFound(_NO_HISTORY)
    return FAILED if told.failed else FOUND


async def watched(opened: Opened, places: Sequence[Path] | None, given: Whose, *, keep_raw: bool) -> int:
    """An import, and then whatever is written, until a signal ends it: SIGTERM is what a watch is meant to end by."""
    with Interrupts(cancels=True) as interrupts, contextlib.ExitStack() as until_first:
        followed = Followed(until_first.enter_context(progress("importing")))
        telling = _Telling(opened, followed)

        def told(summary: IngestSummary) -> None:
            until_first.close()
            telling.summary(summary)

        events = watch(
            opened.store,
            opened.org,
            places=places,
            user=given.user,
            user_name=given.user_name,
            machine=given.machine,
            mask=given.mask,
            keep_raw=keep_raw,
        )
        try:
            async with contextlib.aclosing(events):
                await follow(events, followed, told, telling.failure)
        except asyncio.CancelledError:
            if not interrupts.is_own():
                raise
    if interrupts.signal == signal.SIGTERM:
        return FOUND
    raise Interrupted(f"the watch has ended; {_sessions(followed)} since it began", hint=_GOES_ON)


class _Telling:
    """What a watch prints: a table after the first pass, then a line for each."""

    def __init__(self, opened: Opened, followed: Followed) -> None:
        self._opened, self._followed = opened, followed
        self._is_first = True

    def summary(self, summary: IngestSummary) -> None:
        screen, is_first = self._opened.screen, self._is_first
        self._is_first = False
        if self._opened.shown.json:
            print_json(screen, summary)
        elif is_first:
            show_summary(screen, summary, self._followed.failures)
            screen.fold("watching; Ctrl-C ends it", style="dim")
        else:
            for name, figures in summary.agents.items():
                if figures.sessions:
                    numbers = (
                        (figures.sessions, "session"),
                        (figures.messages, "message"),
                        (figures.tool_calls, "call"),
                    )
                    said = ", ".join(_number(number, what) for number, what in numbers)
                    screen.fold(self._now(), Piece(name, "cyan"), f"  {said}")
        self._followed.failures.clear()
        sys.stdout.flush()

    def failure(self, failure: Failure) -> None:
        """Told at once, but while the bar is shown. What is about the store the library logs itself."""
        if self._is_first or not failure.path:
            return
        if self._opened.shown.json:
            print_json(self._opened.screen, IngestEvent(kind="failed", path=failure.path, reason=failure.reason))
        else:
            said = f"{failure.path}: {failure.reason}"
            self._opened.screen.fold(self._now(), Piece("failed", "red"), f"  {said}")
        sys.stdout.flush()

    def _now(self) -> Piece:
        import datetime as dt

        return Piece(f"{dt.datetime.now(self._opened.zone):%H:%M:%S}  ", "dim")


async def _followed(opened: Opened, events: Events, interrupts: Interrupts, *, what: str, nothing: str) -> int:
    error: AgentStoreError | None = None
    with progress(what) as bar:
        followed = Followed(bar)
        try:
            async with contextlib.aclosing(events):
                await follow(events, followed)
        except asyncio.CancelledError:
            if not interrupts.is_own():
                raise
        except AgentStoreError as failed:
            error = failed
    summary = followed.summary
    if summary is not None and opened.shown.json:
        print_json(opened.screen, summary)
    elif summary is not None and summary.files:
        show_summary(opened.screen, summary, followed.failures)
    elif summary is None:
        show_failures(opened.screen, followed.failures)
    if error is not None:
        raise error
    if interrupts.signal:
        raise _interrupted(followed, interrupts)
    if summary is None or not summary.files:
        raise NothingFound(nothing)
    return FAILED if summary.files.get("failed") else FOUND


def _interrupted(followed: Followed, interrupts: Interrupts) -> CommandError:
    said = "terminated" if interrupts.signal == signal.SIGTERM else "interrupted"
    error = Interrupted(f"{said}: {_sessions(followed)}, and the store is whole", hint=_GOES_ON)
    if interrupts.signal == signal.SIGTERM:
        error.code = _TERMINATED
    return error


def _sessions(followed: Followed) -> str:
    number = len(followed.sessions)
    return f"{_number(number, 'session')} {'was' if number == 1 else 'were'} stored"


def _number(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def _show_places(screen: Screen, places: Sequence[Path] | None) -> None:
    """The places of each agent, or those that were named."""
    if places is not None:
        screen.fold("from ", ", ".join(map(str, places)))
        return
    home = os.path.expanduser("~")
    found = [(agent, sizes.path(str(one), home)) for agent, some in places_by_agent().items() for one in some]
    table(screen, [Column("agent", style="cyan"), Column("place", least=12)], found)
