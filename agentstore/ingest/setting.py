"""What all parts of an ingest work with: the store, whose history it is, what is known of the files, and the thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from agentstore.importers.importer import Options
from agentstore.ingest.deciding import Owner
from agentstore.ingest.ledger import Ledger
from agentstore.ingest.remembered import Remembered
from agentstore.protocols import ReadWriteStore

T = TypeVar("T")


class Setting:
    """Of one organisation. ``again``: everything is read once more, also what was deleted. ``is_stopping``: what was
    read is stored, and nothing more is read."""

    def __init__(self, store: ReadWriteStore, org_id: str, options: Options, *, again: bool) -> None:
        self.store, self.org_id, self.options = store, org_id, options
        self.owner = Owner(options.user_id, options.user_name, options.machine)
        self.ledger = Ledger(store, org_id, options.machine)
        self.remembered = Remembered()
        self.again, self.is_stopping = again, False
        # One thread: importers and masks are not made for several, and the interpreter would not run them at once.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="agentstore-ingest")

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call what reads or parses, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *arguments))

    def close(self) -> None:
        """Let the thread end; what it does at the moment it finishes."""
        self._thread.shutdown(wait=False, cancel_futures=True)
