"""The store that the tools ask: opened when it is first needed, never made, and found again when it was away."""

from __future__ import annotations

import asyncio
import os
import pathlib
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from agentstore.errors import AgentStoreError, NotFoundError, SchemaError
from agentstore.settings import resolve_target

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore

SECONDS = 30.0


class Holder:
    """Whose history it is: a store, an organisation, and the repository that is meant where none is named."""

    def __init__(self, target: str, org: str, here: str, *, zone: ZoneInfo | None = None) -> None:
        self._target = target
        self._local = resolve_target(target, {}).local_path
        self.org = org
        self.here = here
        self.zone = zone or ZoneInfo("UTC")
        self._store: AsyncClickHouseStore | None = None
        self._opening = asyncio.Lock()
        self._project_id: str | None = None

    async def store(self) -> AsyncClickHouseStore:
        """The open store. Where it is not there it is not made: ``NotFoundError``.

        Looked for each time: what is open would make a local store anew that was taken away.
        """
        if self._local and not _is_there(self._local):
            await self.aclose()
            raise NotFoundError("there is no history here", hint="the user imports it with: agentstore import")
        if self._store is None:
            async with self._opening:
                if self._store is None:
                    self._store = await self._opened()
        return self._store

    async def aclose(self) -> None:
        """Close what is open."""
        store, self._store = self._store, None
        if store is not None:
            await store.aclose()

    async def project_id(self, store: AsyncClickHouseStore) -> str:
        """The project of the repository here. Remembered once the store knows it: it may be imported meanwhile."""
        from agentstore.faces.repositories import project_known_at

        if self._project_id is None:
            found, is_known = await project_known_at(store, self.org, self.here)
            if not is_known:
                return found
            self._project_id = found
        return self._project_id

    async def _opened(self) -> AsyncClickHouseStore:
        from agentstore import AsyncClickHouseStore  # here: it takes a while to load, and starting should not

        store = AsyncClickHouseStore(self._target)
        try:
            await store.open(create=False)
        except BaseException:
            await store.aclose()
            raise
        return store


def told(error: AgentStoreError) -> str:
    """An error as an agent should read it: what is the matter, and what its user can do."""
    if isinstance(error, SchemaError):
        return f"{error.message} (the user runs: agentstore import, or agentstore schema upgrade)"
    again = " Try again later." if error.retriable else ""
    return f"{error}.{again}" if again else str(error)


def _is_there(path: str) -> bool:
    full = pathlib.Path(path).expanduser()
    return full.is_dir() and bool(os.listdir(full))
