"""``preview``: what an ingest would find and read, without reading it."""

from __future__ import annotations

import asyncio
import collections
import platform
from collections.abc import Iterable, Sequence

import msgspec

from agentstore.importers.file_blocks import name_of
from agentstore.importers.importer import Importer
from agentstore.importers.registry import IMPORTERS
from agentstore.ingest.arguments import Places, paths_of
from agentstore.ingest.deciding import Owner, is_settled
from agentstore.ingest.ledger import AROUND
from agentstore.ingest.looking import File, Looker
from agentstore.models import SourceFile
from agentstore.protocols import ReadStore

_MOST_FAILURES = 1000


class AgentPreview(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one agent, by what is known of them. ``bytes_to_read``: of new and changed ones, at most."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    bytes_found: int = 0
    bytes_to_read: int = 0


class IngestPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What an ingest would find. ``failed``: what cannot be looked at, and why, the first thousand.

    ``unrecognised``: files that no importer takes, by suffix. A file that has not changed may be read all the same,
    where others say something else about it now.
    """

    agents: dict[str, AgentPreview] = {}
    failed: list[str] = []
    unrecognised: dict[str, int] = {}


async def preview(
    store: ReadStore | None,
    org_id: str,
    *,
    places: Places | None = None,
    user: str = "",
    machine: str | None = None,
    importers: Sequence[Importer] = IMPORTERS,
) -> IngestPreview:
    """What ``ingest`` with these arguments would find and read. Nothing is written anywhere.

    ``store`` None: as if nothing had been read before.
    """
    machine = platform.node() if machine is None else machine
    rows = await store.list_source_files(org_id, machine=machine) if store is not None else []
    looker = Looker(paths_of(places, importers), importers, _Rows(rows))
    look = await asyncio.to_thread(looker.look)
    by_agent: dict[str, list[File]] = {}
    for file in look.files:
        by_agent.setdefault(file.importer.name, []).append(file)
    owner = Owner(user, "", machine)
    return IngestPreview(
        agents={
            importer.name: _of(by_agent[importer.name], owner) for importer in importers if importer.name in by_agent
        },
        failed=[f"{name_of(path)}: {reason}" for path, reason in look.failed[:_MOST_FAILURES]],
        unrecognised=dict(look.unrecognised),
    )


class _Rows:
    def __init__(self, rows: Iterable[SourceFile]) -> None:
        self._rows: collections.defaultdict[str, list[SourceFile]] = collections.defaultdict(list)
        for row in rows:
            if row.source_id != AROUND:
                self._rows[row.path].append(row)

    def at(self, name: str) -> list[SourceFile]:
        return self._rows.get(name, [])


def _of(files: Sequence[File], owner: Owner) -> AgentPreview:
    counts: collections.Counter[str] = collections.Counter()
    to_read = 0
    for file in files:
        is_known = file.row is not None and is_settled(file, file.row.context, owner)
        counts["new" if file.row is None else "unchanged" if is_known else "changed"] += 1
        to_read += 0 if is_known else file.found.size
    return AgentPreview(bytes_found=sum(file.found.size for file in files), bytes_to_read=to_read, **counts)
