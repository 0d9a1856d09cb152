"""How many git links and tool calls sessions have: those of a page, never of a whole organisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Executor
from agentstore.read.conditions import text
from agentstore.read.floors import CONTENT, MARKS
from agentstore.write.rows import PURGED

Counts = dict[str, int]

# So few rows that more threads cost more than they save.
_SETTINGS = {"max_threads": 1}


async def link_and_call_counts(executor: Executor, org_id: str, ids: Sequence[str]) -> tuple[Counts, Counts]:
    """The number of git links, and of tool calls, by session; none where there are none."""
    floors: dict[str, Counts] = {MARKS: {}, CONTENT: {}}
    links: list[tuple[str, int]] = []
    calls: dict[str, tuple[int, int]] = {}
    rows = await executor.fetch(counted(org_id, tuple(ids)), _SETTINGS)
    for kind, id, version, count in zip(*rows, strict=True):
        if kind == "link":
            links.append((id, version))
        elif kind == "calls":
            calls[id] = version, count
        else:
            floors[kind][id] = version
    counts = {id: count for id, (_, count) in calls.items()}
    cut = {id: floor for id, floor in floors[CONTENT].items() if id in calls and calls[id][0] < floor}
    if cut:
        counts |= dict(zip(*await executor.fetch(_calls_above(org_id, cut), _SETTINGS), strict=True))
    return Counter(id for id, version in links if version >= floors[MARKS].get(id, 0)), counts


def counted(org_id: str, session_ids: tuple[str, ...]) -> Sql:
    """What is counted, with the floors: ``kind`` ("link", "calls", or the scope of a floor), id, version, number.

    The calls of a session are counted here, and come with the oldest version among them: where it is below no floor,
    that is their number. All at once: a subquery for the floors would be run before the rest, and a page of a list
    would wait for it.
    """
    return sql(
        "SELECT 'link', session_id, _version, 1 FROM git_links FINAL WHERE {these} UNION ALL"
        " SELECT toString(scope), session_id, _version, 1 FROM session_floors FINAL"
        " WHERE scope != {purged} AND {these} UNION ALL"
        " SELECT 'calls', session_id, min(_version), count() FROM tool_calls FINAL WHERE {these} GROUP BY session_id",
        these=_these(org_id, session_ids),
        purged=PURGED,
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
