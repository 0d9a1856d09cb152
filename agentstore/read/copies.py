"""Git links that count once, though several sessions have them. Pure.

Which session owns them is decided when they are written (``write/families.py``). For messages and tool calls see
``floors.owned``.
"""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import text
from agentstore.read.floors import COPIES


def own_links(org_id: str) -> Sql:
    """The condition on git links that their session owns them."""
    return sql(
        "(session_id, cityHash64(commit_sha, pr_url)) NOT IN ("
        "SELECT session_id, arrayJoin(copied_links) FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND notEmpty(copied_links))",
        scope=COPIES,
        org_id=text(org_id, "org_id"),
    )
