"""Random histories of families, by two stores: what models spent is that of distinct responses, after every step."""

from __future__ import annotations

import asyncio
import random

import pytest

from agentstore import AsyncClickHouseStore, Message, Session, SessionDelete
from tests.builders import at, message, session
from tests.live.copies import differences
from tests.servers import Server

IDS = ["a", "b", "c", "d", "e"]
STEPS = 15


class History:
    """What was written, as plain dictionaries."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.sessions: dict[str, Session] = {}
        self.rows: dict[str, dict[int, Message]] = {id: {} for id in IDS}
        self.hidden: set[str] = set()
        self.drawn = 0

    def session(self, id: str) -> Session:
        rng = self.rng
        parent, kind = rng.choice(IDS), rng.choice(("", "", "fork", "subagent", "subagent"))
        linked = kind != "" and parent != id
        return session(
            id,
            started_at=at(rng.randrange(3)),
            user_message_count=rng.choice((0, 1, 1, 1)),
            parent_session_id=parent if linked else "",
            relationship_type=kind if linked else "",
        )

    def messages(self, id: str) -> list[Message]:
        return [self.message(id, ordinal) for ordinal in self.rng.sample(range(5), self.rng.randrange(1, 5))]

    def message(self, id: str, ordinal: int) -> Message:
        number = self.rng.choice((0, 1, 2, 3, 4, 5, 6, None))
        if number is None:
            self.drawn += 1
        tokens = 1000 if number is None else 1 << number
        source = "" if number is None else f"m{number}"
        return message(
            ordinal, source, session_id=id, source_id=source, role="assistant", model="x", output_tokens=tokens
        )

    def counts(self, id: str) -> bool:
        if id not in self.sessions or id in self.hidden:
            return False
        seen = set[str]()
        while id not in seen:
            seen.add(id)
            one = self.sessions.get(id)
            if one is None:
                return False
            if one.relationship_type != "subagent":
                return one.user_message_count > 0 and id not in self.hidden
            id = one.parent_session_id
        return False

    def tokens(self) -> int:
        rows = [row for id in IDS if self.counts(id) for row in self.rows[id].values()]
        named = {row.source_id: row.output_tokens for row in rows if row.source_id}
        return sum(named.values()) + sum(row.output_tokens for row in rows if not row.source_id)

    async def step(
        self, store: AsyncClickHouseStore, org: str, id: str, other: AsyncClickHouseStore | None = None
    ) -> str:
        rng = self.rng
        kind = rng.choice(("write", "write", "replace", "rows", "rows", "row", "hide", "show", "delete", "purge"))
        if kind == "purge" and other is None:
            kind = "delete"
        if kind in ("write", "replace"):
            one, rows = self.session(id), self.messages(id)
            if kind == "replace":
                self.rows[id].clear()
            self.sessions[id] = one
            self.rows[id] |= {row.ordinal: row for row in rows}
            await store.write_session(org, one, rows, replace=kind == "replace")
        elif kind == "rows":
            rows = self.messages(id)
            self.rows[id] |= {row.ordinal: row for row in rows}
            await store.write_batch(org, [], rows)
        elif kind == "row":
            self.sessions[id] = self.session(id)
            await store.write_session(org, self.sessions[id])
        elif kind == "hide":
            self.hidden.add(id)
            await store.write_session_deletes(org, [SessionDelete(session_id=id)])
        elif kind == "show":
            self.hidden.discard(id)
            await store.remove_session_deletes(org, [SessionDelete(session_id=id)])
        elif kind == "delete":
            self.forget([id])
            await store.delete_sessions(org, [id])
        else:
            done = await store.purge_sessions(org, [id])
            self.forget(done.session_ids)
            assert other is not None
            for one_store in (store, other):
                await one_store.restore_sessions(org, done.session_ids)
        return f"{kind} {id}"

    def forget(self, ids: list[str]) -> None:
        for id in ids:
            self.sessions.pop(id, None)
            self.hidden.discard(id)
            self.rows.setdefault(id, {}).clear()


async def spent(store: AsyncClickHouseStore, org: str) -> int:
    return sum(one.output_tokens for one in await store.token_usage_by_model(org))


@pytest.mark.parametrize("seed", range(2))
async def test_random_histories(
    store: AsyncClickHouseStore, server: Server, database: str, org: str, seed: int
) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    history = History(rng)
    async with AsyncClickHouseStore(server.dsn, database=database) as other:
        told: list[object] = []
        for _ in range(STEPS):
            if rng.random() < 0.3:
                first, second = rng.sample(IDS, 2)
                told.append(await asyncio.gather(history.step(store, org, first), history.step(other, org, second)))
            else:
                one, two = rng.sample((store, other), 2)
                told.append(await history.step(one, org, rng.choice(IDS), two))
            assert await spent(store, org) == history.tokens(), told
    assert await differences(store) == []
