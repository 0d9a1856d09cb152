"""When to say that a table's rows cannot be stored: at the first failure, then ever more rarely, and when it is over.

One line each time, whatever the number of rows, calls and attempts: a log that an outage fills is a second outage.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from agentstore.errors import AgentStoreError
from agentstore.write.looptime import loop_time

logger = logging.getLogger("agentstore.write")

FIRST_SILENCE_SECONDS = 60.0
LONGEST_SILENCE_SECONDS = 3600.0
# A server's message may quote what it was sent.
_ERROR_CHARACTERS = 300


class Outage:
    """Failed attempts at one table since the last one that succeeded. Pure: ``now`` is passed in, lines come out."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._began: float | None = None
        self._attempts = 0
        self._silent_until = 0.0
        self._silence = FIRST_SILENCE_SECONDS

    def failed(self, now: float, error: AgentStoreError, *, waiting: int, pause: float | None) -> str:
        """What to say of a failed attempt, "" for nothing. ``pause`` is the time to the next one, None for none."""
        self._attempts += 1
        if self._began is None:
            self._began, self._silence = now, FIRST_SILENCE_SECONDS
            begun = "rows cannot be stored"
        elif now < self._silent_until:
            return ""
        else:
            begun = f"no rows stored for {now - self._began:.0f} s, {self._attempts} attempts failed"
            self._silence = min(self._silence * 2, LONGEST_SILENCE_SECONDS)
        # Counted from the line that is said now: attempts in between push it no further.
        self._silent_until = now + self._silence
        following = "not tried again" if pause is None else f"next attempt in {pause:.1f} s"
        return f"{self._table}: {begun}; {waiting} rows wait, {following}: {_short(error)}"

    def stored(self, now: float, *, waiting: int) -> str:
        """What to say of an attempt that succeeded, "" for nothing. ``waiting`` includes the rows just stored."""
        if self._began is None:
            return ""
        line = (
            f"{self._table}: rows are stored again after {now - self._began:.0f} s and {self._attempts} failed"
            f" attempts; {waiting} rows waited"
        )
        self._began, self._attempts = None, 0
        return line


class OutageLog:
    """An outage of one table, said by the logger ``agentstore.write``. ``waiting`` counts its rows without outcome."""

    def __init__(self, table: str, waiting: Callable[[], int]) -> None:
        self._outage = Outage(table)
        self._waiting = waiting

    def failed(self, error: AgentStoreError, pause: float | None) -> None:
        """An attempt failed, not for its rows' sake; see ``Outage.failed``."""
        self._say(self._outage.failed(loop_time(), error, waiting=self._waiting(), pause=pause))

    def stored(self) -> None:
        """An attempt succeeded."""
        self._say(self._outage.stored(loop_time(), waiting=self._waiting()))

    def _say(self, line: str) -> None:
        if line:
            logger.warning("%s", line)


def _short(error: AgentStoreError) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _ERROR_CHARACTERS else f"{text[: _ERROR_CHARACTERS - 1]}…"
