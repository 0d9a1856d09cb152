"""The records: their fields and defaults, frozen, and the same again through JSON and msgpack."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentstore
from agentstore import SearchQuery, SessionFilter
from agentstore.models import Record
from tests.strategies import RECORDS, records

REQUIRED = "required"
T = {"org_id": "", "session_id": ""}
DEFAULTS: dict[str, dict[str, Any]] = {
    "Session": {
        "org_id": "", "id": REQUIRED, "user_id": "", "user_name": "", "project_id": "", "project_name": "",
        "project_path": "", "machine": "", "agent_type": "", "first_message": "", "started_at": None, "ended_at": None,
        "message_count": 0, "user_message_count": 0, "parent_session_id": "", "relationship_type": "",
        "source_created_at": "", "display_name": "", "git_branch": "", "total_output_tokens": 0,
        "peak_context_tokens": 0, "commit_count": 0, "tool_call_count": 0,
        "copied_message_count": 0, "origin_session_id": "", "copied_by": "",
    },
    "Message": {
        **T, "ordinal": REQUIRED, "role": "", "content": "", "timestamp": None, "has_thinking": False,
        "has_tool_use": False, "content_length": 0, "model": "", "token_usage": "", "input_tokens": 0,
        "cache_read_tokens": 0, "cache_write_tokens": 0, "output_tokens": 0, "context_tokens": 0, "source_id": "",
        "reported_cost_nanodollars": 0,
    },
    "ToolCall": {
        **T, "message_ordinal": REQUIRED, "tool_use_id": "", "call_index": 0, "tool_name": "", "tool_category": "",
        "input_json": "", "skill_name": "", "result_content": "", "result_content_length": None, "is_error": False,
        "subagent_session_id": "",
    },
    "GitLink": {
        "org_id": "", "session_id": REQUIRED, "user_id": "", "message_ordinal": 0, "commit_sha": "", "pr_url": "",
        "link_type": REQUIRED, "confidence": REQUIRED, "detected_at": None,
    },
    "FileTouch": {
        "org_id": "", "session_id": REQUIRED, "path": REQUIRED, "operation": REQUIRED, "message_ordinal": 0,
        "tool_use_id": "", "call_index": 0, "moved_from": "", "moved_to": "", "touched_at": None,
    },
    "FileHistoryEntry": {
        "session_id": "", "path": "", "operation": "", "message_ordinal": 0, "tool_use_id": "", "call_index": 0,
        "moved_from": "", "moved_to": "", "touched_at": None, "user_id": "", "user_name": "", "project_id": "",
        "project_name": "", "agent_type": "", "display_name": "", "first_message": "", "source_id": "",
        "version": "",
    },
    "FileHistory": {"touches": [], "next_cursor": ""},
    "SessionStar": {**T, "user_id": "", "created_at": None},
    "MessagePin": {**T, "message_ordinal": 0, "user_id": "", "note": "", "created_at": None},
    "SessionDelete": {**T, "user_id": "", "created_at": None},
    "SessionFilter": {
        "user_id": "", "project_id": "", "project_name": "", "agent_type": "", "date_from": None, "date_to": None,
        "cursor": "", "limit": 50, "include_subagents": False, "include_deleted": False,
        "id_prefix": "", "parent_session_id": "", "title": "", "git_branch": "", "starred_by": "",
        "with_commits": False, "project_path": "", "active_from": None, "active_to": None,
        "tz": "UTC", "weekday": 0, "hour": None, "tool_name": "", "model": "",
    },
    "SessionPage": {"sessions": [], "next_cursor": "", "total": 0},
    "SearchQuery": {
        "query": REQUIRED, "user_id": "", "project_id": "", "project_name": "", "agent_type": "", "session_id": "",
        "date_from": None, "date_to": None, "cursor": "", "limit": 50, "mode": "substring", "role": "",
        "tool_name": "",
    },
    "SearchPage": {"results": [], "next_cursor": "", "total": 0, "total_is_lower_bound": False},
    "SearchResult": {
        "session_id": "", "ordinal": 0, "role": "", "user_id": "", "user_name": "", "project_name": "",
        "agent_type": "", "started_at": None, "first_message": "", "snippet": "", "highlights": [],
        "source_id": "", "version": "",
    },
    "Changes": {"version": 0, "session_ids": [], "deleted_session_ids": [], "seen": {}},
    "GitLinkEntry": {
        "session_id": "", "user_id": "", "user_name": "", "project_id": "", "project_name": "", "agent_type": "",
        "started_at": None, "first_message": "", "commit_sha": "", "pr_url": "", "link_type": "", "confidence": "",
        "message_ordinal": 0, "detected_at": None, "display_name": "",
    },
    "GitLinkPage": {"links": [], "next_cursor": ""},
    "SessionFile": {"path": REQUIRED, "operations": {}, "first_ordinal": 0, "last_ordinal": 0},
    "MessageOutline": {
        "ordinal": REQUIRED, "role": "", "timestamp": None, "model": "", "content_length": 0, "has_thinking": False,
        "has_tool_use": False, "source_id": "", "call_count": 0, "error_count": 0, "result_length": 0,
    },
    "Prompt": {"ordinal": REQUIRED, "timestamp": None, "content": "", "content_length": 0, "source_id": "",
               "version": ""},
    "MessageVersion": {"session_id": "", "ordinal": 0, "source_id": "", "version": ""},
    "CutText": {"ordinal": REQUIRED, "part": REQUIRED, "tool_use_id": "", "call_index": 0, "total": 0},
    "SessionWindow": {"messages": [], "tool_calls": [], "cut": [], "versions": []},
    "TextPart": {"text": "", "first": 0, "total": 0},
    "Highlight": {"start": REQUIRED, "end": REQUIRED},
    "GitLinkResult": {
        "session_id": "", "user_id": "", "user_name": "", "project_id": "", "project_name": "", "agent_type": "",
        "started_at": None, "first_message": "", "commit_sha": "", "pr_url": "", "link_type": "", "confidence": "",
        "message_ordinal": 0,
    },
    "UserInfo": {"id": "", "name": ""},
    "ProjectInfo": {"id": "", "name": "", "path": ""},
    "UserUsage": {
        "user_id": "", "user_name": "", "agent_type": "", "project_name": "", "session_count": 0, "message_count": 0,
        "commit_count": 0, "total_output_tokens": 0, "peak_context_tokens": 0,
    },
    "SourceFile": {
        "path": REQUIRED, "org_id": "", "machine": "", "source_id": "", "importer": "", "importer_version": 0,
        "root": "", "user_id": "", "user_name": "", "stat": "", "context": "", "size": 0, "outcome": "read",
        "session_ids": (), "original_id": "", "state": b"", "facts": b"",
    },
    "OriginalPart": {
        "original_id": REQUIRED, "file": "", "start": 0, "end": 0, "org_id": "", "session_id": "", "data": b"",
    },
    "WriteMark": {"version": REQUIRED},
    "HeatmapCell": {"day_of_week": 0, "hour": 0, "session_count": 0},
    "ToolUsageStat": {"tool_name": "", "category": "", "usage_count": 0, "error_count": 0, "session_count": 0},
    "ProjectUsage": {
        "project_name": "", "session_count": 0, "message_count": 0, "commit_count": 0, "total_output_tokens": 0,
    },
    "SummaryTotals": {
        "session_count": 0, "message_count": 0, "commit_count": 0, "tool_call_count": 0, "tool_error_count": 0,
        "total_output_tokens": 0, "peak_context_tokens": 0, "user_count": 0, "project_count": 0,
    },
    "Summary": {
        "totals": agentstore.SummaryTotals(), "days": [], "heatmap": [], "tools": [], "models": [], "users": [],
        "projects": [], "cost": agentstore.CostReport(),
    },
    "DailyActivity": {"date": REQUIRED, "session_count": 0, "message_count": 0, "total_output_tokens": 0},
    "ModelPrice": {
        "model": REQUIRED, "input": REQUIRED, "output": REQUIRED, "cache_read": None, "cache_write": None,
        "cache_write_1h": None, "reasoning": None, "web_search": 0, "service_tier": "", "valid_from": None, "above": 0,
    },
    "CostRow": {
        "key": "", "name": "", "cost_nanodollars": 0, "reported_cost_nanodollars": 0, "responses": 0,
        "input_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0, "cache_write_1h_tokens": 0,
        "output_tokens": 0, "reasoning_tokens": 0, "web_searches": 0, "unpriced_tokens": 0,
    },
    "UnpricedModel": {
        "model": "", "responses": 0, "input_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0,
        "output_tokens": 0,
    },
    "CostReport": {"rows": [], "total": agentstore.CostRow(), "unpriced": [], "prices_date": None},
    "ModelTokenUsage": {
        "model": "", "input_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0, "output_tokens": 0,
        "context_tokens": 0, "message_count": 0,
    },
}  # fmt: skip


def default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return REQUIRED
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def test_every_record_has_its_fields_and_defaults() -> None:
    found = {one.__name__: {f.name: default(f) for f in msgspec.structs.fields(one)} for one in RECORDS}
    assert found == DEFAULTS


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_record_is_public_and_says_what_it_is(kind: type[Record]) -> None:
    assert getattr(agentstore, kind.__name__) is kind
    assert kind.__doc__


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_through_json_and_msgpack_and_back(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(records(kind))
    assert msgspec.json.decode(msgspec.json.encode(record), type=kind) == record
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=kind) == record
    assert msgspec.convert(msgspec.to_builtins(record), kind) == record
    assert list(msgspec.to_builtins(record)) == list(kind.__struct_fields__)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_frozen_and_equal_by_value(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(records(kind))
    name = kind.__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(record, name, getattr(record, name))
    assert msgspec.structs.replace(record) == record
    assert msgspec.structs.replace(record) is not record


@pytest.mark.parametrize(("kind", "name"), [(SessionFilter, "date"), (SearchQuery, "date"), (SessionFilter, "active")])
def test_a_filter_takes_dates_as_they_come(kind: Any, name: str) -> None:
    def dates(**given: Any) -> tuple[Any, Any]:
        named = {key.replace("date", name): value for key, value in given.items()}
        made = kind(**({"query": "x"} if kind is SearchQuery else {}), **named)
        return getattr(made, f"{name}_from"), getattr(made, f"{name}_to")

    day, moment = dt.date(2026, 1, 5), dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
    assert dates(date_from=day, date_to=moment) == (day, moment)
    assert dates(date_from="2026-01-05", date_to="2026-01-05T12:00:00Z") == (day, moment)
    assert dates(date_from="soon", date_to="") == ("soon", "")


def test_lists_of_pages_are_not_shared() -> None:
    first, second = agentstore.SessionPage(), agentstore.SessionPage()
    assert first.sessions is not second.sessions
