"""Whole sessions by their ids: their rows, and what is derived of them, like how many tool calls they have.

Two statements at once, of like size. Rows come packed (``ddl/0011_facts.sql``), because every column that a statement
names costs the server a quarter of a millisecond; calls and links are counted in their narrow copies.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentstore.connection.sql import Sql, sql
from agentstore.models import Session
from agentstore.protocols import Columns, Executor
from agentstore.read.concurrent import gather_both
from agentstore.read.conditions import FILLED, text
from agentstore.read.decoding import times
from agentstore.read.floors import CONTENT, COPIES, MARKS
from agentstore.read.keys import keys_of, known_keys, session_key
from agentstore.read.threads import ONE_THREAD

# The fields of a packed row, in the order of the view that packs them: those of Session without its key and what is
# derived, which comes last among them.
PACKED = Session.__struct_fields__[2:-4]
_TIMES = frozenset(PACKED.index(name) for name in ("started_at", "ended_at"))
_NUMBERS = frozenset(
    PACKED.index(name) for name in ("message_count", "user_message_count", "total_output_tokens", "peak_context_tokens")
)


@dataclass
class _Found:
    """What is known of some sessions, by their keys; ``floors`` by scope, then key."""

    rows: list[tuple[str, int, list[str]]] = field(default_factory=list)
    links: list[tuple[int, int]] = field(default_factory=list)
    calls: dict[int, tuple[int, int]] = field(default_factory=dict)
    floors: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    copied: dict[int, tuple[int, str]] = field(default_factory=dict)


async def sessions_of(executor: Executor, org_id: str, ids: Sequence[str], keys: Sql | None = None) -> list[Session]:
    """Those of the sessions that there are, in the order of ``ids``. ``keys`` are their keys, where they are known."""
    return [Session(*values) for values in await session_values(executor, org_id, ids, keys)]


async def session_values(
    executor: Executor, org_id: str, ids: Sequence[str], keys: Sql | None = None
) -> list[list[Any]]:
    """The same as the values of their fields."""
    keys = keys or keys_of(ids)
    rows, derived = await gather_both(
        lambda: executor.fetch(rows_and_links(org_id, tuple(ids), keys), ONE_THREAD),
        lambda: executor.fetch(floors_and_calls(org_id, tuple(ids), keys), ONE_THREAD),
    )
    found = _sorted_out(rows, derived)
    marks, links = found.floors[MARKS], Counter[int]()
    for key, version in found.links:
        links[key] += version >= marks.get(key, 0)
    calls = await _calls(executor, org_id, found)
    built: dict[str, list[Any]] = {}
    for id, key, fields in found.rows:
        copied, origin = found.copied.get(key, (0, ""))
        built[id] = [id, org_id, *_unpacked(fields), links[key], calls.get(key, 0), copied, origin]
    return [built[id] for id in ids if id in built]


def rows_and_links(org_id: str, ids: tuple[str, ...], keys: Sql) -> Sql:
    """Key, version, id and fields of a session; and of each of its links key and version, and no fields."""
    return sql(
        "SELECT {key} AS session, _version, id, fields FROM session_rows FINAL"
        " WHERE org_id = {org_id} AND id IN {ids} AND {filled} UNION ALL"
        " SELECT session, _version, '', emptyArrayString() FROM git_link_facts FINAL"
        " WHERE org_id = {org_id} AND session IN {keys}",
        key=session_key(sql("id")),
        org_id=text(org_id, "org_id"),
        ids=ids,
        keys=keys,
        filled=FILLED,
    )


def floors_and_calls(org_id: str, ids: tuple[str, ...], keys: Sql) -> Sql:
    """``kind`` (the scope of a floor, or "calls"), key, version, number, and where copies come from.

    The calls of a session are counted here, and come with the oldest version among them: where it is below no floor,
    that is their number. A subquery for the floors would be run before the rest, and a page of a list would wait for
    it.
    """
    return sql(
        "SELECT toString(scope) AS kind, {key} AS session, _version, toUInt64(copied_messages), origin_session_id"
        " FROM session_floors FINAL WHERE scope IN {scopes} AND org_id = {org_id} AND session_id IN {ids} UNION ALL"
        " SELECT 'calls', session, min(_version), count(), '' FROM tool_call_facts FINAL"
        # By the key first: the other columns are read of these sessions' rows alone, and not of all beside them.
        " PREWHERE org_id = {org_id} AND session IN {keys} GROUP BY session",
        key=session_key(sql("session_id")),
        scopes=(CONTENT, MARKS, COPIES),
        org_id=text(org_id, "org_id"),
        ids=ids,
        keys=keys,
    )


def _sorted_out(rows: Columns, derived: Columns) -> _Found:
    found = _Found()
    for key, version, id, fields in zip(*rows, strict=True):
        if fields:
            found.rows.append((id, key, fields))
        else:
            found.links.append((key, version))
    for kind, key, version, number, origin in zip(*derived, strict=True):
        if kind == "calls":
            found.calls[key] = version, number
        elif kind == COPIES:
            found.copied[key] = number, origin
        else:
            found.floors[kind][key] = version
    return found


def _unpacked(fields: Sequence[str]) -> Iterator[Any]:
    for index, value in enumerate(fields):
        if index in _NUMBERS:
            yield int(value)
        elif index in _TIMES:
            yield times([int(value)])[0] if value else None
        else:
            yield value


async def _calls(executor: Executor, org_id: str, found: _Found) -> dict[int, int]:
    """How many calls there are above the floors, by key."""
    floors = found.floors[CONTENT]
    cut = {key: floors[key] for key, (oldest, _) in found.calls.items() if oldest < floors.get(key, 0)}
    calls = {key: count for key, (_, count) in found.calls.items()}
    if cut:
        calls |= dict(zip(*await executor.fetch(_calls_above(org_id, cut), ONE_THREAD), strict=True))
    return calls


def _calls_above(org_id: str, floors: dict[int, int]) -> Sql:
    """Key and number of calls where a floor hides some: what a replace took away, until it is swept."""
    return sql(
        "SELECT session, countIf(_version >= transform(toString(session), {keys}, {floors}, toUInt64(0)))"
        " FROM tool_call_facts FINAL PREWHERE org_id = {org_id} AND session IN {among} GROUP BY session",
        org_id=text(org_id, "org_id"),
        among=known_keys(floors),
        keys=list(map(str, floors)),
        floors=list(floors.values()),
    )
