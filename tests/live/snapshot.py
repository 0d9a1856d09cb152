"""Everything the read side says about an organisation: two snapshots are equal when no read can tell them apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentstore import AsyncClickHouseStore, NotFoundError, SearchQuery, SessionFilter

EVERYTHING = SessionFilter(include_subagents=True, include_deleted=True, limit=1000)


async def snapshot(store: AsyncClickHouseStore, org: str, session_ids: Iterable[str] = ()) -> dict[str, Any]:
    """The answers of all reads, by name."""
    found: dict[str, Any] = {
        "list_sessions": await store.list_sessions(org),
        "list_sessions, all": await store.list_sessions(org, EVERYTHING),
        "list_users": await store.list_users(org),
        "list_projects": await store.list_projects(org),
        "list_agents": await store.list_agents(org),
        "search": await store.search(org, SearchQuery(query="e", limit=1000)),
        "lookup_git_links": await store.lookup_git_links(org, sha="abcd"),
        "file_history": await store.file_history(org, "a.py"),
        "list_session_stars": await store.list_session_stars(org),
        "list_message_pins": await store.list_message_pins(org),
        "list_session_deletes": await store.list_session_deletes(org),
        "list_source_files": await store.list_source_files(org, packed=["state", "facts"]),
        "get_originals": await store.get_originals(org, "o"),
        "usage_by_user": await store.usage_by_user(org),
        "activity_heatmap": await store.activity_heatmap(org),
        "tool_usage_distribution": await store.tool_usage_distribution(org),
        "daily_activity": await store.daily_activity(org),
        "token_usage_by_model": await store.token_usage_by_model(org),
        "cost_by": await store.cost_by(org, "model"),
        "summary": await store.summary(org),
    }
    for id in session_ids:
        found[f"session {id}"] = await _session(store, org, id)
        found[f"messages {id}"] = await store.get_session_messages(org, id)
        found[f"tool calls {id}"] = await store.get_session_tool_calls(org, id)
        found[f"git links {id}"] = await store.get_session_git_links(org, id)
    return found


async def _session(store: AsyncClickHouseStore, org: str, id: str) -> Any:
    try:
        return await store.get_session(org, id)
    except NotFoundError:
        return "not found"
