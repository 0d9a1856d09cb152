"""Whole sessions by their ids: their rows, and what is derived of them, like how many tool calls they have.

Two statements at once. Rows come packed (``ddl/0011_facts.sql``), because every column that a statement names costs the
server a quarter of a millisecond; calls and links are counted in their narrow copies.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from agentstore.connection.sql import Sql, sql
from agentstore.models import Session
from agentstore.protocols import Columns, Executor
from agentstore.read.concurrent import gather_both
from agentstore.read.conditions import text
from agentstore.read.decoding import times
from agentstore.read.floors import CONTENT, COPIES, MARKS
from agentstore.read.keys import session_key

# The fields of a packed row, in the order of the view that packs them: those of Session without its key and what is
# derived, which comes last among them.
PACKED = Session.__struct_fields__[2:-4]
_TIMES = frozenset(PACKED.index(name) for name in ("started_at", "ended_at"))
_NUMBERS = frozenset(
    PACKED.index(name) for name in ("message_count", "user_message_count", "total_output_tokens", "peak_context_tokens")
)


async def sessions_of(executor: Executor, org_id: str, ids: Sequence[str], keys: Sql | None = None) -> list[Session]:
    """Those of the sessions that there are, in the order of ``ids``. ``keys`` are their keys, where they are known."""
    keys = keys or keys_of(ids)
    rows, counts = await gather_both(
        lambda: executor.fetch(rows_and_floors(org_id, tuple(ids))),
        lambda: executor.fetch(links_and_calls(org_id, keys)),
    )
    if not rows:
        return []
    floors, packed = _apart(rows)
    links, calls = await _counted(executor, org_id, counts, floors)
    built = {}
    for id, key, values in packed:
        _, copied, origin = floors[COPIES].get(key, (0, 0, ""))
        built[id] = Session(id, org_id, *values, links.get(key, 0), calls.get(key, 0), copied, origin)
    return [built[id] for id in ids if id in built]


def rows_and_floors(org_id: str, ids: tuple[str, ...]) -> Sql:
    """Scope ("" for a row), id, key, packed row, version of a floor, copied messages and where they come from.

    Floors last: they are to be newer than what is counted beside them, never older.
    """
    return sql(
        "SELECT '' AS scope, id, {row_key} AS session, fields, toUInt64(0) AS floor, toUInt64(0) AS copied,"
        " '' AS origin FROM session_rows FINAL WHERE org_id = {org_id} AND id IN {ids} UNION ALL"
        " SELECT toString(scope), session_id, {floor_key}, emptyArrayString(), _version, toUInt64(copied_messages),"
        " origin_session_id FROM session_floors FINAL"
        " WHERE scope IN {scopes} AND org_id = {org_id} AND session_id IN {ids}",
        row_key=session_key(sql("id")),
        floor_key=session_key(sql("session_id")),
        org_id=text(org_id, "org_id"),
        ids=ids,
        scopes=(CONTENT, MARKS, COPIES),
    )


def links_and_calls(org_id: str, keys: Sql) -> Sql:
    """``kind``, key, version and number, of each link and of all calls of a session.

    Calls come with the oldest version among them: where it is below no floor, that is their number. A subquery for the
    floors would be run before the rest, and a page of a list would wait for it.
    """
    return sql(
        "SELECT 'calls' AS kind, session, min(_version) AS version, count() AS number FROM tool_call_facts FINAL"
        " WHERE {these} GROUP BY session UNION ALL"
        " SELECT 'link', session, _version, toUInt64(1) FROM git_link_facts FINAL WHERE {these}",
        these=sql("org_id = {org_id} AND session IN {keys}", org_id=text(org_id, "org_id"), keys=keys),
    )


def keys_of(ids: Sequence[str]) -> Sql:
    """The keys of sessions, as what follows IN."""
    if len(ids) == 1:
        return sql("({key})", key=session_key(sql("{id}", id=ids[0])))
    # One by one they would be computed while the statement is analysed, a tenth of a millisecond each.
    return sql("(SELECT {key})", key=session_key(sql("arrayJoin({ids})", ids=list(ids))))


def known_keys(keys: Iterable[int]) -> Sql:
    """The same where they are known. As text: the server reads a number of that size as a float."""
    return sql("{keys}", keys=tuple(map(str, keys)))


_Floors = dict[str, dict[int, tuple[int, int, str]]]


def _apart(columns: Columns) -> tuple[_Floors, list[tuple[str, int, list[object]]]]:
    """Floors by scope and session: their version, copied messages and origin. And id, key and fields of the rows."""
    floors: _Floors = defaultdict(dict)
    rows = []
    for scope, id, key, fields, *floor in zip(*columns, strict=True):
        if scope:
            floors[scope][key] = tuple(floor)
        else:
            rows.append((id, key, _unpacked(fields)))
    return floors, rows


def _unpacked(fields: Sequence[str]) -> list[object]:
    values: list[object] = list(fields)
    for index in _NUMBERS:
        values[index] = int(fields[index])
    for index in _TIMES:
        [values[index]] = times([int(fields[index]) if fields[index] else None])
    return values


async def _counted(
    executor: Executor, org_id: str, columns: Columns, floors: _Floors
) -> tuple[dict[int, int], dict[int, int]]:
    """The links and the calls that are above the floors, by key."""
    links: Counter[int] = Counter()
    calls, cut = dict[int, int](), dict[int, int]()
    for kind, key, version, number in zip(*columns, strict=True):
        floor = floors[CONTENT if kind == "calls" else MARKS].get(key, (0, 0, ""))[0]
        if kind == "link":
            links[key] += version >= floor
        elif version < floor:
            cut[key] = floor
        else:
            calls[key] = number
    if cut:
        calls |= dict(zip(*await executor.fetch(_calls_above(org_id, cut)), strict=True))
    return links, calls


def _calls_above(org_id: str, floors: dict[int, int]) -> Sql:
    """Key and number of calls where a floor hides some: what a replace took away, until it is swept."""
    return sql(
        "SELECT session, countIf(_version >= transform(toString(session), {keys}, {floors}, toUInt64(0)))"
        " FROM tool_call_facts FINAL WHERE org_id = {org_id} AND session IN {among} GROUP BY session",
        org_id=text(org_id, "org_id"),
        among=known_keys(floors),
        keys=list(map(str, floors)),
        floors=list(floors.values()),
    )
