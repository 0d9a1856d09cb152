"""Which project a working directory belongs to, as far as its path tells."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

# What tools append to a repository's path for a worktree: it is still that project.
_WORKTREE = re.compile(r"[/\\]\.(?:claude[/\\])?worktrees[/\\].*", re.DOTALL)
_SEPARATOR = re.compile(r"[/\\]+")


class Project(NamedTuple):
    id: str
    name: str
    path: str


def project_of(cwd: str) -> Project:
    """The project of a directory; worktrees (``/.worktrees/x``, ``/.claude/worktrees/x``) share their repository's id
    and name, ``path`` stays the directory itself."""
    # ``or cwd``: the root of a file system has nothing left without its slash.
    root = _WORKTREE.sub("", cwd).rstrip("/\\") or cwd
    if not cwd:
        return Project("", "", "")
    identity = hashlib.sha256(root.encode("utf-8", errors="replace")).hexdigest()[:16]
    return Project(identity, _SEPARATOR.split(root)[-1] or root, cwd)
