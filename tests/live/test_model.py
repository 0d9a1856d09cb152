"""Random writes, rewrites, removals, replaces, deletes, flushes and reads, against plain dicts as the model."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from agentstore import AsyncClickHouseStore, GitLink, Message, NotFoundError, SessionStar, ToolCall
from agentstore.write.receipt import Receipt
from tests.builders import at, call, commit, message, session
from tests.live.copies import differences
from tests.servers import Server

R = TypeVar("R")

IDS = st.sampled_from(["a", "b", "c"])
ORDINALS = st.sets(st.integers(0, 4), max_size=5)
TEXTS = st.text(max_size=8)
USERS = st.sampled_from(["ada", "jonas"])


def test_the_store_behaves_like_dicts(server: Server, database: str) -> None:
    """One loop and two stores for all examples; each example has an organisation of its own."""
    loop = asyncio.new_event_loop()
    try:
        stores = [
            loop.run_until_complete(AsyncClickHouseStore.connect(server.dsn, database=database)) for _ in range(2)
        ]
        Machine.loop, Machine.stores = loop, stores
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=int(os.environ.get("AGENTSTORE_HISTORIES", "25")),
                stateful_step_count=15,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
        assert loop.run_until_complete(differences(stores[0])) == []
        for store in stores:
            loop.run_until_complete(store.aclose())
    finally:
        loop.close()


class Machine(RuleBasedStateMachine):
    """Every write is made on the store and on the dicts; every read compares the two."""

    loop: asyncio.AbstractEventLoop
    stores: list[AsyncClickHouseStore]

    def __init__(self) -> None:
        super().__init__()
        self.store = self.stores[0]
        self.org = f"org-{uuid.uuid4().hex[:12]}"
        self.sessions: dict[str, str] = {}
        self.messages: dict[tuple[str, int], str] = {}
        self.calls: dict[tuple[str, int], str] = {}
        self.links: dict[tuple[str, str], str] = {}
        self.stars: set[tuple[str, str]] = set()
        self.receipts: list[Receipt] = []

    def wait(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 60))

    @initialize()
    def nothing_is_there(self) -> None:
        assert self.wait(self.store.list_sessions(self.org)).total == 0

    # --- writes ---------------------------------------------------------------------------------------------------

    @rule(id=IDS, ordinals=ORDINALS, calls=ORDINALS, text=TEXTS, replace=st.booleans(), submit=st.booleans())
    def write(self, id: str, ordinals: set[int], calls: set[int], text: str, replace: bool, submit: bool) -> None:
        rows: list[Message] = [message(n, text) for n in ordinals]
        tools: list[ToolCall] = [call(n, tool_use_id="t", input_json=text) for n in calls]
        record = session(id, display_name=text)
        if submit:

            async def begin() -> Receipt:
                return self.store.submit_session(self.org, record, rows, tools, replace=replace)

            self.receipts.append(self.wait(begin()))
        else:
            self.wait(self.store.write_session(self.org, record, rows, tools, replace=replace))
        if replace:
            self._forget(id)
        self.sessions[id] = text
        self.messages |= {(id, n): text for n in ordinals}
        self.calls |= {(id, n): text for n in calls}

    @rule(id=IDS, first=ORDINALS, second=ORDINALS, calls=ORDINALS, text=TEXTS, submit=st.booleans())
    def replace_in_parts(
        self, id: str, first: set[int], second: set[int], calls: set[int], text: str, submit: bool
    ) -> None:
        """After what was submitted and may not be accepted yet."""
        record, tools = session(id, display_name=text), [call(n, tool_use_id="t", input_json=text) for n in calls]

        async def parts() -> None:
            mark = await self.store.mark()
            rows = [message(n, text) for n in first]
            if submit:
                self.receipts.append(self.store.submit_session(self.org, session(id), rows))
            else:
                await self.store.write_session(self.org, session(id), rows)
            rows = [message(n, text) for n in second]
            await self.store.write_session(self.org, record, rows, tools, replace=mark)

        self.wait(parts())
        self._forget(id)
        self.sessions[id] = text
        self.messages |= {(id, n): text for n in first | second}
        self.calls |= {(id, n): text for n in calls}

    @rule(ids=st.sets(IDS), ordinals=ORDINALS, text=TEXTS)
    def write_many(self, ids: set[str], ordinals: set[int], text: str) -> None:
        rows = [message(n, text, session_id=id) for id in ids for n in ordinals]
        self.wait(self.store.write_batch(self.org, [session(id, display_name=text) for id in ids], rows))
        self.sessions |= dict.fromkeys(ids, text)
        self.messages |= {(id, n): text for id in ids for n in ordinals}

    @rule(id=IDS, shas=st.sets(st.sampled_from(["abcd123", "beef456"])), user=USERS)
    def link(self, id: str, shas: set[str], user: str) -> None:
        found: list[GitLink] = [commit(id, sha, user_id=user) for sha in shas]
        self.wait(self.store.write_git_links(self.org, found))
        self.links |= {(id, sha): user for sha in shas}

    @rule(id=IDS, user=USERS)
    def star(self, id: str, user: str) -> None:
        self.wait(self.store.write_session_stars(self.org, [SessionStar(session_id=id, user_id=user, created_at=at())]))
        self.stars.add((id, user))

    @rule(id=IDS, user=USERS)
    def remove_star(self, id: str, user: str) -> None:
        self.wait(self.store.remove_session_stars(self.org, [SessionStar(session_id=id, user_id=user)]))
        self.stars.discard((id, user))

    @rule(ids=st.sets(IDS, min_size=1))
    def delete(self, ids: set[str]) -> None:
        self.wait(self.store.delete_sessions(self.org, ids))
        for id in ids:
            self._forget(id)
            self.sessions.pop(id, None)
        self.links = {key: user for key, user in self.links.items() if key[0] not in ids}
        self.stars = {key for key in self.stars if key[0] not in ids}

    @rule(number=st.integers(0, 1))
    def go_on_with_the_other_store(self, number: int) -> None:
        """What one store has acknowledged is older than what is written through the other one from then on."""
        self._settle()
        self.store = self.stores[number]

    @rule()
    def flush(self) -> None:
        self.wait(self.store.flush())
        assert all(receipt.done() for receipt in self.receipts)

    # --- reads ----------------------------------------------------------------------------------------------------

    @rule(id=IDS)
    def read(self, id: str) -> None:
        self._settle()
        messages = self.wait(self.store.get_session_messages(self.org, id))
        assert [(one.ordinal, one.content) for one in messages] == _of(self.messages, id)
        calls = self.wait(self.store.get_session_tool_calls(self.org, id))
        assert [(one.message_ordinal, one.input_json) for one in calls] == _of(self.calls, id)
        links = self.wait(self.store.get_session_git_links(self.org, id))
        assert sorted((one.commit_sha, one.user_id) for one in links) == _of(self.links, id)
        stars = self.wait(self.store.list_session_stars(self.org, id))
        assert {(one.session_id, one.user_id) for one in stars} == {key for key in self.stars if key[0] == id}

    @rule(id=IDS)
    def look(self, id: str) -> None:
        self._settle()
        try:
            found = self.wait(self.store.get_session(self.org, id)).display_name
        except NotFoundError:
            assert id not in self.sessions
        else:
            assert found == self.sessions[id]

    @invariant()
    def the_writer_holds_no_more_than_it_was_given(self) -> None:
        for figures in (one for store in self.stores for one in store.statistics().values()):
            settled = figures.rows_written + figures.rejected_rows + figures.failed_rows
            assert settled + figures.waiting_rows == figures.accepted_rows

    def teardown(self) -> None:
        self._settle()
        found = self.wait(self.store.list_sessions(self.org)).sessions
        assert {one.id: one.display_name for one in found} == self.sessions

    def _settle(self) -> None:
        """What was submitted is only promised to be there when its receipt says so."""

        async def all_of() -> None:
            for receipt in self.receipts:
                await receipt

        self.wait(all_of())
        self.receipts.clear()

    def _forget(self, id: str) -> None:
        self.messages = {key: text for key, text in self.messages.items() if key[0] != id}
        self.calls = {key: text for key, text in self.calls.items() if key[0] != id}


def _of(rows: dict[tuple[str, Any], str], id: str) -> list[tuple[Any, str]]:
    return sorted((key[1], value) for key, value in rows.items() if key[0] == id)


pytestmark = pytest.mark.timeout(300)
