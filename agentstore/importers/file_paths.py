"""The path of a file as history tells it: relative to the repository, with "/", or absolute where it is outside.

One file has one path on every machine and in every worktree: what counts is where it lies in the checkout in which the
session ran. Nothing is looked up on a disk. A path that cannot be placed for sure (relative to a directory that nobody
knows, with a pattern in it) is none.
"""

from __future__ import annotations

import functools
import re

from agentstore.importers.projects import checkout_of, root_of

LONGEST_PATH = 4096
_SURROGATES = re.compile("[\ud800-\udfff]")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\[^\\]")
_OF_BASH_ON_WINDOWS = re.compile(r"/(?:mnt/|cygdrive/)?([a-z])/")
_HOME = re.compile(r"(?:/(?:var/)?(?:home|Users)/[^/]+|/root|[A-Za-z]:/Users/[^/]+)", re.IGNORECASE)
_NO_FILE = re.compile(r"/(?:dev|proc|sys)/|\w{2,20}://|[\x00-\x1f\x7f]")
_WORKTREE = re.compile(r"\.(?:worktrees|[\w-]+/worktrees)/[^/]+/(.+)")
_SPELLED = re.compile(r"//|/\.{1,2}(?:/|$)|^\.{1,2}(?:/|$)|/$")


def joined(base: str, path: str) -> str:
    """The path as seen from where ``base`` is relative to."""
    return path if not base or is_absolute(path) else f"{base}/{path}"


def is_absolute(path: str) -> bool:
    return path.startswith(("/", "~")) or _WINDOWS.match(path) is not None


def placed(told: str, cwd: str, root: str) -> str:
    """The path of a file that a call named, while the agent was in ``cwd``, in a session that ran in ``root``.

    "" where it is no path of a file, or cannot be placed.
    """
    # What is remembered has to be short.
    return _placed(told, cwd, root) if max(len(told), len(cwd), len(root)) < 2 * LONGEST_PATH else ""


@functools.lru_cache(4096)  # the same files are read and edited again and again
def _placed(told: str, cwd: str, root: str) -> str:
    told = valid_text(told).strip().removeprefix("file://")
    cwd, root = valid_text(cwd), valid_text(root)
    if not told or len(told) > LONGEST_PATH or _NO_FILE.match(told) or "\n" in told or "\0" in told:
        return ""
    checkout, repository, is_windows = _checkout(root or cwd)
    told = _slashed(told, is_windows)
    if told.startswith("~"):
        home = _HOME.match(checkout)
        told = home.group() + told[1:] if home and told.startswith("~/") else told
    elif not is_absolute(told) and (cwd or root):
        told = f"{_slashed(cwd or root, is_windows)}/{told}"
    path = _normal(told)
    if not checkout or not path:
        return path
    return _relative(path, (checkout, repository), is_windows)


def valid_text(text: str) -> str:
    """Without lone surrogates, which rows and states cannot hold."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


@functools.lru_cache(1000)
def _checkout(directory: str) -> tuple[str, str, bool]:
    """The top of the working tree, that of the repository, and whether this is Windows."""
    is_windows = _WINDOWS.match(directory) is not None
    checkout = _normal(_slashed(checkout_of(directory), is_windows))
    return checkout, _normal(root_of(checkout).path), is_windows


def _relative(path: str, roots: tuple[str, str], is_windows: bool) -> str:
    for root in roots:
        prefix = root if root.endswith("/") else f"{root}/"
        if path.startswith(prefix) or (is_windows and path.casefold().startswith(prefix.casefold())):
            inside = path[len(prefix) :]
            # Another worktree of the same repository, say one that the session made.
            of_worktree = _WORKTREE.fullmatch(inside)
            return of_worktree.group(1) if of_worktree else inside
    return "" if path in roots else path


def _slashed(path: str, is_windows: bool) -> str:
    if not is_windows and not _WINDOWS.match(path):
        return path
    path = path.replace("\\", "/")
    if drive := _OF_BASH_ON_WINDOWS.match(path):
        path = f"{drive.group(1)}:/{path[drive.end() :]}"
    return path[:1].upper() + path[1:] if path[1:2] == ":" else path


def _normal(path: str) -> str:
    """Without "." and ".."; "" where that leads out of what is known."""
    if not _SPELLED.search(path):
        return path
    parts: list[str] = []
    is_rooted = path.startswith("/")
    for part in path.split("/"):
        if part == "..":
            if not parts and not is_rooted:
                return ""
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return ("/" if is_rooted else "") + "/".join(parts)
