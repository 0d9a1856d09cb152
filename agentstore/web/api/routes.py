"""The routes of the API."""

from __future__ import annotations

from typing import Any

from agentstore.web.api import history, marks, sessions, statistics

API = "/api/v1"
HANDLERS: list[Any] = [
    sessions.list_sessions,
    sessions.get_session,
    sessions.get_session_messages,
    sessions.session_outline,
    sessions.get_session_tool_calls,
    sessions.get_session_git_links,
    sessions.session_files,
    sessions.list_children,
    marks.list_session_stars,
    marks.put_star,
    marks.delete_star,
    marks.put_hide,
    marks.delete_hide,
    marks.list_message_pins,
    marks.put_pin,
    marks.delete_pin,
    history.search,
    history.lookup_git_links,
    history.list_git_links,
    history.file_history,
    history.list_users,
    history.list_projects,
    history.list_agents,
    history.changes,
    statistics.usage_by_user,
    statistics.activity_heatmap,
    statistics.tool_usage_distribution,
    statistics.daily_activity,
    statistics.token_usage_by_model,
    statistics.cost_by,
    statistics.summary,
]
