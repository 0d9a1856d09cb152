"""What git has of a file at HEAD: its lines, and the commit of each."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import NamedTuple

from agentstore.blame.git import GitError, git

LARGEST = 4 * 1024 * 1024
_MOST_RANGES = 20
_HEADER = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64}) \d+ (\d+)(?: \d+)?")


class Commit(NamedTuple):
    """A commit, when it was made, and the path that the file had in it. ``is_oldest``: git knows none before it."""

    sha: str
    when: dt.datetime
    path: str
    is_oldest: bool = False


async def lines_at_head(top: str, path: str) -> list[str]:
    """The file's lines in the commit that is checked out. ``GitError`` where it is not in it."""
    if int(await git(top, "cat-file", "-s", f"HEAD:{path}")) > LARGEST:
        raise GitError("the committed file is too large")
    return lines_of(await git(top, "cat-file", "blob", f"HEAD:{path}"))


async def commits_of(top: str, path: str, numbers: Iterable[int], total: int) -> dict[int, Commit]:
    """The commits of these lines of the file at HEAD, counted from 1."""
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    ranges = list(_ranges(wanted))
    chosen = (
        [f"-L{first},{last}" for first, last in ranges] if len(ranges) <= _MOST_RANGES and len(wanted) < total else []
    )
    # An empty name takes back the files of commits to skip that configurations name.
    told = await git(top, "blame", "--porcelain", "--no-textconv", "--ignore-revs-file=", *chosen, "HEAD", "--", path)
    return parsed(told.decode("utf-8", errors="replace"))


async def is_shallow(top: str) -> bool:
    """Whether it is a clone without the older commits. git tells their lines as of the oldest that there is."""
    return (await git(top, "rev-parse", "--is-shallow-repository")).strip() == b"true"


def parsed(porcelain: str) -> dict[int, Commit]:
    """The commits by line. What git tells of a commit stands once, where it first comes."""
    commits: dict[str, Commit] = {}
    found: dict[int, str] = {}
    sha, when, is_oldest = "", 0, False
    for line in porcelain.split("\n"):
        if line.startswith("\t"):
            continue
        if header := _HEADER.fullmatch(line):
            sha, is_oldest = header.group(1), False
            found[int(header.group(2))] = sha
        elif line.startswith("committer-time "):
            when = int(line.split(" ")[1])
        elif line == "boundary":
            is_oldest = True
        elif line.startswith("filename "):
            commits[sha] = Commit(sha, _moment(when), _unquoted(line[len("filename ") :]), is_oldest)
    return {number: commits[one] for number, one in found.items() if one in commits}


def lines_of(content: bytes) -> list[str]:
    """The lines of a file, without their ends."""
    lines = content.decode("utf-8", errors="replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _moment(seconds: int) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):  # a commit may claim any time
        return dt.datetime.max.replace(tzinfo=dt.UTC)


def _ranges(numbers: list[int]) -> Iterable[tuple[int, int]]:
    first = last = numbers[0]
    for number in numbers[1:]:
        if number > last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


def _unquoted(path: str) -> str:
    """A path as git prints it: in quotes, with escapes, where it has unusual characters."""
    if not (len(path) > 1 and path[0] == path[-1] == '"'):
        return path
    escaped = re.sub(r"\\([0-7]{3}|.)", lambda found: _character(found.group(1)), path[1:-1])
    return escaped.encode("latin-1", errors="replace").decode("utf-8", errors="replace")


def _character(escape: str) -> str:
    if len(escape) == 3:
        return chr(int(escape, 8) & 0xFF)
    return {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}.get(escape, escape)
