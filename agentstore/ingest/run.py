"""Passes over the places: look, plan what is to be read of each agent's files, read and store it."""

from __future__ import annotations

import contextlib
import logging
import pathlib
from collections.abc import Iterable, Sequence

from agentstore.errors import AgentStoreError
from agentstore.importers.importer import Importer, Options
from agentstore.ingest.looking import File, Looker
from agentstore.ingest.planning import Plan
from agentstore.ingest.reading import Reading
from agentstore.ingest.reporting import Emit, Report
from agentstore.ingest.setting import Setting
from agentstore.ingest.tally import Tally
from agentstore.protocols import ReadWriteStore

_logger = logging.getLogger("agentstore")


class Ingest:
    """Reads the history below some places into one organisation; it may be run again and again.

    ``options`` say whose it is and how it is read. ``again``: also what is known, and what was deleted.
    """

    def __init__(
        self,
        store: ReadWriteStore,
        org_id: str,
        places: Sequence[pathlib.Path],
        importers: Sequence[Importer],
        options: Options,
        *,
        again: bool = False,
    ) -> None:
        self._setting = Setting(store, org_id, options, again=again)
        self._looker = Looker(places, importers, self._setting.ledger)
        self._importers = importers

    def close(self) -> None:
        """Nothing more is read; what is read at the moment is read to its end."""
        self._setting.close()

    def stop(self) -> None:
        """Let the pass that goes on end soon: what was read is stored, and nothing more is read."""
        self._setting.is_stopping = True

    def move_to(self, places: Sequence[pathlib.Path]) -> None:
        """From the next pass on history is here."""
        self._looker.places = places

    async def run(self, emit: Emit, tally: Tally, only: Iterable[pathlib.Path] | None = None) -> bool:
        """One pass; True if it had something to do. ``AgentStoreError`` where the store cannot be reached: what was
        stored by then stays.

        ``only``: look at these paths, where something has changed since the passes before, and at nothing else.
        """
        ledger = self._setting.ledger
        await ledger.load()
        if only is None:
            self._setting.remembered.clear()
        look = await self._setting.in_thread(self._looker.look, only)
        report = Report(emit, tally, self._setting.remembered, look.looked)
        await report.found(look)
        try:
            had_work = await self._read(look.files, report, tally)
        except AgentStoreError:
            with contextlib.suppress(AgentStoreError):
                await ledger.settle()
            raise
        except BaseException:
            await ledger.drop()
            raise
        await ledger.settle()
        return had_work

    async def _read(self, files: list[File], report: Report, tally: Tally) -> bool:
        by_importer: dict[str, list[File]] = {importer.name: [] for importer in self._importers}
        for file in files:
            by_importer[file.importer.name].append(file)
        had_work = False
        # In the order of the importers: records of other programs come after those of the agents themselves.
        for name, some in by_importer.items():
            if not some or self._setting.is_stopping:
                continue
            try:
                had_work |= await self._read_of(some[0].importer, some, report, tally)
            finally:
                tally.masked(name)
        return had_work

    async def _read_of(self, importer: Importer, files: list[File], report: Report, tally: Tally) -> bool:
        try:
            made = await Plan(self._setting, report, importer, files).made()
        except AgentStoreError:
            raise
        except Exception as error:
            # A fault in an importer must not end the others, nor be silent.
            _logger.exception("files of %s could not be looked at together", importer.name)
            for file in filter(report.is_about, files):
                await report.failed(file, f"{type(error).__name__}: {error}")
            return False
        tally.not_masked()
        if made is None:
            return False
        history, tasks = made
        await Reading(self._setting, report, history).run(tasks)
        return bool(tasks)
