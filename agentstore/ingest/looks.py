"""What is stored of sessions, asked for by many at once and answered together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from agentstore.ingest.ending import ended
from agentstore.models import Session
from agentstore.protocols import ReadStore


class Looks:
    """Looks at sessions. Who asks while a question is under way is answered by the next one, with all others who do."""

    def __init__(self, store: ReadStore, org_id: str) -> None:
        self._store, self._org_id = store, org_id
        self._waiting: dict[str, asyncio.Future[Session | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def session(self, id: str) -> Session | None:
        """The session as it is stored when this is called, or later; None where it is not."""
        answer = self._waiting.get(id)
        if answer is None:
            answer = self._waiting[id] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="agentstore-looks")
        # Shielded: several may wait for it, and one of them may be cancelled.
        return await asyncio.shield(answer)

    async def aclose(self) -> None:
        """Nobody asks any more, and nothing goes on after this."""
        await ended(self._asking)

    async def _ask(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # others may ask in the same turn of the loop
            waiting, self._waiting = self._waiting, {}
            try:
                found = {one.id: one for one in await self._store.get_sessions(self._org_id, list(waiting))}
            except BaseException as error:
                _refuse(waiting.values(), error)
                if not isinstance(error, Exception):
                    raise
                continue
            for id, answer in waiting.items():
                if not answer.done():
                    answer.set_result(found.get(id))


def _refuse(answers: Iterable[asyncio.Future[Session | None]], error: BaseException) -> None:
    for answer in answers:
        if not answer.done():
            if isinstance(error, Exception):
                answer.set_exception(error)
                answer.exception()  # retrieved, also where nobody waits any more
            else:
                answer.cancel()
