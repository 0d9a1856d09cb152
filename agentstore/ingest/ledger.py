"""What is known of the files of one machine: loaded once, kept beside the store, written behind the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from agentstore.ingest.ending import ended, seen
from agentstore.models import SourceFile
from agentstore.protocols import ReadWriteStore

# The source id and the outcome of what lies around many files, and is no history itself.
AROUND = "around"
_Key = tuple[str, str]


class Ledger:
    """The rows of files on one machine, by path and source id.

    ``note`` returns at once: several rows are written together while others are read. ``settle`` waits for them. What
    is lost with the process is read again.
    """

    def __init__(self, store: ReadWriteStore, org_id: str, machine: str) -> None:
        self._store, self._org_id, self._machine = store, org_id, machine
        self._rows: dict[str, dict[str, SourceFile]] = {}
        self._waiting: dict[_Key, SourceFile] = {}
        self._writing: asyncio.Task[None] | None = None
        self._is_loaded = False
        self._facts: dict[_Key, bytes] | None = None

    async def load(self) -> None:
        """Ask the store what it knows, the first time."""
        if not self._is_loaded:
            for row in await self._store.list_source_files(self._org_id, machine=self._machine):
                self._keep(row)
            self._is_loaded = True

    def at(self, name: str) -> list[SourceFile]:
        """What is known of a path: mostly one row; several, where other files had that path."""
        return [*self._rows.get(name, {}).values()]

    def row(self, name: str, source_id: str) -> SourceFile | None:
        """What is known of a file."""
        return self._rows.get(name, {}).get(source_id)

    def of_importer(self, importer: str) -> list[SourceFile]:
        """All files that this importer has read."""
        return [row for rows in self._rows.values() for row in rows.values() if row.importer == importer]

    async def facts(self) -> dict[_Key, bytes]:
        """The facts of all files, by path and source id."""
        if self._facts is None:
            rows = await self._store.list_source_files(self._org_id, machine=self._machine, packed=["facts"])
            self._facts = {(row.path, row.source_id): row.facts for row in rows}
        return self._facts

    async def states(self, source_ids: Iterable[str]) -> list[SourceFile]:
        """The rows with their states of files with these source ids, on whatever machine."""
        ids = sorted(set(source_ids))
        return await self._store.list_source_files(self._org_id, source_ids=ids, packed=["state"]) if ids else []

    def note(self, row: SourceFile) -> None:
        """Keep a row, and have it written."""
        key = (row.path, row.source_id)
        self._keep(row)
        if self._facts is not None:
            self._facts[key] = row.facts
        self._waiting[key] = row
        if self._writing is None or self._writing.done():
            seen(self._writing)  # what it could not write is tried again
            self._writing = asyncio.create_task(self._write(), name="agentstore-ledger")

    async def settle(self) -> None:
        """Returns when all that was noted is stored; raises what the store raised."""
        while self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def drop(self) -> None:
        """What is not stored by now is given up; nothing goes on after this."""
        writing, self._writing = self._writing, None
        await ended(writing)

    async def _write(self) -> None:
        while self._waiting:
            rows, self._waiting = self._waiting, {}
            try:
                await self._store.write_source_files(self._org_id, rows.values())
            except BaseException:
                # With what is noted next: no row may be stored before an earlier one that it relies on.
                self._waiting = rows | self._waiting
                raise

    def _keep(self, row: SourceFile) -> None:
        # The packed parts may be large, and are asked for where they are needed.
        bare = msgspec.structs.replace(row, state=b"", facts=b"")
        self._rows.setdefault(row.path, {})[row.source_id] = bare
