"""The parts of a web backend, each by itself: answers to errors, HTML of hits, what runs for a client."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import given
from hypothesis import strategies as st

from agentstore import (
    AgentStoreError,
    AlreadyThereError,
    AuthenticationError,
    ConfigError,
    ConnectionFailedError,
    Highlight,
    InvalidArgumentError,
    InvalidCursorError,
    NotFoundError,
    OperationTimeoutError,
    PoolTimeoutError,
    QueryError,
    SchemaError,
    SearchResult,
    Session,
    SessionPurgedError,
    StoreClosedError,
    WriteError,
)
from agentstore.integrations.fastapi import StructRoute, add_error_handlers
from agentstore.integrations.hits import marked_html
from agentstore.integrations.problems import answer_to, problem_of
from agentstore.integrations.running import ClientGoneError, Turns, while_connected

SECRET = "host db7.internal: SELECT secret"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidArgumentError("limit: too large", field="limit", hint="at most 1000"), 400),
        (InvalidCursorError("no cursor", field="cursor"), 400),
        (NotFoundError("no session 'x'"), 404),
        (AlreadyThereError("there"), 409),
        (SessionPurgedError("purged"), 410),
        (PoolTimeoutError(SECRET), 503),
        (OperationTimeoutError(SECRET), 504),
        (ConnectionFailedError(SECRET), 503),
        (AuthenticationError(SECRET), 500),
        (QueryError(SECRET, code=202), 503),
        (QueryError(SECRET, code=62), 500),
        (WriteError(SECRET, retriable=True), 503),
        (WriteError(SECRET), 500),
        (SchemaError(SECRET), 500),
        (StoreClosedError(SECRET), 500),
        (ConfigError(SECRET), 500),
    ],
)
def test_an_error_is_a_status_and_tells_nothing_of_the_server(error: AgentStoreError, status: int) -> None:
    answer = answer_to(error)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in answer.headers) == (status == 503)
    assert SECRET.encode() not in answer.body
    told = msgspec.json.decode(answer.body)
    assert told["status"] == status
    if status < 500:
        assert told["detail"] == error.message


def test_a_refused_argument_is_named() -> None:
    problem = problem_of(InvalidArgumentError("limit: too large", field="limit", hint="at most 1000"))
    assert (problem.field, problem.hint) == ("limit", "at most 1000")


@st.composite
def results(draw: st.DrawFn) -> SearchResult:
    snippet = draw(st.text(st.one_of(st.sampled_from("<>&\"'\x00\x1b\u202e\u2066\n\t"), st.characters()), max_size=40))
    ends = sorted(draw(st.lists(st.integers(0, len(snippet)), max_size=6, unique=True)))
    hits = [Highlight(start, end) for start, end in zip(ends[::2], ends[1::2], strict=False)]
    return SearchResult(snippet=snippet, highlights=hits)


@given(results())
def test_html_of_a_hit_is_its_text_with_marks_and_nothing_else(result: SearchResult) -> None:
    made = marked_html(result)
    parts = re.split(r"<mark>(.*?)</mark>", made, flags=re.DOTALL)
    assert not re.search("[<>\"'\x00\x1b\u202e\u2066]", "".join(parts))
    shown = [html.unescape(part) for part in parts]
    harmful = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
    assert "".join(shown) == harmful.sub("\ufffd", result.snippet)
    marked = [harmful.sub("\ufffd", result.snippet[hit.start : hit.end]) for hit in result.highlights]
    assert shown[1::2] == marked


class Client:
    """What comes from a client: its request, and at some time that it is gone."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._first = True

    async def receive(self) -> Mapping[str, Any]:
        if self._first:
            self._first = False
            return {"type": "http.request", "body": b""}
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def test_work_is_done_while_the_client_is_there() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    async def failing() -> str:
        await asyncio.sleep(0)
        raise NotFoundError("none")

    assert await while_connected(Client().receive, work()) == "done"
    with pytest.raises(NotFoundError):
        await while_connected(Client().receive, failing())


async def test_work_is_cancelled_when_the_client_goes_or_the_caller_is() -> None:
    ended: list[str] = []
    started = asyncio.Event()

    async def work(name: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    client = Client()
    task = asyncio.create_task(while_connected(client.receive, work("client")))
    await started.wait()
    client.gone.set()
    with pytest.raises(ClientGoneError):
        await task
    started.clear()
    task = asyncio.create_task(while_connected(Client().receive, work("caller")))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["client", "caller"]


async def test_turns_are_bounded_and_given_back() -> None:
    turns, go, full, most = Turns(running=2, waiting=1), asyncio.Event(), asyncio.Event(), 0
    running = 0

    async def work() -> None:
        nonlocal running, most
        async with turns:
            running += 1
            most = max(most, running)
            if running == 2:
                full.set()
            await go.wait()
            running -= 1

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    await full.wait()
    with pytest.raises(PoolTimeoutError):
        async with turns:
            pass
    tasks[2].cancel()  # one that waits: its room is free again
    await asyncio.wait([tasks[2]])
    third = asyncio.create_task(work())
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*tasks[:2], third)
    assert (running, most) == (0, 2)
    async with turns:
        pass


async def test_a_route_may_return_records_or_anything_else() -> None:
    router = APIRouter(route_class=StructRoute)

    @router.get("/one")
    async def one() -> Session:
        return Session(id="s")

    @router.get("/in-a-thread")
    def in_a_thread() -> dict[str, list[Session]]:
        return {"all": [Session(id="t")]}

    @router.get("/plain")
    async def plain() -> dict[str, int]:
        return {"n": 1}

    @router.get("/failing")
    async def failing() -> Session:
        raise SchemaError(SECRET)

    app = FastAPI()
    app.include_router(router)
    add_error_handlers(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert msgspec.json.decode((await client.get("/one")).content, type=Session) == Session(id="s")
        assert (await client.get("/in-a-thread")).json()["all"][0]["id"] == "t"
        assert (await client.get("/plain")).json() == {"n": 1}
        failed = await client.get("/failing")
        assert (failed.status_code, SECRET in failed.text) == (500, False)
        schema = (await client.get("/openapi.json")).json()["paths"]
    told = schema["/one"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert {"id", "started_at", "message_count"} <= set(told["properties"])
    assert "$ref" not in str(schema["/in-a-thread"])
