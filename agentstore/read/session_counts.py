"""What is derived of sessions, like how many tool calls they have: of a page, never of a whole organisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Executor
from agentstore.read.conditions import text
from agentstore.read.floors import CONTENT, COPIES, MARKS

Counts = dict[str, int]

# So few rows that more threads cost more than they save.
_SETTINGS = {"max_threads": 1}


class Derived(NamedTuple):
    """What is derived, by session; nothing of those that have none. In the order of the fields of ``Session``."""

    links: Counts
    calls: Counts
    copied: Counts
    origins: dict[str, str]


async def derived(executor: Executor, org_id: str, ids: Sequence[str]) -> Derived:
    """Git links, tool calls and copied messages of the sessions, and the sessions these were copied from."""
    floors: dict[str, Counts] = {MARKS: {}, CONTENT: {}}
    links: list[tuple[str, int]] = []
    calls: dict[str, tuple[int, int]] = {}
    copied: Counts = {}
    origins: dict[str, str] = {}
    rows = await executor.fetch(counted(org_id, tuple(ids)), _SETTINGS)
    for kind, id, version, count, origin in zip(*rows, strict=True):
        if kind == "link":
            links.append((id, version))
        elif kind == "calls":
            calls[id] = version, count
        elif kind == COPIES:
            copied[id], origins[id] = count, origin
        else:
            floors[kind][id] = version
    counts = {id: count for id, (_, count) in calls.items()}
    cut = {id: floor for id, floor in floors[CONTENT].items() if id in calls and calls[id][0] < floor}
    if cut:
        counts |= dict(zip(*await executor.fetch(_calls_above(org_id, cut), _SETTINGS), strict=True))
    seen = Counter(id for id, version in links if version >= floors[MARKS].get(id, 0))
    return Derived(seen, counts, copied, origins)


def counted(org_id: str, session_ids: tuple[str, ...]) -> Sql:
    """``kind`` ("link", "calls", or the scope of a floor), id, version, number, and where copies come from.

    The calls of a session are counted here, and come with the oldest version among them: where it is below no floor,
    that is their number. All at once: a subquery for the floors would be run before the rest, and a page of a list
    would wait for it.
    """
    return sql(
        "SELECT 'link', session_id, _version, toUInt64(1), '' FROM git_links FINAL WHERE {these} UNION ALL"
        " SELECT toString(scope), session_id, _version, toUInt64(copied_messages), origin_session_id"
        " FROM session_floors FINAL WHERE scope IN {scopes} AND {these} UNION ALL"
        " SELECT 'calls', session_id, min(_version), count(), '' FROM tool_calls FINAL WHERE {these}"
        " GROUP BY session_id",
        these=_these(org_id, session_ids),
        scopes=(CONTENT, MARKS, COPIES),
    )


def _calls_above(org_id: str, floors: Counts) -> Sql:
    """Session and number of calls where a floor hides some: what a replace took away, until it is swept."""
    return sql(
        "SELECT session_id, countIf(_version >= transform(session_id, {ids}, {floors}, toUInt64(0)))"
        " FROM tool_calls FINAL WHERE {these} GROUP BY session_id",
        these=_these(org_id, tuple(floors)),
        ids=list(floors),
        floors=list(floors.values()),
    )


def _these(org_id: str, ids: tuple[str, ...]) -> Sql:
    return sql("org_id = {org_id} AND session_id IN {ids}", org_id=text(org_id, "org_id"), ids=ids)
