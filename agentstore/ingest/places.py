"""The files below the places, and by what it is seen that one has not changed: nothing is read but names and times."""

from __future__ import annotations

import hashlib
import os
import pathlib
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from agentstore.importers.file_blocks import name_of

# A file that was changed this short before it was looked at may change again within one tick of the file system's
# clock, and its times would not tell. Where times have whole seconds, a tick is two of them.
_TICK, _COARSE_TICK = 100_000_000, 2_000_000_000
_SECOND = 1_000_000_000


class Found(NamedTuple):
    """A regular file below ``root``. ``name``: its path as rows hold it."""

    path: pathlib.Path
    root: pathlib.Path
    name: str
    size: int


def walk(places: Sequence[pathlib.Path], failed: Callable[[pathlib.Path, str], None]) -> Iterator[Found]:
    """Every regular file below the places, each once, in the order of their paths. Links to folders are not followed.

    ``failed`` is told of what cannot be looked at.
    """
    seen: set[pathlib.Path] = set()
    for root in places:
        for path in sorted(_below(root, failed)):
            if path not in seen:
                seen.add(path)
                yield from find(root, path, failed)


def find(root: pathlib.Path, path: pathlib.Path, failed: Callable[[pathlib.Path, str], None]) -> Iterator[Found]:
    """One file of a place, if it is a regular one."""
    try:
        there = path.stat()
    except OSError as error:
        failed(path, _reason(error))
        return
    if stat.S_ISREG(there.st_mode):
        yield Found(path, root if path != root else root.parent, name_of(path), there.st_size)


def walk_below(
    root: pathlib.Path, folder: pathlib.Path, failed: Callable[[pathlib.Path, str], None], *, deep: bool = True
) -> Iterator[Found]:
    """The files of a folder of a place, and (``deep``) of those below it, if ``walk`` would come there."""
    between = [folder, *folder.parents][: len(folder.parts) - len(root.parts)]
    if any(os.path.islink(one) for one in between):
        return
    for path in sorted(_below(folder, failed, deep=deep)):
        yield from find(root, path, failed)


def _below(
    root: pathlib.Path, failed: Callable[[pathlib.Path, str], None], *, deep: bool = True
) -> Iterator[pathlib.Path]:
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except OSError as error:
        failed(root, _reason(error))
        return
    if not is_folder:
        yield root
        return
    for folder, _, files in os.walk(root, onerror=lambda error: failed(pathlib.Path(error.filename), _reason(error))):
        for name in files:
            yield pathlib.Path(folder, name)
        if not deep:
            return


def stat_of(path: pathlib.Path, beside: Iterable[pathlib.Path]) -> str:
    """A digest of size, times and number of a file and of those beside it; "" where they would not tell a change.

    It is taken before the file is read: what is written after that changes it.
    """
    digest = hashlib.blake2b(digest_size=16)
    for one in (path, *beside):
        try:
            there = one.stat()
        except OSError:
            digest.update(b"-;")
            continue
        changed = there.st_mtime_ns
        # On Windows st_ctime is when it was made. Of the log of a database root's SQLite sets it by reading.
        if one is path and sys.platform != "win32":
            changed = max(changed, there.st_ctime_ns)
        tick = _TICK if there.st_mtime_ns % _SECOND else _COARSE_TICK
        # Also where it is of the future: the clock was set back.
        if time.time_ns() - changed < tick:
            return ""
        digest.update(f"{there.st_size} {there.st_mtime_ns} {changed} {there.st_ino};".encode())
    return digest.hexdigest()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
