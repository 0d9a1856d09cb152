"""Who tells that something has changed below the places: a thread that waits for the system, or looks itself."""

from __future__ import annotations

import asyncio
import logging
import os
import pathlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from agentstore.ingest.watchers.polling import Poller

_logger = logging.getLogger("agentstore")
# A step without a further change ends a batch of them; a batch ends after the second number in any case.
_STEP, _LONGEST = 100, 200  # milliseconds
_MOST = 8000  # changes at once: the system's queue (16,384 on Linux) may have run over, which nobody tells
_DELETED, _ADDED = 3, 1


class Notice(NamedTuple):
    """Changed paths; ``folders``: those of them that are new folders, of which more may come. None: anything."""

    paths: set[pathlib.Path] | None
    folders: set[pathlib.Path]
    is_root_gone: bool = False


Tell = Callable[[Notice], None]


class Notices:
    """Tells of changes below some places until it is stopped. Folders are watched with all below them; of a file, its
    folder, since what lies beside it counts, and since another may take its place."""

    def __init__(self, places: Sequence[pathlib.Path], tell: Tell) -> None:
        folders = [place for place in places if place.is_dir()]
        files = [place for place in places if place not in folders]
        self._listeners = [_Listener(group, folders=group is folders, tell=tell) for group in (folders, files) if group]

    async def start(self) -> None:
        """From when this returns on changes are told."""
        for listener in self._listeners:
            await listener.start()

    async def stop(self) -> None:
        """Returns when the threads have ended."""
        for listener in self._listeners:
            listener.stop()
        for listener in self._listeners:
            await listener.ended()


class _Listener:
    def __init__(self, places: Sequence[pathlib.Path], *, folders: bool, tell: Tell) -> None:
        self._tell = tell
        self._is_deep = folders
        roots = places if folders else [place.parent for place in places]
        self._roots = list(dict.fromkeys(map(str, roots)))
        # Of files: what begins with their paths, "x.db-wal" too.
        self._starts = tuple(str(place) if not folders else os.path.join(place, "") for place in places)
        self._places = frozenset(map(str, places))
        # Some systems tell the real paths of what is watched through a link.
        self._real = [(os.path.join(os.path.realpath(root), ""), os.path.join(root, "")) for root in self._roots]
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._ready, self._ended = self._loop.create_future(), self._loop.create_future()

    async def start(self) -> None:
        threading.Thread(target=self._run, name="agentstore-watch", daemon=True).start()
        await self._ready

    def stop(self) -> None:
        self._stop.set()

    async def ended(self) -> None:
        await asyncio.wait([self._ended])

    def _run(self) -> None:
        try:
            for changes in self._changes():
                if notice := self._notice(changes):
                    self._call(self._tell, notice)
        except Exception:
            _logger.exception("changes are not told any more; everything is looked at")
            self._call(self._tell, Notice(None, set(), is_root_gone=True))
        finally:
            self._call(_finish, self._ready)
            self._call(_finish, self._ended)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop has been closed
            self._stop.set()

    def _changes(self) -> Iterator[set[tuple[int, str]]]:
        from watchfiles._rust_notify import RustNotify  # an extra

        # watchfiles' own variable, for folders that a network brings: nobody tells what others write there.
        if os.environ.get("WATCHFILES_FORCE_POLLING", "").lower() not in ("", "false", "disable", "disabled"):
            yield from self._polled()
            return
        try:
            system = RustNotify(self._roots, False, False, 0, self._is_deep, True)
        except FileNotFoundError:
            self._call(self._tell, Notice(set(), set(), is_root_gone=True))
            return
        except OSError as error:
            _logger.warning("the system tells no changes (%s): files are looked at in turns", error)
            yield from self._polled()
            return
        with system:
            self._call(_finish, self._ready)
            while True:
                changes = system.watch(_LONGEST, _STEP, 0, self._stop)
                if not isinstance(changes, set):
                    return
                yield changes

    def _polled(self) -> Iterator[set[tuple[int, str]]]:
        poller = Poller(self._roots, deep=self._is_deep)
        self._call(_finish, self._ready)
        while changed := poller.wait(self._stop):
            yield {(_ADDED if os.path.lexists(path) else _DELETED, path) for path in changed}

    def _notice(self, changes: set[tuple[int, str]]) -> Notice | None:
        if len(changes) > _MOST:
            return Notice(None, set())
        paths, folders, is_root_gone = set(), set(), False
        for kind, told in changes:
            name = self._named(told)
            if name in self._places:
                is_root_gone |= kind == _DELETED
            elif not name.startswith(self._starts):
                continue
            path = pathlib.Path(name)
            paths.add(path)
            if kind == _ADDED and path.is_dir():
                folders.add(path)
        return Notice(paths, folders, is_root_gone) if paths else None

    def _named(self, told: str) -> str:
        if not told.startswith(self._starts):
            for real, root in self._real:
                if told.startswith(real):
                    return root + told[len(real) :]
        return told


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
