"""The sessions that a ``SessionFilter`` stands for. Pure."""

from __future__ import annotations

from agentstore.connection.sql import Sql, identifier, join, sql, valid_text
from agentstore.errors import InvalidArgumentError
from agentstore.models import SessionFilter
from agentstore.read.conditions import BROWSABLE, EVERYTHING, FILLED, expect, session_conditions, text
from agentstore.read.dates import overlap_conditions, zone
from agentstore.read.floors import MARKS, above_floors
from agentstore.read.keys import session_key
from agentstore.read.search.term_sql import contains
from agentstore.read.totals import owned_rows

_EQUAL = ("user_id", "project_id", "project_name", "agent_type", "parent_session_id", "git_branch", "project_path")
_TITLES = (sql("display_name"), sql("first_message"))
_NOTHING = sql("")
# The fields that are about rows of a session, where these rows are, and what they call the message's number.
_ROWS = (
    ("tool_name", sql("tool_call_facts"), sql("message_ordinal")),
    ("model", sql("message_facts"), sql("ordinal")),
)


def matching(org_id: str, filter: SessionFilter, also: Sql = _NOTHING) -> Sql:
    """``id``, ``started_at``, ``session`` (the key of its narrow copies) and ``also`` of the sessions that match.

    What is not valid is ``InvalidArgumentError``.
    """
    expect(filter, SessionFilter, "filter")
    # Titles are in no narrow copy.
    titled = bool(text(filter.title, "title"))
    return sql(
        "SELECT id, started_at, {key} AS session{also} FROM {table} FINAL WHERE {where} AND {filled}",
        key=session_key(sql("id")) if titled else sql("session"),
        also=also,
        table=sql("sessions") if titled else sql("session_facts"),
        where=_conditions(org_id, filter, sql("user_message_count > 0") if titled else sql("written_in")),
        filled=EVERYTHING if titled else FILLED,
    )


def _conditions(org_id: str, filter: SessionFilter, written_in: Sql) -> Sql:
    conditions = [
        session_conditions(
            org_id,
            equal={name: getattr(filter, name) for name in _EQUAL},
            date_from=filter.date_from,
            date_to=filter.date_to,
            tz=text(filter.tz, "tz"),
            shown=written_in if filter.include_subagents else BROWSABLE,
            include_deleted=filter.include_deleted,
        ),
        *overlap_conditions(filter.active_from, filter.active_to, filter.tz),
        *_on_the_clock(filter),
    ]
    # Functions that know no wildcards: nothing of the text has to be escaped.
    if text(filter.id_prefix, "id_prefix"):
        conditions.append(sql("startsWith(id, {prefix})", prefix=filter.id_prefix))
    if filter.title:
        conditions.append(_titled(filter.title))
    if text(filter.starred_by, "starred_by"):
        stars = sql("FROM session_stars FINAL WHERE user_id = {user}", user=filter.starred_by)
        conditions.append(_marked(org_id, stars))
    expect(filter.with_commits, bool, "with_commits")
    if filter.with_commits:
        conditions.append(_marked(org_id, sql("FROM git_links FINAL WHERE 1")))
    conditions += [_with_row(org_id, filter, *one) for one in _ROWS if text(getattr(filter, one[0]), one[0])]
    return join(" AND ", conditions)


def _on_the_clock(filter: SessionFilter) -> list[Sql]:
    """Conditions on weekday and hour of ``started_at``, as the clock on the wall showed them."""
    found = []
    start = sql("toTimeZone(started_at, {tz})", tz=zone(filter.tz).key)
    if _within(filter.weekday, "weekday", 0, 7):
        found.append(sql("ifNull(toDayOfWeek({start}) = {weekday}, 0)", start=start, weekday=filter.weekday))
    if filter.hour is not None:
        hour = _within(filter.hour, "hour", 0, 23)
        found.append(sql("ifNull(toHour({start}) = {hour}, 0)", start=start, hour=hour))
    return found


def _within(value: object, field: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidArgumentError(f"{field}: expected {least} … {most}, got {value!r}", field=field)
    return value


def _with_row(org_id: str, filter: SessionFilter, field: str, copy: Sql, ordinal: Sql) -> Sql:
    """The condition that such a row counts for the session: of its own, or of a subagent of its."""
    return sql(
        "toUInt64(session) IN (SELECT arrayJoin([root, toUInt64(session)]) FROM ({rows}) WHERE {column} = {value})",
        rows=owned_rows(org_id, copy, ordinal),
        column=identifier(field),
        value=getattr(filter, field),
    )


def _titled(title: str) -> Sql:
    needle = valid_text(title)  # as it is stored, before it becomes a regular expression
    return sql("({held})", held=join(" OR ", [contains(column, needle) for column in _TITLES]))


def _marked(org_id: str, rows: Sql) -> Sql:
    """The condition that there is such a row of the session, above its floor."""
    return sql(
        "id IN (SELECT session_id {rows} AND org_id = {org_id} AND {seen})",
        rows=rows,
        org_id=text(org_id, "org_id"),
        seen=above_floors(org_id, MARKS),
    )
