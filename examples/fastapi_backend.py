"""A web backend with FastAPI on a store.

    pip install 'agentstore[local]' fastapi uvicorn
    export AGENTSTORE_DSN=local:.agentstore-demo
    export BACKEND_TOKENS='{"a-long-secret": "demo"}'
    uvicorn --app-dir examples fastapi_backend:app
    curl -H 'Authorization: Bearer a-long-secret' 'http://127.0.0.1:8000/sessions'
    curl -H 'Authorization: Bearer a-long-secret' 'http://127.0.0.1:8000/search?q=tide'

The documentation of the API is at /docs. BACKEND_TOKENS says to which organisation a token belongs; put your own login
in the place of ``organisation``.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from agentstore import AsyncClickHouseStore, Message, SearchQuery, SearchResult, Session, SessionFilter, SessionPage
from agentstore.integrations.fastapi import Store, StructRoute, add_error_handlers, lifespan
from agentstore.integrations.hits import marked_html
from agentstore.integrations.running import Turns, while_connected

Limit = Annotated[int, Query(ge=1, le=200)]

# --- who asks --------------------------------------------------------------------------------------------------

# Digests, so that to compare them takes the same time whatever was sent.
ORGANISATIONS = {
    hashlib.sha256(token.encode()).digest(): org
    for token, org in json.loads(os.environ.get("BACKEND_TOKENS", "{}")).items()
    if token and org
}
bearer = HTTPBearer(auto_error=False)


def organisation(login: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
    """The organisation that the login belongs to: never one that the client names, and never none."""
    org = ORGANISATIONS.get(hashlib.sha256(login.credentials.encode()).digest(), "") if login else ""
    if not org:
        raise HTTPException(401, "a known token is needed", {"WWW-Authenticate": "Bearer"})
    return org


Organisation = Annotated[str, Depends(organisation)]

# --- what is asked ---------------------------------------------------------------------------------------------

router = APIRouter(route_class=StructRoute)
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


@router.get("/sessions")
async def sessions(store: Store, org: Organisation, cursor: str = "", limit: Limit = 50, user: str = "") -> SessionPage:
    """One page; the next one is that of ``next_cursor``, "" after the last."""
    return await store.list_sessions(org, SessionFilter(cursor=cursor, limit=limit, user_id=user))


@router.get("/sessions/{id}")
async def session(id: str, store: Store, org: Organisation) -> Session:
    return await store.get_session(org, id)


@router.get("/sessions/{id}/messages")
async def messages(id: str, store: Store, org: Organisation, after: int = -1, limit: Limit = 50) -> list[Message]:
    """Messages after an ordinal, so that a page begins where the last one ended, whatever was written meanwhile."""
    return await store.get_session_messages(org, id, after_ordinal=after, limit=limit)


@router.get("/search")
async def search(
    request: Request, store: Store, org: Organisation, q: str, cursor: str = "", limit: Limit = 50
) -> Hits:
    """Stops, on the database too, when the client goes away: as people type, most searches are given up."""
    async with searches:
        page = await while_connected(
            request.receive, store.search(org, SearchQuery(query=q, cursor=cursor, limit=limit))
        )
    return Hits([Hit(one, marked_html(one)) for one in page.results], page.next_cursor, page.total)


@router.get("/health")
async def health(store: Store) -> dict[str, float]:
    """Whether the database answers, for who watches the process: 503 or 504 where it does not."""
    return {"ping_seconds": await store.ping()}


app = FastAPI(title="History of coding agents", lifespan=lifespan(AsyncClickHouseStore))
app.include_router(router)
add_error_handlers(app)
