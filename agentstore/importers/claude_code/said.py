"""What one file says that has to be known when others are read, and when it is read again itself."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from zlib import crc32

import msgspec

from agentstore.importers.claude_code.identity import Named
from agentstore.importers.copies import Traced
from agentstore.importers.git_remotes import Remote
from agentstore.importers.projects import Repositories, is_named

VERSION = 1
# Ranks: what was pushed to may be a fork, and a request may go to another repository than the one it was made from.
OF_TALK = 1
OF_REQUEST = 2


class Said(msgspec.Struct, array_like=True):
    """Collected line by line; equal lines give equal facts, in however many parts they were read.

    ``titles`` are by the record that each is of; ``asked`` are commands that wait for an answer. ``embedded`` are the
    subagents whose messages stand here. ``uuids`` are those of all records, four bytes for each: which titles of other
    files are for this one. ``named`` and ``traced`` are there where a file's name does not say who it is, or others say
    the same.
    """

    titles: dict[str, str] = {}
    cwd: str = ""
    directories: list[str] = []  # those of the subagents that stand here
    continued_in: str = ""
    worktrees: list[tuple[str, str]] = []
    remotes: list[tuple[str, Remote, int]] = []
    requests: list[Remote] = []  # the repositories of the first pull requests, at most two
    asked: dict[str, tuple[str, str]] = {}
    embedded: list[str] = []
    uuids: bytes = b""
    named: Named | None = None
    traced: Traced | None = None

    def teach(self, repositories: Repositories) -> None:
        """Tell what is known of directories."""
        for worktree, origin in self.worktrees:
            repositories.learn_worktree(worktree, origin)
        for cwd, remote, rank in self.remotes:
            repositories.learn_remote(cwd, remote, rank)
        repositories.learn_directory(self.cwd)
        # Only where it is plain which repository it is: the directory's, by its name, and no second one.
        if len(self.requests) == 1 and is_named(self.requests[0], self.cwd):
            repositories.learn_remote(self.cwd, self.requests[0], OF_REQUEST)

    def take_uuids(self, uuids: Iterable[bytes]) -> None:
        shorts = [crc32(uuid) for uuid in uuids]
        self.uuids += struct.pack(f"<{len(shorts)}I", *shorts)

    def records_among(self, wanted: Iterable[int]) -> set[int]:
        """Which of these records (``short``) may be in this file."""
        return set(struct.unpack(f"<{len(self.uuids) // 4}I", self.uuids)).intersection(wanted)


def short(uuid: str) -> int:
    return crc32(uuid.encode("utf-8", errors="replace"))
