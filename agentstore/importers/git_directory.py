"""The git repository of a directory on this machine, from its ``.git/config``; no command is run.

The directory's name comes from a transcript: hostile text, and often of another machine. Nothing is read for it but
``.git`` (of it or of a folder above), where that is a file the folder that it names, and there ``commondir`` and
``config``; only regular files, and 64 KiB of each at most. What comes back is a remote and the path of the repository,
never what a file holds.
"""

from __future__ import annotations

import os
import pathlib
import re
import stat
from typing import NamedTuple

from agentstore.importers.git_remotes import Remote, remote_of
from agentstore.importers.intake import Mask, masked_text

_MOST = 65536
_DEEPEST = 64
# What is there are devices, processes and other machines: looking alone may wait, or ask somebody.
_NOT_FILES = re.compile(r"(?://|\\\\|/(?:proc|dev|sys|net)(?:/|$))")
_SECTION = re.compile(r'\[\s*remote\s+"((?:[^"\\]|\\.)*)"\s*\]\s*(.*)', re.IGNORECASE)
_URL = re.compile(r"url\s*=\s*(.*)", re.IGNORECASE)


class Repository(NamedTuple):
    """Where a directory's repository is ("" if it is in none), and where it comes from."""

    root: str = ""
    remote: Remote = Remote()


def repository_of(cwd: str, mask: Mask | None = None) -> Repository:
    """Look the directory up on this machine. Nothing raises: what cannot be read is no repository.

    What comes back is masked: who and what opens the door to a remote is no part of it, but a name may be a secret.
    """
    if not _may_look(cwd):
        return Repository()
    try:
        directory = pathlib.Path(cwd)
        for folder in (directory, *list(directory.parents)[:_DEEPEST]):
            if os.path.lexists(folder / ".git"):
                found = _repository(folder)
                return Repository(
                    masked_text(mask, found.root), Remote(*(masked_text(mask, one) for one in found.remote))
                )
    except (OSError, ValueError):  # no access, a loop of links, a name that the system does not take
        pass
    return Repository()


def _may_look(cwd: str) -> bool:
    path = pathlib.PurePath(cwd)
    return bool(cwd) and path.is_absolute() and ".." not in path.parts and not _NOT_FILES.match(cwd)


def _repository(folder: pathlib.Path) -> Repository:
    git = folder / ".git"
    if git.is_dir():
        return Repository(str(folder), _remote_in(_read(git / "config")))
    named = re.match(r"gitdir:\s*([^\r\n\x00]+)", _read(git))
    if not named:
        return Repository()
    own = pathlib.Path(os.path.normpath(folder / named.group(1).strip()))
    if not _may_look(str(own)):
        return Repository()
    # A worktree's config is its repository's; a submodule is a repository of its own.
    common = _read(own / "commondir").strip()
    shared = pathlib.Path(os.path.normpath(own / common)) if common else own
    if not _may_look(str(shared)):
        return Repository()
    root = shared.parent if shared.name == ".git" else folder
    return Repository(str(root), _remote_in(_read(shared / "config")))


def _read(path: pathlib.Path) -> str:
    """The beginning of a regular file; "" for everything else (what is no file might wait for a writer)."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as file:
            return file.read(_MOST).decode("utf-8", errors="replace")
    except OSError:
        return ""


def _remote_in(config: str) -> Remote:
    """The remote ``origin``, else ``upstream``, else the only one there is."""
    found: dict[str, Remote] = {}
    name = ""
    for line in config.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = _SECTION.fullmatch(line)
            name, line = (section.group(1), section.group(2)) if section else ("", "")
        url = _URL.fullmatch(line) if name else None
        if url and (remote := remote_of(_value(url.group(1)))):
            found.setdefault(name, remote)
    only = next(iter(found.values())) if len(found) == 1 else Remote()
    return found.get("origin") or found.get("upstream") or only


def _value(written: str) -> str:
    """A value as it is meant: without quotes, and without the comment after it."""
    return re.split(r"\s[#;]", written, maxsplit=1)[0].strip().strip('"')
