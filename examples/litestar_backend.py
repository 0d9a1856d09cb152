"""A web backend with Litestar on a store.

    pip install 'agentstore[local]' 'litestar<3' uvicorn
    export AGENTSTORE_DSN=local:.agentstore-demo
    export BACKEND_TOKENS='{"a-long-secret": "demo"}'
    uvicorn --app-dir examples litestar_backend:app
    curl -H 'Authorization: Bearer a-long-secret' 'http://127.0.0.1:8000/sessions'

BACKEND_TOKENS says to which organisation a token belongs; put your own login in the place of ``organisation``.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Annotated, Any

import msgspec
from litestar import Litestar, Request, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath, FromQuery, QueryParameter

from agentstore import AsyncClickHouseStore, Message, SearchQuery, SearchResult, Session, SessionFilter, SessionPage
from agentstore.integrations.hits import marked_html
from agentstore.integrations.litestar import AgentStorePlugin
from agentstore.integrations.running import Turns, while_connected

Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Store = NamedDependency[AsyncClickHouseStore]
Organisation = NamedDependency[str]

# --- who asks --------------------------------------------------------------------------------------------------

# Digests, so that to compare them takes the same time whatever was sent.
ORGANISATIONS = {
    hashlib.sha256(token.encode()).digest(): org
    for token, org in json.loads(os.environ.get("BACKEND_TOKENS", "{}")).items()
    if token and org
}


def organisation(request: Request[Any, Any, Any]) -> str:
    """The organisation that the login belongs to: never one that the client names, and never none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    org = ORGANISATIONS.get(hashlib.sha256(token.encode()).digest(), "") if scheme.lower() == "bearer" else ""
    if not org:
        raise NotAuthorizedException("a known token is needed", headers={"WWW-Authenticate": "Bearer"})
    return org


# --- what is asked ---------------------------------------------------------------------------------------------

# As many searches at once as the database should have from this process. A few more wait, others are told to come back.
searches = Turns(running=4, waiting=16)


class Hit(msgspec.Struct):
    """A hit, and its snippet as HTML with the hits marked: safe to be put into a page."""

    result: SearchResult
    html: str


class Hits(msgspec.Struct):
    """One page of hits."""

    hits: list[Hit]
    next_cursor: str
    total: int


@get("/sessions")
async def sessions(
    store: Store, org: Organisation, cursor: FromQuery[str] = "", limit: Limit = 50, user: FromQuery[str] = ""
) -> SessionPage:
    """One page; the next one is that of ``next_cursor``, "" after the last."""
    return await store.list_sessions(org, SessionFilter(cursor=cursor, limit=limit, user_id=user))


@get("/sessions/{id:str}")
async def session(id: FromPath[str], store: Store, org: Organisation) -> Session:
    return await store.get_session(org, id)


@get("/sessions/{id:str}/messages")
async def messages(
    id: FromPath[str], store: Store, org: Organisation, after: FromQuery[int] = -1, limit: Limit = 50
) -> list[Message]:
    """Messages after an ordinal, so that a page begins where the last one ended, whatever was written meanwhile."""
    return await store.get_session_messages(org, id, after_ordinal=after, limit=limit)


@get("/search")
async def search(
    request: Request[Any, Any, Any],
    store: Store,
    org: Organisation,
    q: FromQuery[str],
    cursor: FromQuery[str] = "",
    limit: Limit = 50,
) -> Hits:
    """Stops, on the database too, when the client goes away: as people type, most searches are given up."""
    async with searches:
        page = await while_connected(
            request.receive, store.search(org, SearchQuery(query=q, cursor=cursor, limit=limit))
        )
    return Hits([Hit(one, marked_html(one)) for one in page.results], page.next_cursor, page.total)


@get("/health")
async def health(store: Store) -> dict[str, float]:
    """Whether the database answers, for who watches the process: 503 or 504 where it does not."""
    return {"ping_seconds": await store.ping()}


app = Litestar(
    [sessions, session, messages, search, health],
    dependencies={"org": Provide(organisation, sync_to_thread=False)},
    plugins=[AgentStorePlugin(AsyncClickHouseStore)],
)
