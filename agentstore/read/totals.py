"""Which sessions statistics count, and what they have beside the sessions themselves: subagents, less copies. Pure.

What a subagent spends counts on its own day, for user, project and agent of its root session. All that is asked for
here is repeated in ``session_floors`` when sessions are written (``write/families.py``): a statistic sums up the
sessions, and corrects that by these few rows. A deletion mark on a subagent hides it alone, one on its root all of it.

Statistics read the narrow copies (ddl/0011).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentstore.connection.sql import Sql, join, sql
from agentstore.filters import AnalyticsFilter
from agentstore.read.conditions import FILLED, named, text
from agentstore.read.dates import date_conditions, zone
from agentstore.read.floors import CONTENT, COPIES, SUBAGENTS
from agentstore.read.keys import SESSION_KEY, session_key

# For statements over ``spent_rows``: of a whole organisation's sessions the server would sort the keys to look which
# granules have none of them, while it plans, and there is hardly one.
OF_MANY_SESSIONS = {"use_index_for_in_with_subqueries_max_values": 10_000}
_ALL = sql("")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSessions(AnalyticsFilter):
    """Only these sessions: with what their subagents spend, or each for itself (``own``), and then subagents, too."""

    ids: tuple[str, ...]
    own: bool = False


def counted_sessions(org_id: str, filter: AnalyticsFilter, *more: Sql) -> Sql:
    """The condition over ``session_facts FINAL`` on the browsable sessions that are counted."""
    zone(filter.tz)
    shown = sql(
        "org_id = {org_id} AND browsable AND {filled}"
        " AND session NOT IN (SELECT {key} FROM session_deletes FINAL WHERE org_id = {org_id})",
        org_id=text(org_id, "org_id"),
        key=SESSION_KEY,
        filled=FILLED,
    )
    dates = date_conditions(filter.date_from, filter.date_to, filter.tz)
    return join(" AND ", [shown, *_among(filter), *named(_equal(filter)), *dates, *more])


def spending_sessions(org_id: str, filter: AnalyticsFilter) -> Sql:
    """The key, ``session``, of all sessions whose tokens and tools are counted: browsable ones, and subagents."""
    return sql(
        "SELECT session FROM session_facts FINAL WHERE {sessions} UNION ALL"
        " SELECT {key} AS session FROM session_floors FINAL WHERE scope = {scope} AND {counted}",
        sessions=counted_sessions(org_id, filter),
        key=SESSION_KEY,
        scope=SUBAGENTS,
        counted=_counted(org_id, filter),
    )


def spent_rows(org_id: str, filter: AnalyticsFilter, copy: Sql, ordinal: Sql) -> Sql:
    """The rows of a narrow copy that count, of sessions and subagents, each once; ``ordinal`` is that of the message.

    All their columns, and ``root``: what tells apart the sessions that they count for, of a subagent its root. That is
    half a key: in it two of a million sessions are one by a chance of three in a hundred million.
    """
    among = sql(" AND session IN ({sessions})", sessions=spending_sessions(org_id, filter))
    return owned_rows(org_id, copy, ordinal, among)


def owned_rows(org_id: str, copy: Sql, ordinal: Sql, among: Sql = _ALL) -> Sql:
    """The same of all sessions, or of those of a condition."""
    # One scan, and all floors in one subquery: a table that is named once more costs as much as 30,000 rows.
    return sql(
        "WITH {floors} AS floors"
        " SELECT *, transform(toUInt64(session), floors.5, floors.6, toUInt64(session)) AS root"
        " FROM {copy} FINAL WHERE org_id = {org_id}{among}"
        " AND _version >= transform(session, floors.1, floors.2, toUInt64(0))"
        " AND {ordinal} >= transform(session, floors.3, floors.4, toUInt32(0))"
        # Most copies are the beginning of a session; the others are few.
        " AND (session, {ordinal}) NOT IN (SELECT {key}, arrayJoin(copied_ordinals) FROM session_floors FINAL"
        " WHERE scope = {copies} AND org_id = {org_id} AND notEmpty(copied_ordinals))",
        floors=_floors(org_id),
        copy=copy,
        org_id=text(org_id, "org_id"),
        among=among,
        ordinal=ordinal,
        key=SESSION_KEY,
        copies=COPIES,
    )


def _floors(org_id: str) -> Sql:
    """Three pairs of arrays: keys and floors; keys of copies and where their own rows begin; subagents and roots."""
    return sql(
        "(SELECT (groupArrayIf({key}, scope = {content}), groupArrayIf(_version, scope = {content}),"
        " groupArrayIf({key}, scope = {copies} AND own_from > 0),"
        " groupArrayIf(own_from, scope = {copies} AND own_from > 0),"
        " groupArrayIf(toUInt64({key}), scope = {subagents} AND origin_session_id != ''),"
        " groupArrayIf(toUInt64({root}), scope = {subagents} AND origin_session_id != ''))"
        " FROM session_floors FINAL WHERE org_id = {org_id} AND scope IN ({content}, {copies}, {subagents}))",
        key=SESSION_KEY,
        root=session_key(sql("origin_session_id")),
        content=CONTENT,
        copies=COPIES,
        subagents=SUBAGENTS,
        org_id=text(org_id, "org_id"),
    )


def payers(org_id: str, filter: AnalyticsFilter, *more: Sql) -> Sql:
    """The same sessions, with who pays for them: ``session``, the key; ``root``, an id; ``title``, ``user_id``,
    ``user_name``, ``project_name``, ``agent_type`` and ``started_at``; ``itself``, 1 where it pays itself.

    What a subagent spends is its root's, on its own day. It has no title.
    """
    columns = sql("user_id, user_name, project_name, toString(agent_type) AS agent_type, started_at")
    return sql(
        "SELECT session, id AS root, display_name AS title, 1 AS itself, {columns} FROM session_facts FINAL"
        " WHERE {sessions} UNION ALL SELECT {key}, {root}, '', 0, {columns} FROM session_floors FINAL"
        " WHERE scope = {scope} AND {counted}",
        key=SESSION_KEY,
        root=_payer(filter),
        columns=columns,
        sessions=counted_sessions(org_id, filter, *more),
        scope=SUBAGENTS,
        counted=join(" AND ", [_counted(org_id, filter), *more, _still_subagents(org_id)]),
    )


def corrections(org_id: str, filter: AnalyticsFilter, by: Sql, *more: Sql) -> Sql:
    """By these columns, what corrects the totals of the sessions: tokens to add; messages, links and tokens to take
    away."""
    return sql(
        "SELECT {by}, sumIf(total_output_tokens, scope = {subagents}), sumIf(copied_messages, is_root),"
        " sumIf(length(copied_links), is_root), sum(copied_output_tokens) FROM session_floors FINAL"
        " WHERE scope IN ({copies}, {subagents}) AND {counted} GROUP BY {by}",
        by=by,
        subagents=SUBAGENTS,
        copies=COPIES,
        counted=join(" AND ", [_counted(org_id, filter), *more]),
    )


def corrected(totals: tuple[int, int, int], amounts: Sequence[int]) -> tuple[int, int, int]:
    """Messages, tokens and links, corrected by a row of ``corrections``.

    Totals of sessions are the writer's word: where they say less than is to be taken away, nothing is left.
    """
    messages, tokens, links = totals
    more_tokens, less_messages, less_links, less_tokens = amounts
    return max(0, messages - less_messages), max(0, tokens + more_tokens - less_tokens), max(0, links - less_links)


def _still_subagents(org_id: str) -> Sql:
    """The condition on subagents, for who pays, that they are no sessions of their own meanwhile.

    Between the commit of such a row and the decision about it, or for as long as nobody decides, a session is known as
    both, and would pay twice: it pays as what its row says. ``corrections`` do without, for it costs them as much as
    all of the rest: there its tokens count twice until it is decided (``write/sweep.py``).
    """
    return sql(
        "{key} NOT IN (SELECT session FROM session_facts FINAL WHERE org_id = {org_id} AND browsable AND session IN ("
        "SELECT {key} FROM session_floors FINAL WHERE scope = {scope} AND org_id = {org_id}))",
        key=SESSION_KEY,
        scope=SUBAGENTS,
        org_id=text(org_id, "org_id"),
    )


def _counted(org_id: str, filter: AnalyticsFilter) -> Sql:
    conditions = [sql("org_id = {org_id} AND counts", org_id=text(org_id, "org_id")), *named(_equal(filter))]
    if isinstance(filter, OfSessions):
        conditions.append(sql("{payer} IN {ids}", payer=_payer(filter), ids=filter.ids))
    return join(" AND ", [*conditions, *date_conditions(filter.date_from, filter.date_to, filter.tz)])


def _among(filter: AnalyticsFilter) -> list[Sql]:
    """The condition on sessions that they are those which are asked about."""
    if not isinstance(filter, OfSessions):
        return []
    # As a subquery: one by one their keys would be computed while the statement is analysed.
    return [sql("session IN (SELECT {key})", key=session_key(sql("arrayJoin({ids})", ids=list(filter.ids))))]


def _payer(filter: AnalyticsFilter) -> Sql:
    """Which session a row of a subagent counts for."""
    return sql("session_id" if isinstance(filter, OfSessions) and filter.own else "origin_session_id")


def _equal(filter: AnalyticsFilter) -> dict[str, str]:
    return {"project_name": filter.project_name, "user_id": filter.user_id, "agent_type": filter.agent_type}
