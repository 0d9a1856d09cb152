"""The look at the text indexes that a search begins with."""

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
    """The number of candidates of each table, up to ``planner.COUNTED``, and the keys of the first ``planner.OPENED``
    of each, in no order and without their moment.
    """

    tables: Tables
    counts: Mapping[str, int]
    keys: Sequence[SearchKey]


async def look(executor: Executor, target: Target) -> Looked | None:
    """What the indexes say; None where they say nothing, or so many parts have none yet that it is not worth asking."""
    if not target.indexed:
        return None
    tables = parts.tables(await executor.fetch(parts.state()))
    if not planner.worth_looking(tables, target.names):
        return None
    looks = [
        executor.fetch(candidates.look(target, one, tables, keys=planner.OPENED, count=planner.COUNTED))
        for one in target.tables
    ]
    answers = await together(*looks) if len(looks) == 2 else [await one for one in looks]
    counts, keys = dict[str, int](), list[SearchKey]()
    for one, ((found,), *columns) in zip(target.tables, answers, strict=True):
        counts[one.texts.name] = found
        keys += [
            (None, session_id, position, one.texts.kind, tool_use_id, call_index)
            for session_id, position, tool_use_id, call_index in zip(*(column[0] for column in columns), strict=True)
        ]
    return Looked(tables, counts, keys)
