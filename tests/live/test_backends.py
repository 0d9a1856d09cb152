"""The example backends as a user runs them: uvicorn in a process of its own, asked over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from agentstore import AsyncClickHouseStore, Message, Session, SessionPage
from tests.builders import message, session
from tests.live.test_gone_callers import corpus, hold_back, watching
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
BACKENDS = ("fastapi_backend", "litestar_backend")
HOSTILE = 'Ebbe <script>alert("1")</script> & Flut \x1b[31m\u202e'

__all__ = ["corpus"]


@contextlib.contextmanager
def backend(name: str, dsn: str, tokens: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of the backend in a process, ended with SIGTERM if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--app-dir", "examples", f"{name}:app", "--port", "0", "--no-access-log"],
        cwd=ROOT,
        env={**os.environ, "AGENTSTORE_DSN": dsn, "BACKEND_TOKENS": json.dumps(tokens), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = ""
        while (found := re.search(r"running on (http://[\d.:]+)", said)) is None:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield found[1], process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def dsn_of(server: Server, database: str) -> str:
    return f"{server.dsn}{'&' if '?' in server.dsn else '?'}database={database}"


@pytest.fixture(params=BACKENDS)
def asked(request: pytest.FixtureRequest, server: Server, database: str, org: str) -> Iterator[httpx.Client]:
    """A client of a backend that knows two tokens; ``mine`` is that of the organisation of this test."""
    with (
        backend(request.param, dsn_of(server, database), {"mine": org, "others": f"{org}-2", "": org, "empty": ""}) as (
            address,
            _,
        ),
        httpx.Client(base_url=address, headers={"Authorization": "Bearer mine"}, timeout=30) as client,
    ):
        yield client


@pytest.fixture
async def filled(store: AsyncClickHouseStore, org: str) -> str:
    for n in range(3):
        await store.write_session(org, session(f"s{n}", user_id="u"), [message(i, HOSTILE) for i in range(4)])
    await store.write_session(f"{org}-2", session("theirs"), [message(0, "Ebbe")])
    return org


def test_it_answers_with_records_a_page_at_a_time(filled: str, asked: httpx.Client, org: str) -> None:
    import msgspec

    first = msgspec.json.decode(asked.get("/sessions", params={"limit": 2}).content, type=SessionPage)
    rest = msgspec.json.decode(asked.get("/sessions", params={"cursor": first.next_cursor}).content, type=SessionPage)
    assert [one.id for one in [*first.sessions, *rest.sessions]] == ["s2", "s1", "s0"]
    assert (first.total, rest.next_cursor) == (3, "")
    one = msgspec.json.decode(asked.get("/sessions/s1").content, type=Session)
    assert (one.id, one.org_id, one.user_id) == ("s1", org, "u")
    answer = asked.get("/sessions/s1/messages", params={"after": 1, "limit": 2})
    assert answer.headers["content-type"].startswith("application/json")
    messages = msgspec.json.decode(answer.content, type=list[Message])
    assert [(one.ordinal, one.content) for one in messages] == [(2, HOSTILE), (3, HOSTILE)]


def test_hits_are_html_that_cannot_do_anything(filled: str, asked: httpx.Client) -> None:
    found = asked.get("/search", params={"q": "FLUT"}).json()
    assert found["total"] == 12
    for hit in found["hits"]:
        assert hit["html"] == (
            "Ebbe &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; <mark>Flut</mark> \ufffd[31m\ufffd"
        )


def test_errors_are_statuses_that_say_what_to_do(filled: str, asked: httpx.Client) -> None:
    for path, params, status, field in (
        ("/sessions/none", {}, 404, None),
        ("/sessions", {"cursor": "rubbish"}, 400, "cursor"),
        ("/search", {"q": ""}, 400, "query"),
    ):
        answer = asked.get(path, params=params)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json().get("field") == field
        assert answer.json()["detail"]
    assert asked.get("/sessions", params={"limit": 0}).status_code in (400, 422)
    assert asked.get("/elsewhere").status_code == 404


def test_the_organisation_is_that_of_the_login(filled: str, asked: httpx.Client, org: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer empty"},
    ):
        for path in ("/sessions", "/sessions/s1", "/sessions/s1/messages", "/search?q=Ebbe"):
            answer = httpx.get(asked.base_url.join(path), headers={"X-Org": org, **headers})
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), (headers, path)
    others = {"Authorization": "Bearer others", "X-Org": org}
    assert [one["id"] for one in asked.get("/sessions", headers=others).json()["sessions"]] == ["theirs"]
    assert asked.get("/sessions/s1", headers=others).status_code == 404
    assert asked.get("/search?q=Ebbe&org=" + org, headers=others).json()["total"] == 1
    assert 0 < httpx.get(asked.base_url.join("/health")).json()["ping_seconds"] < 5


@pytest.mark.parametrize("name", BACKENDS)
def test_it_ends_when_it_is_told_and_says_when_it_cannot_start(
    name: str, server: Server, database: str, org: str
) -> None:
    with backend(name, dsn_of(server, database), {"mine": org}) as (address, process):
        assert httpx.get(f"{address}/health").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    with pytest.raises(AssertionError, match=r"127\.0\.0\.1:1"), backend(name, "clickhouse://127.0.0.1:1/x", {}):
        pass


@pytest.mark.parametrize("name", BACKENDS)
def test_its_documentation_has_the_records(name: str, server: Server, database: str) -> None:
    with backend(name, dsn_of(server, database), {}) as (address, _):
        schema = httpx.get(f"{address}/{'openapi' if name.startswith('fast') else 'schema/openapi'}.json").json()
    answer = schema["paths"]["/sessions"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    while "$ref" in answer:
        answer = schema["components"]["schemas"][answer["$ref"].rpartition("/")[2]]
    assert {"sessions", "next_cursor", "total"} == set(answer["properties"])


@contextlib.asynccontextmanager
async def served(application: Any) -> AsyncIterator[int]:
    """The application in this process, on a free port."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="critical"))
    # Not uvicorn's own signal handlers: they would end the tests.
    running = asyncio.create_task(server._serve())
    try:
        while not server.started:
            assert not running.done()
            await asyncio.sleep(0)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("name", BACKENDS)
async def test_a_search_stops_when_its_client_goes_away(
    name: str, server: Server, database: str, corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.setenv("AGENTSTORE_DSN", dsn_of(server, database))
    monkeypatch.setenv("BACKEND_TOKENS", json.dumps({"mine": corpus}))
    sys.modules.pop(name, None)
    module = __import__(name)
    async with served(module.app) as port, watching(server, corpus) as processes:
        hold_back(monkeypatch, corpus)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /search?q=zq HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer mine\r\n\r\n")
        await processes.appear()
        writer.close()
        await writer.wait_closed()
        await processes.end()
