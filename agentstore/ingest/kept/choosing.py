"""Which of the files that the store knows are read again from their originals, and which are read beside them."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agentstore.models import Session, SourceFile

Owner = tuple[str, str, str, str]
# A newer importer may read what an older one could not.
_KEPT = ("read", "unreadable")


class Choice(NamedTuple):
    """What is to be read again; None: all."""

    agents: frozenset[str] | None = None
    session_ids: frozenset[str] | None = None
    machine: str | None = None

    def has_group(self, row: SourceFile) -> bool:
        is_machine = self.machine is None or row.machine == self.machine
        return is_machine and (self.agents is None or row.importer in self.agents)

    def has(self, row: SourceFile) -> bool:
        return self.session_ids is None or not self.session_ids.isdisjoint(row.session_ids)


def group_of(row: SourceFile) -> Owner:
    """Files with the same are read together."""
    return row.importer, row.machine, row.user_id, row.user_name


def by_original(rows: Iterable[SourceFile]) -> tuple[list[list[SourceFile]], list[SourceFile]]:
    """The rows of one original together, the one that counts first; and those of which none is kept.

    Several are of a file that was moved or compressed: it is the one that was read last, as far as the rows tell.
    """
    found: dict[str, list[SourceFile]] = collections.defaultdict(list)
    without: list[SourceFile] = []
    for row in rows:
        if row.original_id and row.outcome in _KEPT:
            found[row.original_id].append(row)
        else:
            without.append(row)
    return [sorted(files, key=_rank, reverse=True) for files in found.values()], without


def _rank(row: SourceFile) -> tuple[int, bool, int, str]:
    return row.importer_version, not row.path.endswith(".zst"), row.size, row.path


class Owners:
    """From which files sessions were read, on all machines."""

    def __init__(self, rows: Iterable[SourceFile]) -> None:
        self._rows: dict[str, list[SourceFile]] = collections.defaultdict(list)
        for row in rows:
            for id in row.session_ids if row.original_id and row.outcome == "read" else ():
                self._rows[id].append(row)

    def is_anothers(self, row: SourceFile, sessions: Sequence[Session]) -> bool:
        """Whether all these sessions, which this file had once, are stored for another owner, from another original:
        it went on there."""
        return bool(sessions) and all(
            (one.user_id, one.machine) != (row.user_id, row.machine)
            and any((other.user_id, other.machine) == (one.user_id, one.machine) for other in self._rows[one.id])
            for one in sessions
        )
