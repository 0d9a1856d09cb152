"""Families: sessions that hold the same messages. After each write it is decided anew what counts in which of them.

What a caller may rely on: when a write has returned, its messages are counted once, in one session of all that hold
them, as far as those were stored by then and their writers had come to note it. Of two stores that write members of
one family at the same time, the one that looks last sees both: each looks after its own rows are committed. Of two
decisions the one with the higher version holds, so this is as exact as the stores' clocks agree.

Cancelling a caller ends nothing: what was added is decided, and what fails then is logged.

One round at a time, for all writes that wait for one. A session that shares nothing, and has nothing to do with
subagents, costs it one small statement. Nothing is remembered from round to round: another store may have changed it.
What a writer stored that was killed before it could decide is found by a store that lives long (``sweep``), if its
source ids were stored, too: they are sent beside the messages, not before them.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import anyio

from agentstore.connection.sql import Sql
from agentstore.errors import AgentStoreError, StoreClosedError, WriteError
from agentstore.protocols import Executor
from agentstore.read.floors import COPIES, SUBAGENTS
from agentstore.write import families_sql, relatives_sql
from agentstore.write.looptime import loop_time
from agentstore.write.owners import DEEPEST, Member, chains, in_order, numbered, unknown_parents
from agentstore.write.retry import retried
from agentstore.write.touched import MOST_SOURCES, Touched
from agentstore.write.versions import Versions

logger = logging.getLogger("agentstore.write")

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(slots=True, eq=False)
class _Round:
    """What the writes of one organisation touched that wait for one decision, and its future."""

    touched: Touched
    decided: asyncio.Future[None]

    def end(self, error: AgentStoreError | None) -> None:
        if self.decided.done():
            return
        if error is None:
            self.decided.set_result(None)
        else:
            self.decided.set_exception(error)


class Families:
    """Decides for one store, in rounds. ``executor`` carries out the statements."""

    def __init__(self, executor: Executor, versions: Versions, *, deadline_seconds: float) -> None:
        self._executor = executor
        self._versions = versions
        self._seconds = deadline_seconds
        self._waiting: dict[str, _Round] = {}
        self._current: _Round | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, touched: Touched) -> asyncio.Future[None] | None:
        """Have it decided what counts, now that the rows are committed: the future of that, None where nothing is.

        It ends with an error where it is not known to be decided: see ``undecided``. Nobody has to await it.
        """
        if not touched.ids:
            return None
        waiting = self._waiting.get(touched.org_id)
        if waiting is not None:
            # One decision for all: it sees rows that are committed before it asks.
            waiting.touched.merge(touched)
            return waiting.decided
        decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        decided.add_done_callback(_retrieved)
        waiting = _Round(Touched(touched.org_id), decided)
        waiting.touched.merge(touched)
        if self._closed:
            # Not None: the caller must not be told that all is well.
            waiting.end(_store_closed())
            return decided
        self._waiting[touched.org_id] = waiting
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="agentstore-families")
            # Also where the task is cancelled before its first step.
            self._task.add_done_callback(self._abandon)
        return decided

    def doubt(self, org_id: str, session_ids: set[str]) -> asyncio.Future[None] | None:
        """Have it decided what these sessions own, of which it is not known whether it was."""
        return self.add(Touched(org_id, doubted=session_ids))

    async def drained(self) -> None:
        """Returns when all is decided that was added before."""
        rounds = [*self._waiting.values(), *([self._current] if self._current else ())]
        if rounds:
            await asyncio.wait([one.decided for one in rounds])

    async def aclose(self, deadline: float) -> None:
        """Let what was added be decided until the ``deadline`` (loop time); what is not fails."""
        try:
            if self._task is not None and not self._task.done():
                await asyncio.wait([self._task], timeout=max(0.0, deadline - loop_time()))
        finally:
            self._closed = True
            if self._task is not None:
                self._task.cancel()
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([self._task])

    # --- the rounds ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while self._waiting:
            self._current = self._waiting.pop(next(iter(self._waiting)))
            self._current.end(await self._error_of(self._current.touched))
            self._current = None

    def _abandon(self, task: asyncio.Task[None]) -> None:
        """The task has ended: nobody may wait for ever, neither for its round nor for the next ones."""
        if task is not self._task:
            return  # it had nothing left to do, and what came since has another task
        for one in (self._current, *self._waiting.values()):
            if one is not None:
                one.end(_store_closed())
        self._current = None
        self._waiting.clear()

    async def _error_of(self, touched: Touched) -> AgentStoreError | None:
        """Have it decided; what is to be told to those who wait."""
        try:
            await self._decide_in_time(touched)
        except AgentStoreError as error:
            return error
        except Exception as error:
            # A mistake of ours must not leave callers waiting for ever.
            logger.exception("agentstore: a look at families failed unexpectedly")
            return AgentStoreError(f"unexpected {type(error).__name__}")
        return None

    async def _decide_in_time(self, touched: Touched) -> None:
        async def attempt() -> None:
            await self._decide(touched)

        await retried(attempt, deadline=loop_time() + self._seconds, rng=random.Random())

    async def _decide(self, touched: Touched) -> None:
        org_id = touched.org_id
        if not touched.parents and not touched.doubted and not await self._is_concerned(touched):
            return
        shared, known, subagents, parents = await self._look(touched)
        new = touched.parents.keys() - subagents
        # Marked before anything else: who writes one of them later finds the mark, and who wrote it before is seen. A
        # subagent that is known may have another parent now.
        if concerned := {*new, *touched.parents.values()} - {""}:
            await self._mark(org_id, await self._unmarked(org_id, concerned))
        if new:
            await self._executor.execute(families_sql.note_subagents(org_id, new, self._versions.draw()[0]))
        # Drawn before anything is read of what is written down: whoever commits later decides later, at a higher
        # version.
        version, _ = self._versions.draw()
        changed = touched.heads
        # Subagents of what has changed: whether they count, and for whom, may have changed with it.
        below = await self._below(org_id, changed & parents)
        affected = await self._affected(touched, shared, known, below)
        if unknown := affected - known.keys() | affected & touched.doubted:
            # A family, or one more in it, which may be one that nobody has written for long.
            await self._mark(org_id, await self._unmarked(org_id, unknown))
        repeated = new | ((changed | touched.doubted) & subagents) | below
        if gone := touched.removed & subagents:
            await self._executor.execute(families_sql.forget_subagents(org_id, gone, version))
            repeated -= gone
        if affected or repeated:
            await self._write_down(org_id, affected, repeated, version)

    async def _write_down(self, org_id: str, affected: set[str], repeated: set[str], version: int) -> None:
        """What each of the ``affected`` sessions owns, and what totals need of the subagents that are ``repeated``."""
        families = numbered([*([id] for id in affected), *(await self._groups(org_id, affected))])
        members = await self._members(org_id, {*families, *repeated})
        roots = chains({id: one.parent for id, one in members.items() if one.is_subagent})
        roots = {id: root for id, root in roots.items() if id in affected or id in repeated}
        if repeated:
            await self._executor.execute(families_sql.repeat_subagents(org_id, repeated, roots, version))
        if affected:
            ranked, listed, counted = in_order(families, members)
            order = families_sql.Order(ranked, [families[id] for id in ranked], listed, counted)
            await self._executor.execute(families_sql.decide(org_id, affected, order, roots, version))

    async def _affected(self, touched: Touched, shared: set[str], known: dict[str, int], below: set[str]) -> set[str]:
        """The sessions for which it is to be decided anew what they own."""
        org_id = touched.org_id
        # Also where none of the rows is shared: prompts are known by more than their ids, and totals have changed.
        first = touched.first
        rewritten = known.keys() & first.keys()
        again = rewritten | known.keys() & (touched.written | touched.altered | touched.hidden) | touched.doubted
        if below:
            again |= await self._ids(relatives_sql.in_families(org_id, below))
        if again:
            again = again.union(*await self._groups(org_id, again))
        # What they held and hold no more may be another's now.
        replaced = {id for id in rewritten if first[id] < known[id]}
        if less := known.keys() & (touched.removed | touched.emptied) | replaced:
            again |= less | await self._ids(relatives_sql.relatives(org_id, less))
        return shared | again

    async def _is_concerned(self, touched: Touched) -> bool:
        """Whether a session shares a message that was just written, or has a family, or has to do with subagents."""
        org_id, ids = touched.org_id, touched.ids
        if max(len(touched.sources), len(ids)) <= MOST_SOURCES:
            query = relatives_sql.hint(org_id, ids, touched.sources)
        else:
            others = ids - touched.lowest.keys() - touched.written
            query = relatives_sql.hint_by_versions(org_id, touched.versions, others)
        columns = await self._executor.fetch(query)
        return bool(columns and columns[0])

    async def _unmarked(self, org_id: str, ids: set[str]) -> set[str]:
        return ids - await self._ids(relatives_sql.marked(org_id, ids))

    async def _mark(self, org_id: str, ids: set[str]) -> None:
        if not ids:
            return
        await self._executor.execute(relatives_sql.mark(org_id, ids))

    async def _below(self, org_id: str, ids: set[str]) -> set[str]:
        """All subagents below these sessions."""
        found, latest = set[str](), ids
        while latest:
            latest = await self._ids(relatives_sql.children(org_id, latest)) - found
            found |= latest
        return found

    async def _look(self, touched: Touched) -> tuple[set[str], dict[str, int], set[str], set[str]]:
        """Sessions that share messages just written; those of the touched ones that have a family already, with the
        ordinal from which on they shared nothing; those that are known to be subagents; those that are known to have
        some."""
        columns = await self._executor.fetch(
            relatives_sql.look(touched.org_id, touched.lowest.keys(), touched.versions, touched.ids, touched.heads)
        )
        found: dict[str, dict[str, int]] = {"shared": {}, COPIES: {}, SUBAGENTS: {}, "parents": {}}
        for kind, id, shared_until in zip(*columns, strict=True):
            found[kind][id] = shared_until
        return set(found["shared"]), found[COPIES], set(found[SUBAGENTS]), set(found["parents"])

    async def _members(self, org_id: str, family: set[str]) -> dict[str, Member]:
        found: dict[str, Member] = {}
        wanted = set(family)
        # Parents of subagents: whether these count depends on them.
        for _ in range(DEEPEST):
            columns = await self._executor.fetch(relatives_sql.members(org_id, wanted))
            for id, parent, is_browsable, is_subagent, is_hidden, start in zip(*columns, strict=True):
                found[id] = Member(id, parent, bool(is_browsable), bool(is_subagent), bool(is_hidden), _time(start))
            wanted = unknown_parents(found) - wanted
            if not wanted:
                break
        return found

    async def _groups(self, org_id: str, ids: set[str]) -> list[list[str]]:
        if not ids:
            return []
        columns = await self._executor.fetch(relatives_sql.neighbours(org_id, ids))
        return list(columns[0]) if columns else []

    async def _ids(self, query: Sql) -> set[str]:
        columns = await self._executor.fetch(query)
        return set(columns[0]) if columns else set()


def _time(microseconds: int | None) -> dt.datetime | None:
    return None if microseconds is None else _EPOCH + dt.timedelta(microseconds=microseconds)


def _store_closed() -> StoreClosedError:
    return StoreClosedError("the store was closed")


def undecided(touched: Touched, reason: BaseException) -> WriteError:
    """What a caller is told whose rows are stored, by one of each session."""
    message = reason.message if isinstance(reason, AgentStoreError) else type(reason).__name__
    by_table: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for table, key in touched.named.values():
        by_table[table].append(key)
    errors = [
        WriteError(
            f"rows of {len(keys)} sessions are stored, but what others hold of them may be counted twice: {message}",
            table=table,
            keys=keys,
            retriable=True,
            hint="write them again",
        )
        for table, keys in by_table.items()
    ]
    error = WriteError.joined(errors)
    error.__cause__ = reason
    return error


def _retrieved(future: asyncio.Future[None]) -> None:
    # A round that nobody waits for any more must not be reported as "never retrieved".
    if not future.cancelled():
        future.exception()
