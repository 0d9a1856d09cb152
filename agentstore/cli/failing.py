"""How a command ends otherwise than well: one sentence, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

FOUND = 0
NOTHING = 1
FAILED = 2
INTERRUPTED = 130
NOBODY_READS = 141


class CommandError(Exception):
    """The command cannot be carried out. ``hint`` is what to do next, ``candidates`` what may have been meant.

    All of them may hold text of a transcript or of a server: what shows them makes them safe.
    """

    code = FAILED

    def __init__(self, message: str, *, hint: str = "", candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.candidates = tuple(candidates)


class Interrupted(CommandError):
    """The user has ended it before its end. What it says is what was done."""

    code = INTERRUPTED


class PagerLeft(Exception):
    """The user has left the pager before all was printed, which is fine."""


class NothingFound(CommandError):
    """What was asked for is not there."""

    code = NOTHING
