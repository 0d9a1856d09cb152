"""Which sessions a read is about: one organisation, browsable, not deleted, filtered. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentstore.connection.sql import Sql, identifier, join, sql, valid_text
from agentstore.errors import InvalidArgumentError
from agentstore.organisation import organisation
from agentstore.read.dates import date_conditions

EVERYTHING = sql("1")
BROWSABLE = sql("browsable")
# Of session_facts and session_rows: that all of it is there (ddl/0011, at its end).
FILLED = sql("filled")
# Of so many ids a statement asks at a time.
SEVERAL_AT_ONCE = 500


def session_conditions(
    org_id: str,
    *,
    equal: dict[str, str] | None = None,
    date_from: Any = None,
    date_to: Any = None,
    tz: str = "UTC",
    shown: Sql = BROWSABLE,
    include_deleted: bool = False,
) -> Sql:
    """The WHERE clause over ``sessions FINAL``, or ``session_facts FINAL``, of one read.

    ``equal`` are exact matches; "" matches everything.
    """
    conditions = [sql("org_id = {org_id}", org_id=text(org_id, "org_id")), shown]
    if not include_deleted:
        conditions.append(
            sql(
                "id NOT IN (SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id})",
                org_id=org_id,
            )
        )
    conditions += named(equal or {})
    conditions += date_conditions(date_from, date_to, tz)
    return join(" AND ", conditions)


def named(equal: dict[str, str]) -> list[Sql]:
    """Conditions that columns have these values; "" is any."""
    return [
        sql("{column} = {value}", column=identifier(column), value=value)
        for column, value in equal.items()
        if text(value, column)
    ]


def text(value: Any, field: str) -> str:
    """The value if it is a str, else ``InvalidArgumentError``: a number in a filter would never match, silently.

    An ``org_id`` has to be valid text, too.
    """
    if field == "org_id":
        return organisation(value)
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{field}: expected str, got {type(value).__name__}", field=field)
    return value


def expect(value: Any, kind: type, field: str) -> None:
    """Refuse what is not of this type, before an attribute of it is missed."""
    if not isinstance(value, kind):
        raise InvalidArgumentError(f"{field}: expected {kind.__name__}, got {type(value).__name__}", field=field)


def several_ids(ids: Any, field: str) -> list[str]:
    """The ids as they are stored, each once, in order; not one str, whose characters would pass for ids."""
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise InvalidArgumentError(f"{field}: expected several ids, got one {type(ids).__name__}", field=field)
    return sorted({valid_text(text(id, field)) for id in ids})


def page_limit(limit: Any) -> int:
    """A page's limit, 1 … 1000."""
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= 1000:
        raise InvalidArgumentError(f"limit: expected 1 … 1000, got {limit!r}", field="limit")
    return limit
