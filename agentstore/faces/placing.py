"""Which path of a file's history a path on this machine is."""

from __future__ import annotations

import os
import pathlib
from typing import NamedTuple


class Placed(NamedTuple):
    """A path as history has it, and the directory whose repository it is in; "" where it is in none."""

    path: str
    inside: str = ""


def placed(named: str, here: str) -> Placed:
    """The path relative to the top of the working tree that it is in, seen from the directory ``here``.

    A folder ends with "/"; the top itself is "". What is not there from ``here``, and is from the top, is meant from
    the top. Outside of a repository a path stays as it was typed.
    """
    is_folder = named.endswith(("/", os.sep)) or named in (".", "..")
    full = os.path.normpath(os.path.join(here, os.path.expanduser(named)))
    top = _top(full)
    own = _top(here)
    if own and not os.path.isabs(named) and not os.path.lexists(full):
        from_top = os.path.normpath(os.path.join(own, named))
        if os.path.lexists(from_top) or not top:
            full, top = from_top, own
    if not top:
        return Placed(named)
    path = pathlib.PurePath(os.path.relpath(full, top)).as_posix()
    if path == ".":
        return Placed("", top)
    return Placed(path + "/" if is_folder or os.path.isdir(full) else path, top)


def _top(path: str) -> str:
    """The nearest folder with a ``.git``, the path itself or above it; worktrees have one, too."""
    for folder in (pathlib.PurePath(path), *pathlib.PurePath(path).parents):
        if os.path.lexists(os.path.join(folder, ".git")):
            return str(folder)
    return ""
