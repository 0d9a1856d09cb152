"""The API beside the store: every answer is the library's own, decoded into the record that it is."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args
from urllib.parse import quote

import httpx
import msgspec
import pytest

from agentstore import (
    AsyncClickHouseStore,
    Changes,
    CostReport,
    DailyActivity,
    FileHistory,
    GitLink,
    GitLinkPage,
    GitLinkResult,
    HeatmapCell,
    Message,
    MessageOutline,
    MessagePin,
    ModelTokenUsage,
    ProjectInfo,
    SearchPage,
    SearchQuery,
    Session,
    SessionFile,
    SessionFilter,
    SessionPage,
    SessionStar,
    Summary,
    ToolCall,
    ToolUsageStat,
    UserInfo,
    UserUsage,
)
from agentstore.filters import AnalyticsFilter
from agentstore.integrations.problems import Problem
from agentstore.read.costs_sql import KEYS
from agentstore.web.api import parameters
from agentstore.web.api.sessions import ToolCallPage
from agentstore.web.api.statistics import CostKey
from tests.cli.running import ROOT, Cli
from tests.web.serving import SECONDS, Pages, served

API = "/api/v1"
PAGE = ROOT / "docs" / "reference" / "http.md"
TIDE = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"
GEMINI = "gemini:b7e4c1d8-26f3-4a95-8d10-3c9f5e7a2b64"
SPAN: dict[str, Any] = {"date_from": "2026-03-02", "date_to": "2026-03-04", "tz": "Asia/Tokyo"}
Ask = Callable[[AsyncClickHouseStore], Awaitable[Any]]


class Asked(NamedTuple):
    """The same question to both: as an address, and as a call of the library."""

    path: str
    type: Any
    ask: Ask
    parameters: Mapping[str, Any] = MappingProxyType({})


def _statistics(name: str, type: Any, method: str, *arguments: Any, **more: Any) -> list[Asked]:
    def ask(**keywords: Any) -> Ask:
        return lambda store: getattr(store, method)("local", *arguments, **keywords)

    path = f"/statistics/{name}"
    return [
        Asked(path, type, ask(), more),
        Asked(path, type, ask(**SPAN, user_id="ada"), {**more, **SPAN, "user_id": "ada"}),
    ]


ASKED = [
    Asked("/sessions", SessionPage, lambda s: s.list_sessions("local")),
    Asked(
        "/sessions",
        SessionPage,
        lambda s: s.list_sessions("local", SessionFilter(user_id="mei", include_subagents=True, limit=2)),
        {"user_id": "mei", "include_subagents": "true", "limit": 2},
    ),
    Asked(
        "/sessions",
        SessionPage,
        lambda s: s.list_sessions(
            "local", SessionFilter(title="TIDE clock", with_commits=True, active_to="2026-03-03")
        ),
        {"title": "TIDE clock", "with_commits": "1", "active_to": "2026-03-03"},
    ),
    Asked(
        "/sessions",
        SessionPage,
        lambda s: s.list_sessions("local", SessionFilter(date_from="2026-03-03T08:00:00+01:00")),
        {"date_from": "2026-03-03T08:00:00+01:00"},
    ),
    Asked(f"/sessions/{TIDE}", Session, lambda s: s.get_session("local", TIDE)),
    Asked(f"/sessions/{quote(GEMINI, safe='')}", Session, lambda s: s.get_session("local", GEMINI)),
    Asked(f"/sessions/{TIDE}/messages", list[Message], lambda s: s.get_session_messages("local", TIDE)),
    Asked(
        f"/sessions/{TIDE}/messages",
        list[Message],
        lambda s: s.get_session_messages("local", TIDE, after_ordinal=2, before_ordinal=8, limit=3),
        {"after": 2, "before": 8, "limit": 3},
    ),
    Asked(f"/sessions/{TIDE}/outline", list[MessageOutline], lambda s: s.session_outline("local", TIDE)),
    Asked(f"/sessions/{TIDE}/git-links", list[GitLink], lambda s: s.get_session_git_links("local", TIDE)),
    Asked(f"/sessions/{TIDE}/files", list[SessionFile], lambda s: s.session_files("local", TIDE)),
    Asked(f"/sessions/{TIDE}/children", list[Session], lambda s: s.list_children("local", [TIDE])),
    Asked(f"/sessions/{TIDE}/stars", list[SessionStar], lambda s: s.list_session_stars("local", TIDE)),
    Asked(f"/sessions/{TIDE}/pins", list[MessagePin], lambda s: s.list_message_pins("local", TIDE)),
    Asked("/search", SearchPage, lambda s: s.search("local", SearchQuery("tide")), {"query": "tide"}),
    Asked(
        "/search",
        SearchPage,
        lambda s: s.search("local", SearchQuery("tide hand", mode="words", role="assistant", limit=3)),
        {"query": "tide hand", "mode": "words", "role": "assistant", "limit": 3},
    ),
    Asked("/commits", list[GitLinkResult], lambda s: s.lookup_git_links("local", sha="4f9d"), {"sha": "4f9d"}),
    Asked("/git-links", GitLinkPage, lambda s: s.list_git_links("local")),
    Asked(
        "/files/history",
        FileHistory,
        lambda s: s.file_history("local", "tideclock/", operations=["edit", "write"], limit=4),
        {"path": "tideclock/", "operations": ["edit", "write"], "limit": 4},
    ),
    Asked("/users", list[UserInfo], lambda s: s.list_users("local")),
    Asked("/projects", list[ProjectInfo], lambda s: s.list_projects("local")),
    Asked("/agents", list[str], lambda s: s.list_agents("local")),
    *_statistics("usage", list[UserUsage], "usage_by_user"),
    *_statistics("heatmap", list[HeatmapCell], "activity_heatmap"),
    *_statistics("tools", list[ToolUsageStat], "tool_usage_distribution"),
    *_statistics("days", list[DailyActivity], "daily_activity"),
    *_statistics("models", list[ModelTokenUsage], "token_usage_by_model"),
    *_statistics("cost", CostReport, "cost_by", "model"),
    *_statistics("cost", CostReport, "cost_by", "day", key="day"),
    *_statistics("summary", Summary, "summary"),
]


@pytest.fixture(scope="module")
def client(sample_pages: Pages) -> Iterator[httpx.Client]:
    """A browser that is logged in: what is here is JSON even where one asks."""
    with sample_pages.client() as client:
        client.base_url = client.base_url.join(API)
        yield client


@pytest.fixture(scope="module")
def answers(sample_cli: Cli) -> list[Any]:
    """What the library says to all that is asked."""

    async def all_of_them() -> list[Any]:
        async with AsyncClickHouseStore(sample_cli.dsn) as store:
            return [await one.ask(store) for one in ASKED]

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("number", range(len(ASKED)), ids=[f"{n}-{one.path}" for n, one in enumerate(ASKED)])
def test_an_answer_is_the_librarys_own(client: httpx.Client, answers: list[Any], number: int) -> None:
    asked = ASKED[number]
    answer = client.get(asked.path, params=asked.parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert msgspec.json.decode(answer.content, type=asked.type) == answers[number]


def test_what_is_asked_here_finds_something(answers: list[Any]) -> None:
    empty = {asked.path for asked, answer in zip(ASKED, answers, strict=True) if answer in ([], SessionPage())}
    assert empty == {f"/sessions/{TIDE}/stars", f"/sessions/{TIDE}/pins"}


def test_changes_tell_where_to_begin_and_go_on(client: httpx.Client) -> None:
    first = msgspec.json.decode(client.get("/changes").content, type=Changes)
    assert first.version > 0
    assert first.session_ids == []
    since_ever = msgspec.json.decode(client.get("/changes", params={"since": 1}).content, type=Changes)
    assert TIDE in since_ever.session_ids


# --- pages ---------------------------------------------------------------------------------------------------------


def walked(client: httpx.Client, path: str, type: Any, rows: str, /, **parameters: Any) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        answer = client.get(path, params={**parameters, "cursor": cursor})
        assert answer.status_code == 200, answer.text
        page = msgspec.json.decode(answer.content, type=type)
        assert 1 <= len(getattr(page, rows)) <= parameters["limit"]
        found += getattr(page, rows)
        if not page.next_cursor:
            return found
        cursor = page.next_cursor


def test_walking_the_cursors_gives_each_session_once(client: httpx.Client) -> None:
    whole = msgspec.json.decode(client.get("/sessions", params={"include_subagents": "true"}).content, type=SessionPage)
    for limit in (1, 2, 5):
        found = walked(client, "/sessions", SessionPage, "sessions", limit=limit, include_subagents="true")
        assert found == whole.sessions
        assert len({one.id for one in found}) == whole.total


@pytest.mark.parametrize("mode", ["substring", "words"])
def test_walking_the_cursors_of_a_search_gives_each_hit_once(client: httpx.Client, mode: str) -> None:
    found = walked(client, "/search", SearchPage, "results", limit=3, query="tide", mode=mode)
    whole = msgspec.json.decode(client.get("/search", params={"query": "tide", "mode": mode}).content, type=SearchPage)
    assert len(whole.results) == whole.total > 3
    assert found == whole.results


def test_walking_the_cursors_of_commits_and_files(client: httpx.Client) -> None:
    links = msgspec.json.decode(client.get("/git-links").content, type=GitLinkPage).links
    assert walked(client, "/git-links", GitLinkPage, "links", limit=1) == links
    history = msgspec.json.decode(client.get("/files/history", params={"path": "tideclock/"}).content, type=FileHistory)
    assert walked(client, "/files/history", FileHistory, "touches", limit=2, path="tideclock/") == history.touches


def test_walking_a_session_gives_each_message_and_call_once(client: httpx.Client, sample_cli: Cli) -> None:
    async def stored() -> tuple[list[Message], list[ToolCall]]:
        async with AsyncClickHouseStore(sample_cli.dsn) as store:
            return await store.get_session_messages("local", TIDE), await store.get_session_tool_calls("local", TIDE)

    messages, calls = asyncio.run(stored())
    for limit in (1, 3, 500):
        assert walked(client, f"/sessions/{TIDE}/tool-calls", ToolCallPage, "tool_calls", limit=limit) == calls
        found: list[Message] = []
        after: dict[str, int] = {}
        while True:
            answer = client.get(f"/sessions/{TIDE}/messages", params={**after, "limit": limit})
            if not (page := msgspec.json.decode(answer.content, type=list[Message])):
                break
            found += page
            after = {"after": page[-1].ordinal}
        assert found == messages


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/sessions?limit=0", "limit"),
        ("/sessions?limit=1001", "limit"),
        ("/sessions?limit=many", "limit"),
        ("/sessions?limt=5", "limt"),
        ("/sessions?limit=1&limit=2", "limit"),
        ("/sessions?cursor=nonsense", "cursor"),
        ("/sessions?date_from=soon", "date_from"),
        ("/sessions?active_to=2026-03-03T08:00", "active_to"),
        ("/sessions?with_commits=perhaps", "with_commits"),
        ("/sessions?org_id=others", "org_id"),
        (f"/sessions/{TIDE}/messages?after=-1", "after"),
        (f"/sessions/{TIDE}/messages?limit=501", "limit"),
        (f"/sessions/{TIDE}/tool-calls?cursor=bnVsbA", "cursor"),
        (f"/sessions/{TIDE}/tool-calls?cursor=%F0", "cursor"),
        ("/search", "query"),
        ("/search?query=tide&mode=guess", "mode"),
        ("/search?query=tide&cursor=e30", "cursor"),
        ("/commits", "sha"),
        ("/commits?sha=nothex", "sha"),
        ("/files/history", "path"),
        ("/files/history?path=x&operations=look", "operations"),
        ("/changes?since=-1", "since"),
        ("/changes?since=9223372036854775807", "since"),
        ("/statistics/cost?key=moon", "key"),
        ("/statistics/days?tz=Mars/Base", "tz"),
        ("/users?limit=1", "limit"),
        ("/openapi.json?x=1", "x"),
    ],
)
def test_a_wrong_parameter_is_named(client: httpx.Client, address: str, field: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = msgspec.json.decode(answer.content, type=Problem)
    assert (problem.status, problem.field) == (400, field)
    assert problem.detail


@pytest.mark.parametrize("path", ["", "/messages", "/outline", "/tool-calls", "/git-links", "/files", "/children"])
def test_a_session_that_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/sessions/nobody{path}")
    assert answer.status_code == 404
    assert "nobody" in msgspec.json.decode(answer.content, type=Problem).detail


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/", 404), ("GET", "/docs", 404), ("GET", "/openapi.yaml", 404),
     ("PUT", "/sessions", 405), ("GET", f"/sessions/{TIDE}/star", 405)],
)  # fmt: skip
def test_it_is_never_html(client: httpx.Client, sample_pages: Pages, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers={"accept": "text/html", "origin": sample_pages.address})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_a_write_from_elsewhere_is_refused(client: httpx.Client) -> None:
    for headers in ({}, {"origin": "http://evil.example"}):
        answer = client.put(f"/sessions/{TIDE}/star", headers=headers)
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get(f"/sessions/{TIDE}/stars").json() == []


def test_head_is_get_without_a_body(client: httpx.Client) -> None:
    for path in ("/sessions", f"/sessions/{TIDE}", "/nowhere", "/sessions?limit=0"):
        got, head = client.get(path), client.head(path)
        assert head.content == b""
        assert head.status_code == got.status_code
        for name in ("content-type", "content-length"):
            assert head.headers[name] == got.headers[name]


# --- the document ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    return told


def parts(told: Any) -> Iterator[dict[str, Any]]:
    if isinstance(told, dict):
        yield told
        told = list(told.values())
    if isinstance(told, list):
        for one in told:
            yield from parts(one)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_the_document_is_whole(document: dict[str, Any], sample_pages: Pages) -> None:
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    references = {part["$ref"] for part in parts(document) if "$ref" in part}
    assert references == {f"#/components/schemas/{name}" for name in schemas}
    assert document["security"] == [{"token": []}, {"login": []}]
    assert document["components"]["securitySchemes"]["login"]["name"] == sample_pages.cookie
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids) > 25
    for schema in schemas.values():
        assert schema["description"]


def test_each_operation_says_what_it_takes_and_answers(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for path, method, operation in operations(document):
        assert operation["summary"].endswith("."), path
        assert set(operation["tags"]) <= tags
        named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))
        ok = operation["responses"]["200" if method == "get" else "204"]
        assert ("content" in ok) is (method == "get"), path
        assert ("404" in operation["responses"]) is ("{session_id}" in path), path
        for status in {"400", "401", "503", "504"}:
            content = operation["responses"][status]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


NEEDED: dict[str, dict[str, str]] = {
    "/search": {"query": "tide"},
    "/commits": {"sha": "4f9d"},
    "/files/history": {"path": "x"},
}


def test_every_path_in_it_answers_with_its_schema(document: dict[str, Any], client: httpx.Client) -> None:
    read = 0
    for path, method, operation in operations(document):
        if method != "get":
            continue
        own = path.removeprefix(API)
        answer = client.get(own.format(session_id=TIDE), params=NEEDED.get(own, {}))
        assert answer.status_code == 200, path
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        check(answer.json(), schema, document["components"]["schemas"])
        read += 1
    assert read > 20


def check(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Whether a value is as a schema of records has it, down to the fields."""
    if reference := schema.get("$ref"):
        schema = schemas[reference.rpartition("/")[2]]
        assert set(value) == set(schema["properties"]) == set(schema["required"])
        for name, inner in schema["properties"].items():
            check(value[name], inner, schemas)
    elif schema.get("type") == "array":
        assert isinstance(value, list)
        for one in value:
            check(one, schema["items"], schemas)
    elif "type" in schema and isinstance(schema["type"], str):
        types: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "object": dict}
        assert isinstance(value, types[schema["type"]])


def test_the_page_about_it_names_every_path(document: dict[str, Any]) -> None:
    named = re.findall(r"^\| `(/[^`]*)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(path.removeprefix(API) for path in document["paths"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_commands_of_the_page_run(sample_cli: Cli, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-sixteen-or-more")
    token.chmod(0o600)
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    with served(sample_cli, "--token-file", str(token)) as pages:
        script = "\n".join(block for block in blocks if "curl" in block)
        script = script.replace("http://127.0.0.1:8377", pages.address).replace(
            "curl -sS", "curl -sS --fail-with-body -w '\\n'"
        )
        environment = {**os.environ, "TOKEN": token.read_text()}
        done = subprocess.run(
            ["bash", "-e", "-c", script], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    sessions, hits, cost, history, messages = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert {one["user_id"] for one in sessions["sessions"]} == {"mei"}
    assert hits["total"] > 0
    assert cost["rows"]
    assert {one["operation"] for one in history["touches"]} == {"edit"}
    assert [one["ordinal"] for one in messages][:1] == [2]


def test_the_parameters_are_the_fields_of_the_filters() -> None:
    def names(provider: Any) -> dict[str, Any]:
        found = inspect.signature(provider).parameters.values()
        return {"query" if one.name == "wanted" else one.name: one.default for one in found}

    def fields(record: Any) -> set[str]:
        return set(record.__struct_fields__)

    assert set(names(parameters.filter_in)) == fields(SessionFilter)
    assert parameters.filter_in() == SessionFilter()
    assert set(names(parameters.query_in)) == fields(SearchQuery)
    assert parameters.query_in("x") == SearchQuery("x")
    assert parameters.counted_in() == {name: getattr(AnalyticsFilter(), name) for name in names(parameters.counted_in)}
    assert set(names(parameters.counted_in)) == set(AnalyticsFilter.__dataclass_fields__)
    assert set(get_args(CostKey)) == set(KEYS)
