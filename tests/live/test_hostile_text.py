"""Any text in any field and any filter: stored and found as it is, and never read as SQL."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentstore import (
    AsyncClickHouseStore,
    GitLink,
    Message,
    MessagePin,
    SearchQuery,
    Session,
    SessionDelete,
    SessionFilter,
    SessionStar,
    ToolCall,
    UserInfo,
)
from agentstore.connection.sql import sql
from agentstore.models import Record
from tests.builders import at, message, session
from tests.hostile import SURROGATES, TEXTS
from tests.live.connections import connected

# Fields that hold one of a few words.
CHOICES = {"relationship_type", "link_type", "confidence"}
CASES = {**{name: (text, text) for name, text in TEXTS.items()}, **SURROGATES}


def text_fields(record: type[Record]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(record) if field.type is str and field.name not in CHOICES]


def everywhere(record: type[Record], text: str, **fields: Any) -> Any:
    """A record with the text in every field that takes text."""
    return record(**{**dict.fromkeys(text_fields(record), text), **fields})


@pytest.mark.parametrize("case", CASES)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_in_every_field_of_every_record(store: AsyncClickHouseStore, org: str, case: str) -> None:
    given, stored = CASES[case]
    if case not in SURROGATES:  # those are refused: two organisations would become one
        org += given
    kept = org

    def same(record: type[Record], **fields: Any) -> Any:
        return everywhere(record, stored, org_id=kept, **fields)

    one = {"started_at": at(), "user_message_count": 1}
    link: dict[str, Any] = {"link_type": "commit", "confidence": "high"}
    await store.write_session(
        org,
        everywhere(Session, given, relationship_type="fork", **one),
        [everywhere(Message, given, ordinal=0)],
        [everywhere(ToolCall, given, message_ordinal=0)],
        replace=True,
    )
    await store.write_git_links(org, [everywhere(GitLink, given, **link)])
    await store.write_session_stars(org, [everywhere(SessionStar, given)])
    await store.write_message_pins(org, [everywhere(MessagePin, given)])
    derived: dict[str, Any] = {"commit_count": 1, "tool_call_count": 1, "origin_session_id": ""}
    read = same(Session, relationship_type="fork", **derived, **one)
    assert await store.get_session(org, given) == read
    assert await store.get_session_messages(org, given) == [same(Message, ordinal=0)]
    assert await store.get_session_tool_calls(org, given) == [same(ToolCall, message_ordinal=0)]
    assert await store.get_session_git_links(org, given) == [same(GitLink, **link)]
    assert await store.list_session_stars(org, given) == [same(SessionStar)]
    assert await store.list_message_pins(org, given) == [same(MessagePin)]
    equal = ("user_id", "project_id", "project_name", "agent_type", "parent_session_id", "git_branch", "project_path")
    for filter in (*equal, "id_prefix", "title", "starred_by"):
        for wanted, expected in ((given, [read]), (given + "x", [])):
            narrowed = msgspec.structs.replace(SessionFilter(), **{filter: wanted})
            assert (await store.list_sessions(org, narrowed)).sessions == expected
    assert await store.list_users(org) == [UserInfo(stored, stored)]
    assert await store.list_agents(org) == [stored]
    assert [one.path for one in await store.list_projects(org)] == [stored]
    assert [one.commit_count for one in await store.usage_by_user(org, project_name=given)] == [1]
    assert [one.tool_name for one in await store.tool_usage_distribution(org, project_name=given)] == [stored]
    assert [one.pr_url for one in await store.lookup_git_links(org, pr_url=given)] == [stored]
    filters: dict[str, Any] = dict.fromkeys(
        ("user_id", "project_id", "project_name", "agent_type", "session_id"), given
    )
    found = (await store.search(org, SearchQuery(query=given, **filters))).results
    assert [(hit.session_id, hit.ordinal) for hit in found] == [(stored, 0), (stored, 0)]
    assert [bool(hit.highlights) for hit in found] == [len(stored) <= 200] * 2
    # Marked, listed, unmarked, removed: by the same text.
    await store.write_session_deletes(org, [everywhere(SessionDelete, given)])
    assert await store.list_session_deletes(org) == [same(SessionDelete)]
    assert (await store.list_sessions(org)).sessions == []
    await store.remove_session_deletes(org, [SessionDelete(session_id=given)])
    await store.remove_session_stars(org, [everywhere(SessionStar, given)])
    await store.remove_message_pins(org, [everywhere(MessagePin, given)])
    assert await store.list_session_stars(org) == []
    assert await store.list_message_pins(org) == []
    assert (await store.list_sessions(org)).total == 1
    await store.delete_sessions(org, [given])
    assert (await store.list_sessions(org)).total == 0
    assert await store.get_session_messages(org, given) == []


async def test_side_by_side_none_is_taken_for_another(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_batch(
        org,
        [session(text, user_id=text, started_at=None) for text in TEXTS.values()],
        [message(0, text, session_id=text) for text in TEXTS.values()],
    )
    for text in TEXTS.values():
        assert [m.content for m in await store.get_session_messages(org, text)] == [text]
        page = await store.list_sessions(org, SessionFilter(user_id=text))
        assert [found.id for found in page.sessions] == [text]
    walked, cursor = [], ""
    while True:
        page = await store.list_sessions(org, SessionFilter(limit=3, cursor=cursor))
        walked += [found.id for found in page.sessions]
        cursor = page.next_cursor
        if not cursor:
            break
    assert walked == sorted(TEXTS.values(), reverse=True)


async def test_bytes_that_are_no_text_are_read_with_replacements(store: AsyncClickHouseStore, org: str) -> None:
    """Rows that somebody else wrote into the database."""
    async with connected(store) as connection:
        await connection.fetch(
            sql(
                "INSERT INTO messages (org_id, session_id, ordinal, content)"
                " SELECT {org}, 's', number, concat('a', unhex('ff'), 'b') FROM numbers(3)",
                org=org,
            ),
            {},
            timeout=60,
        )
    await store.write_batch(org, [session("s")], [message(3, "whole ä a", session_id="s")])
    found = await store.get_session_messages(org, "s")
    assert [m.content for m in found] == ["a\ufffdb"] * 3 + ["whole ä a"]
    page = await store.search(org, SearchQuery(query="A"))
    assert [hit.ordinal for hit in page.results] == [0, 1, 2, 3]
