"""The look at the tables and their text indexes that a search begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentstore.connection.sql import join
from agentstore.protocols import Executor
from agentstore.read.cursor import SearchKey
from agentstore.read.search import candidates, parts, planner
from agentstore.read.search.candidates import Target
from agentstore.read.search.parts import Tables
from agentstore.read.search.scanning import LOOK
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

    async def look(self, target: Target, *, at_once: bool = False) -> Looked:
        """The size of the tables, and what the indexes say of the target where that is worth asking.

        ``at_once``: in one statement; else one for each table, side by side, which is the faster.
        """
        state = await self.executor.fetch(parts.state(ask_for_indexes=not self._has_indexes))
        self._has_indexes = parts.has_indexes(state)
        tables = parts.tables(state)
        if not (self._has_indexes and target.indexed and planner.worth_looking(tables, target.names)):
            return Looked(tables)
        counts, keys = dict[str, int](), list[SearchKey]()
        for number, sessions, own, found, *columns in await self._answers(target, tables, at_once=at_once):
            if not number:
                tables = tables.share(sessions)
                tables = tables.among(own) if target.filtered else tables
            texts = target.tables[number].texts
            counts[texts.name] = found
            keys += [
                (None, session_id, position, texts.kind, tool_use_id, call_index)
                for session_id, position, tool_use_id, call_index in zip(*columns, strict=True)
            ]
        return Looked(tables, counts, keys)

    async def _answers(self, target: Target, tables: Tables, *, at_once: bool) -> list[tuple[Any, ...]]:
        looks = [
            candidates.look(target, one, tables, keys=planner.OPENED, count=planner.COUNTED) for one in target.tables
        ]
        if at_once or len(looks) == 1:
            return list(zip(*await self.executor.fetch(join(" UNION ALL ", looks), LOOK), strict=True))
        both = await together(*(self.executor.fetch(look, LOOK) for look in looks))
        return [row for columns in both for row in zip(*columns, strict=True)]
