"""What counts once: git links that another session has, too, and how much of a session are copies. Pure.

Which these are is decided when sessions are written (``write/families.py``), and stands in ``session_floors``. For
messages and tool calls see ``floors.owned``.
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


def with_own_totals(org_id: str, sessions: Sql) -> Sql:
    """The rows of ``sessions``, which have an ``id``, with ``own_messages`` and ``own_tokens``: their totals less what
    are copies. As totals are the writer's word, they may be less than what is taken away; then they are 0."""
    return sql(
        "SELECT own.*, if(message_count > c.messages, message_count - c.messages, 0) AS own_messages,"
        " if(total_output_tokens > c.tokens, total_output_tokens - c.tokens, 0) AS own_tokens"
        " FROM ({sessions}) AS own LEFT ANY JOIN ("
        "SELECT session_id, copied_messages AS messages, copied_output_tokens AS tokens FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND copied_messages > 0) AS c ON c.session_id = own.id",
        sessions=sessions,
        scope=COPIES,
        org_id=text(org_id, "org_id"),
    )
