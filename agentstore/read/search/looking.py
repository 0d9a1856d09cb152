"""The look at the tables and their text indexes that a search begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentstore.protocols import Executor
from agentstore.read.cursor import SearchKey
from agentstore.read.search import candidates, parts, planner
from agentstore.read.search.candidates import Target
from agentstore.read.search.parts import Tables
from agentstore.read.together import together


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known now: the size of the tables, and, where their indexes were asked, the organisation's share of them
    and the candidates.

    ``counts`` are the candidates of each table, up to ``planner.COUNTED``; None where no index was asked. ``keys`` are
    those of the first ``planner.OPENED`` of each, in no order and without their moment.
    """

    tables: Tables
    counts: Mapping[str, int] | None = None
    keys: Sequence[SearchKey] = ()


class Looker:
    """Looks through one executor. It remembers that there are indexes: nobody drops them."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._has_indexes = False

    async def look(self, target: Target) -> Looked:
        """The size of the tables, and what the indexes say of the target where that is worth asking."""
        state = await self.executor.fetch(parts.state(ask_for_indexes=not self._has_indexes))
        self._has_indexes = parts.has_indexes(state)
        tables = parts.tables(state)
        if not (self._has_indexes and target.indexed and planner.worth_looking(tables, target.names)):
            return Looked(tables)
        looks = [
            self.executor.fetch(candidates.look(target, one, tables, keys=planner.OPENED, count=planner.COUNTED))
            for one in target.tables
        ]
        answers = await together(*looks) if len(looks) == 2 else [await one for one in looks]
        counts, keys = dict[str, int](), list[SearchKey]()
        for one, ((sessions,), (own,), (found,), *columns) in zip(target.tables, answers, strict=True):
            if one is target.tables[0]:
                tables = tables.share(sessions)
                tables = tables.among(own) if target.filtered else tables
            counts[one.texts.name] = found
            keys += [
                (None, session_id, position, one.texts.kind, tool_use_id, call_index)
                for session_id, position, tool_use_id, call_index in zip(
                    *(column[0] for column in columns), strict=True
                )
            ]
        return Looked(tables, counts, keys)
