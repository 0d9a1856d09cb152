"""The public surface, frozen: names, protocols and the signature of every method."""

from __future__ import annotations

import inspect
from typing import Any

import agentstore
from agentstore import AsyncClickHouseStore, ReadStore, Store, models

NAMES = [
    "AgentStoreError", "AlreadyThereError", "AsyncClickHouseStore", "AuthenticationError", "Changes", "ConfigError",
    "CostReport", "CostRow", "ModelPrice", "UnpricedModel",
    "ConnectOptions", "ConnectionFailedError", "DailyActivity", "FailedWrite", "FileHistory", "FileHistoryEntry",
    "FileTouch",
    "GitLink", "GitLinkResult", "HeatmapCell", "Highlight",
    "InvalidArgumentError", "InvalidCursorError", "Message", "MessagePin", "ModelTokenUsage", "NotFoundError",
    "OperationTimeoutError", "OriginalPart",
    "Pipeline", "PoolTimeoutError", "ProjectInfo", "ProjectUsage", "Prompt", "Purge", "QueryError", "ReadStore",
    "Receipt",
    "SchemaError",
    "SearchPage",
    "SearchQuery", "SearchResult", "Session", "SessionDelete", "SessionFilter", "SessionPage", "SessionPurgedError",
    "SessionStar", "SourceFile", "Store",
    "StoreClosedError", "StoredWrite", "Summary", "SummaryTotals",
    "TableStatistics", "ToolCall", "ToolUsageStat", "UserInfo", "UserUsage", "WriteError",
    "CutText", "GitLinkEntry", "GitLinkPage", "MessageOutline", "MessageVersion", "SessionFile", "SessionWindow",
    "TextPart",
    "WriteMark", "WrongLoopError", "__version__",
]  # fmt: skip
SCOPE = "project_name='', user_id='', agent_type='', date_from=None, date_to=None, tz='UTC'"
WRITES = {
    "write_session": "org_id, session, messages=(), tool_calls=(), *, replace=False",
    "write_batch": "org_id, sessions, messages=(), tool_calls=(), *, replace=False",
    "write_git_links": "org_id, links",
    "write_file_touches": "org_id, touches",
    "mark": "",
    "write_source_files": "org_id, files",
    "write_originals": "org_id, parts",
    "remove_originals": "org_id, original_id, *, older_than",
    "write_session_stars": "org_id, stars",
    "write_message_pins": "org_id, pins",
    "write_session_deletes": "org_id, deletes",
    "remove_session_stars": "org_id, stars",
    "remove_message_pins": "org_id, pins",
    "remove_session_deletes": "org_id, deletes",
    "delete_sessions": "org_id, session_ids",
    "purge_sessions": "org_id, session_ids, *, timeout_seconds=3600.0",
    "restore_sessions": "org_id, session_ids",
    "flush": "",
    "aclose": "",
}
READS = {
    "list_sessions": "org_id, filter=SessionFilter()",
    "get_session": "org_id, id",
    "get_sessions": "org_id, ids",
    "get_session_messages": "org_id, session_id, *, after_ordinal=None, before_ordinal=None, limit=None",
    "get_session_tool_calls": "org_id, session_id, *, after=None, limit=None",
    "list_users": "org_id",
    "list_projects": "org_id",
    "list_agents": "org_id",
    "search": "org_id, query",
    "get_session_git_links": "org_id, session_id",
    "lookup_git_links": "org_id, *, sha='', pr_url=''",
    "file_history": "org_id, path, *, project_id='', session_id='', operations=(), limit=100, cursor='', versions=0",
    "list_session_stars": "org_id, session_id=''",
    "list_message_pins": "org_id, session_id=''",
    "list_session_deletes": "org_id",
    "list_source_files": "org_id, *, machine=None, source_ids=(), session_id='', packed=()",
    "get_originals": "org_id, original_id",
    "changes": "org_id, since=None",
    "usage_by_user": f"org_id, *, {SCOPE}",
    "activity_heatmap": f"org_id, *, {SCOPE}",
    "tool_usage_distribution": f"org_id, *, {SCOPE}",
    "daily_activity": f"org_id, *, {SCOPE}",
    "token_usage_by_model": f"org_id, *, {SCOPE}",
    "cost_by": f"org_id, key, *, limit=100, {SCOPE}",
    "summary": f"org_id, *, {SCOPE}",
    "aclose": "",
}
BESIDE = {
    "session_outline": "org_id, session_id",
    "session_window": "org_id, session_id, *, first_ordinal, last_ordinal, max_characters=4000",
    "message_text": (
        "org_id, session_id, ordinal, *, tool_use_id='', call_index=0, part='content', first=0, characters=100000"
    ),
    "message_versions": "org_id, places",
    "list_children": "org_id, session_ids",
    "session_costs": "org_id, session_ids, *, own=False",
    "list_git_links": "org_id, filter=None, *, limit=100, cursor=''",
    "session_files": "org_id, session_id",
    "session_prompts": "org_id, session_id, *, max_characters=200",
}
LIFE = {"open": "*, create=True", "ping": "*, timeout_seconds=5.0", "ensure_schema": "", "reset_database": "name"}


def signature(method: Any) -> str:
    """Names, kinds and defaults; no annotations. A default filter is written as it is made."""
    found = inspect.signature(method)
    plain = [one.replace(annotation=one.empty) for one in found.parameters.values() if one.name != "self"]
    text = str(inspect.Signature(plain))[1:-1]
    return text.replace(repr(agentstore.SessionFilter()), "SessionFilter()").replace("Ellipsis", "SessionFilter()")


def public(kind: type) -> set[str]:
    return {name for name, value in vars(kind).items() if not name.startswith("_") and callable(value)}


def test_the_names() -> None:
    assert sorted(agentstore.__all__) == sorted(NAMES)
    assert len(agentstore.__all__) == len(set(agentstore.__all__))
    for name in agentstore.__all__:
        assert getattr(agentstore, name) is not None


def test_every_record_is_a_name() -> None:
    records = {name for name, value in vars(models).items() if isinstance(value, type)}
    assert {name for name in records if issubclass(getattr(models, name), models.Record)} - {"Record"} <= set(NAMES)


def test_the_methods_of_the_protocols() -> None:
    assert public(Store) >= set(WRITES)
    assert public(ReadStore) == set(READS)


def test_the_signature_of_every_method() -> None:
    for name, expected in {**WRITES, **READS, **BESIDE, **LIFE}.items():
        method = getattr(AsyncClickHouseStore, name)
        assert inspect.iscoroutinefunction(method), name
        assert signature(method) == expected, name
        assert inspect.getdoc(method), name
    assert signature(AsyncClickHouseStore.connect) == "target=None, *, mask=None, prices=(), **overrides"
    assert signature(AsyncClickHouseStore.__init__) == "target=None, *, mask=None, prices=(), **overrides"


def test_the_protocols_say_the_same_as_the_store() -> None:
    for protocol in (Store, ReadStore):
        for name in public(protocol):
            assert signature(getattr(protocol, name)) == signature(getattr(AsyncClickHouseStore, name)), name


def test_the_class_satisfies_both_protocols() -> None:
    store = AsyncClickHouseStore("clickhouse://nowhere")
    assert isinstance(store, Store)
    assert isinstance(store, ReadStore)
    # Checked by mypy, which knows the types of arguments and results too.
    writes: Store = store
    reads: ReadStore = store
    assert {id(writes), id(reads)} == {id(store)}


def test_constructing_does_no_io() -> None:
    """Neither a host that does not exist nor a path that cannot be made is noticed before opening."""
    assert "new" in repr(AsyncClickHouseStore("clickhouse://no-such-host.invalid"))
    assert "new" in repr(AsyncClickHouseStore("local:/proc/no/such/place"))
