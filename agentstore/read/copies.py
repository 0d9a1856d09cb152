"""What counts once, though several sessions have it: rows and links that another session owns are left out. Pure.

Who owns them is decided when sessions are written (``write/families.py``). Where sessions are joined anyway, as in a
search, ``floors.owned`` is the condition.
"""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import text
from agentstore.read.floors import COPIES


def own_rows(org_id: str, ordinal: Sql) -> Sql:
    """The condition on messages or tool calls that their session owns them; ``ordinal`` is that of the message."""
    begins = sql(
        "(SELECT (groupArray(session_id), groupArray(own_from)) FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND own_from > 0)",
        scope=COPIES,
        org_id=text(org_id, "org_id"),
    )
    # Most copies are the beginning of a session; the others are few.
    return sql(
        "{ordinal} >= transform(session_id, {begins}.1, {begins}.2, toUInt32(0)) AND (session_id, {ordinal}) NOT IN ("
        "SELECT session_id, arrayJoin(copied_ordinals) FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND notEmpty(copied_ordinals))",
        ordinal=ordinal,
        begins=begins,
        scope=COPIES,
        org_id=org_id,
    )


def own_links(org_id: str) -> Sql:
    """The condition on git links that their session owns them."""
    return sql(
        "(session_id, cityHash64(commit_sha, pr_url)) NOT IN ("
        "SELECT session_id, arrayJoin(copied_links) FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND notEmpty(copied_links))",
        scope=COPIES,
        org_id=text(org_id, "org_id"),
    )
