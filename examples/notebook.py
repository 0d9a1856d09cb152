"""A notebook: each ``# %%`` is a cell. In a plain script or a REPL a cell is one ``asyncio.run``.

A store belongs to the event loop it was opened in, so each cell opens its own; with ``local:PATH`` all of them share
one running server, and opening takes milliseconds. (In Jupyter, whose cells share one loop, write
``store = await AsyncClickHouseStore.connect("local:notebook-store")`` once and go on with ``await store.…``.)
"""

# %%
from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agentstore import AsyncClickHouseStore, Message, SearchQuery, Session

T = TypeVar("T")
TARGET = os.environ.get("AGENTSTORE_DSN", "local:notebook-store")
ORG = "notebook"


def cell(work: Callable[[AsyncClickHouseStore], Awaitable[T]]) -> T:
    """Run ``work`` with an open store, in an event loop of its own."""

    async def run() -> T:
        async with AsyncClickHouseStore(TARGET) as store:
            return await work(store)

    return asyncio.run(run())


# %% Create the tables. Harmless where they are there.
applied = cell(lambda store: store.ensure_schema())

# %% Write a session with its messages.
now = dt.datetime.now(dt.UTC)
session = Session(id="first", user_id="me", user_name="Me", started_at=now, message_count=2, user_message_count=1)
messages = [
    Message(ordinal=0, role="user", content="How long is the coast of Britain?", timestamp=now),
    Message(ordinal=1, role="assistant", content="It depends on the length of your ruler.", timestamp=now),
]
cell(lambda store: store.write_session(ORG, session, messages))

# %% Read it back.
for message in cell(lambda store: store.get_session_messages(ORG, "first")):
    print(f"{message.ordinal} {message.role}: {message.content}")

# %% Search.
page = cell(lambda store: store.search(ORG, SearchQuery(query="RULER")))
for hit in page.results:
    print([hit.snippet[mark.start : mark.end] for mark in hit.highlights], "in", hit.snippet)
