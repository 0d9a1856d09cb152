"""The plain SQL to compare with: what a first, straightforward store asks, over the same tables and connection.

Joins with FINAL over whole organisations, case-insensitive position over every text, messages and tools one after the
other, full contents returned; get_session aggregates all git links of the organisation; a list is a count and a sorted
scan. The query condition cache is off on both sides: it would answer a repeated needle from memory.
"""

from __future__ import annotations

from typing import Any, LiteralString

from agentstore.connection.sql import Sql, sql
from agentstore.protocols import Columns, Executor

NO_CACHE = {"use_query_condition_cache": 0}

_BROWSABLE: LiteralString = (
    "s.user_message_count > 0"
    " AND NOT (s.relationship_type = 'subagent' OR (s.relationship_type = '' AND s.parent_session_id != ''))"
    " AND s.id NOT IN (SELECT session_id FROM session_deletes FINAL WHERE org_id = {org})"
)


class Baseline:
    """The reads of one organisation, in plain SQL."""

    def __init__(self, executor: Executor, org_id: str) -> None:
        self.executor = executor
        self._org_id = org_id

    async def search(self, needle: str, *, limit: int = 50) -> None:
        """Both searches, one after the other; without their counts, which would make it slower still."""
        for table, ordinal, texts, hit in (
            ("messages", "ordinal", "r.content", "positionCaseInsensitive(r.content, {needle}) > 0"),
            (
                "tool_calls",
                "message_ordinal",
                "r.input_json, r.result_content",
                "(positionCaseInsensitive(r.input_json, {needle}) > 0"
                " OR positionCaseInsensitive(r.result_content, {needle}) > 0)",
            ),
        ):
            source = (
                f"FROM {table} AS r FINAL INNER JOIN sessions AS s FINAL ON s.org_id = r.org_id AND s.id = r.session_id"
                f" WHERE r.org_id = {{org}} AND {_BROWSABLE} AND {hit}"
            )
            columns = (
                f"r.session_id, r.{ordinal}, {texts}, s.user_id, s.user_name, s.project_name, s.agent_type,"
                " toUnixTimestamp64Micro(s.started_at), s.first_message"
            )
            await self._fetch(
                f"SELECT {columns} {source} ORDER BY s.started_at DESC, s.id DESC, r.{ordinal} LIMIT {{limit}}",
                needle=needle,
                limit=limit,
            )

    async def get_session(self, session_id: str) -> None:
        """One session, joined with the link counts of the whole organisation."""
        await self._fetch(
            "SELECT s.*, l.links FROM sessions AS s FINAL LEFT JOIN (SELECT session_id, count() AS links"
            " FROM git_links FINAL WHERE org_id = {org} GROUP BY session_id) AS l ON l.session_id = s.id"
            " WHERE s.org_id = {org} AND s.id = {id}",
            id=session_id,
        )

    async def list_sessions(self, *, limit: int = 50, skip: int = 0) -> None:
        """A count and a sorted scan, with link counts of the whole organisation."""
        await self._fetch(f"SELECT count() FROM sessions AS s FINAL WHERE s.org_id = {{org}} AND {_BROWSABLE}")
        await self._fetch(
            "SELECT s.*, l.links FROM sessions AS s FINAL LEFT JOIN (SELECT session_id, count() AS links"
            " FROM git_links FINAL WHERE org_id = {org} GROUP BY session_id) AS l ON l.session_id = s.id"
            f" WHERE s.org_id = {{org}} AND {_BROWSABLE}"
            " ORDER BY s.started_at DESC, s.id DESC LIMIT {limit} OFFSET {skip}",
            limit=limit,
            skip=skip,
        )

    async def get_session_messages(self, session_id: str) -> None:
        """All columns of one session's messages."""
        await self._fetch(
            "SELECT * FROM messages FINAL WHERE org_id = {org} AND session_id = {id} ORDER BY ordinal", id=session_id
        )

    async def usage_by_user(self) -> None:
        """Sessions joined with all links."""
        await self._fetch(
            "SELECT s.user_id, any(s.user_name), s.agent_type, s.project_name, count(), sum(s.message_count),"
            " sum(l.links), sum(s.total_output_tokens), max(s.peak_context_tokens) FROM sessions AS s FINAL"
            " LEFT JOIN (SELECT session_id, count() AS links FROM git_links FINAL WHERE org_id = {org}"
            " GROUP BY session_id) AS l ON l.session_id = s.id"
            f" WHERE s.org_id = {{org}} AND {_BROWSABLE}"
            " GROUP BY s.user_id, s.agent_type, s.project_name ORDER BY count() DESC"
        )

    async def activity_heatmap(self) -> None:
        """Weekday and hour of every session."""
        await self._fetch(
            "SELECT toDayOfWeek(s.started_at) AS d, toHour(s.started_at) AS h, count() FROM sessions AS s FINAL"
            f" WHERE s.org_id = {{org}} AND {_BROWSABLE} GROUP BY d, h ORDER BY d, h"
        )

    async def tool_usage_distribution(self) -> None:
        """Tool calls joined with sessions."""
        await self._fetch(
            "SELECT r.tool_name, r.tool_category, count() AS n"
            " FROM tool_calls AS r FINAL INNER JOIN sessions AS s FINAL ON s.org_id = r.org_id AND s.id = r.session_id"
            f" WHERE r.org_id = {{org}} AND {_BROWSABLE} GROUP BY r.tool_name, r.tool_category ORDER BY n DESC LIMIT 20"
        )

    async def daily_activity(self) -> None:
        """Day of every session."""
        await self._fetch(
            "SELECT toDate(s.started_at) AS day, count(), sum(s.message_count), sum(s.total_output_tokens)"
            f" FROM sessions AS s FINAL WHERE s.org_id = {{org}} AND {_BROWSABLE} GROUP BY day ORDER BY day"
        )

    async def token_usage_by_model(self) -> None:
        """Messages joined with sessions, each response counted once."""
        await self._fetch(
            "SELECT model, sum(i), sum(cr), sum(cw), sum(o), sum(c), count() FROM (SELECT"
            " argMax(r.model, r.output_tokens) AS model, argMax(r.input_tokens, r.output_tokens) AS i,"
            " argMax(r.cache_read_tokens, r.output_tokens) AS cr, argMax(r.cache_write_tokens, r.output_tokens) AS cw,"
            " max(r.output_tokens) AS o, argMax(r.context_tokens, r.output_tokens) AS c"
            " FROM messages AS r FINAL INNER JOIN sessions AS s FINAL ON s.org_id = r.org_id AND s.id = r.session_id"
            f" WHERE r.org_id = {{org}} AND {_BROWSABLE} GROUP BY r.source_id) GROUP BY model ORDER BY sum(o) DESC"
        )

    async def cost_by(self) -> None:
        """As above, times prices written into the statement: no tiers, no dates, no cache writes for an hour."""
        await self._fetch(
            "SELECT model, sum(i * p.1 + cr * p.2 + cw * p.3 + o * p.4) / 1000000 FROM (SELECT"
            " argMax(r.model, r.output_tokens) AS model, argMax(r.input_tokens, r.output_tokens) AS i,"
            " argMax(r.cache_read_tokens, r.output_tokens) AS cr, argMax(r.cache_write_tokens, r.output_tokens) AS cw,"
            " max(r.output_tokens) AS o, multiIf(model = 'claude-opus-4-5', (5., .5, 6.25, 25.),"
            " model = 'claude-sonnet-4-5', (3., .3, 3.75, 15.), (1., .1, 1.25, 5.)) AS p"
            " FROM messages AS r FINAL INNER JOIN sessions AS s FINAL ON s.org_id = r.org_id AND s.id = r.session_id"
            f" WHERE r.org_id = {{org}} AND {_BROWSABLE} GROUP BY r.source_id) GROUP BY model ORDER BY model"
        )

    async def _fetch(self, template: LiteralString, **values: Any) -> Columns:
        query: Sql = sql(template, org=self._org_id, **values)
        return await self.executor.fetch(query, NO_CACHE)
