from __future__ import annotations

import datetime as dt

from agentstore import AsyncClickHouseStore, Message, SearchQuery, Session


async def test_a_session_written_is_listed_read_and_found(store: AsyncClickHouseStore, org: str) -> None:
    started = dt.datetime(2026, 1, 2, 3, 4, 5, 123456, dt.UTC)
    session = Session(id="s1", org_id=org, started_at=started, user_message_count=1)
    message = Message(ordinal=0, org_id=org, session_id="s1", role="user", content="Großer ÄRGER")
    await store.write_session(org, session, [message])
    assert (await store.list_sessions(org)).sessions == [session]
    assert await store.get_session_messages(org, "s1") == [message]
    page = await store.search(org, SearchQuery(query="ärger"))
    assert [(hit.session_id, hit.ordinal) for hit in page.results] == [("s1", 0)]
