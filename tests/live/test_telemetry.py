"""Telemetry, by the SDK's in-memory exporters in a process of its own: a provider is set once in a process's life."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import asyncio, json, os, sys
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from agentstore import AgentStoreError, AsyncClickHouseStore, Message, SearchQuery, Session
from agentstore.connection.sql import sql

exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))


async def main():
    org = os.environ["ORG"]
    # The store is there before the providers are: a program sets them up when it likes.
    store = AsyncClickHouseStore()
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    async with store:
        with trace.get_tracer("mine").start_as_current_span("request"):
            message = Message(ordinal=0, content="sesame")
            await store.write_session(org, Session(id="s", user_message_count=1), [message])
            await store.search(org, SearchQuery(query="sesame"))
            for failing in (store.get_session(org, "none"), store._open_pool.fetch(sql("SELECT throwIf(1, 'sesame')"))):
                try:
                    await failing
                except AgentStoreError:
                    pass
        while_open = reader.get_metrics_data().to_json()
    print(json.dumps({
        "spans": [json.loads(one.to_json()) for one in exporter.get_finished_spans()],
        "open": json.loads(while_open),
        "closed": json.loads(reader.get_metrics_data().to_json()),
    }))


asyncio.run(main())
"""


def run(server: Server, database: str, org: str, program: str) -> subprocess.CompletedProcess[str]:
    dsn = f"{server.dsn}{'&' if '?' in server.dsn else '?'}database={database}"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={**os.environ, "AGENTSTORE_DSN": dsn, "ORG": org, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def told(server: Server, database: str) -> Any:
    done = run(server, database, "org-of-telemetry", PROGRAM)
    assert (done.returncode, done.stderr) == (0, "")
    assert "org-of-telemetry" not in done.stdout
    assert "sesame" not in done.stdout
    return json.loads(done.stdout)


def points(data: Any, name: str) -> list[Any]:
    (scope,) = [one for one in data["resource_metrics"][0]["scope_metrics"] if one["scope"]["name"] == "agentstore"]
    found = [one["data"]["data_points"] for one in scope["metrics"] if one["name"] == name]
    return found[0] if found else []


def test_statements_are_within_the_call_they_are_of(told: Any) -> None:
    spans = {span["context"]["span_id"]: span for span in told["spans"]}
    by_name: dict[str, list[Any]] = {}
    for span in spans.values():
        by_name.setdefault(span["name"], []).append(span)
    (request,) = by_name["request"]
    (search,) = by_name["agentstore.search"]
    assert search["parent_id"] == request["context"]["span_id"]
    within = [span for span in spans.values() if span["parent_id"] == search["context"]["span_id"]]
    assert {span["name"] for span in within} == {"SELECT"}
    for span in within:
        assert span["kind"] == "SpanKind.CLIENT"
        shown = span["attributes"]
        assert shown["db.system.name"] == "clickhouse"
        assert shown["db.namespace"]
        assert shown["db.operation.name"] == "SELECT"
        assert shown["server.address"]
        assert shown["server.port"] > 0
    (written,) = by_name["INSERT messages"]
    assert written["attributes"]["db.collection.name"] == "messages"
    assert by_name["agentstore.write_session"]


def test_failures_are_told_without_what_was_said(told: Any) -> None:
    (missing,) = [span for span in told["spans"] if span["name"] == "agentstore.get_session"]
    assert missing["status"]["status_code"] == "ERROR"
    assert missing["attributes"]["error.type"] == "NotFoundError"
    (refused,) = [span for span in told["spans"] if span["attributes"].get("db.response.status_code")]
    assert refused["attributes"]["db.response.status_code"] == "395"
    assert refused["attributes"]["error.type"] == "QueryError"
    assert not any(span["events"] for span in told["spans"])


def test_metrics_are_those_of_the_conventions_and_our_own(told: Any) -> None:
    durations = points(told["open"], "db.client.operation.duration")
    assert {point["attributes"]["db.operation.name"] for point in durations} >= {"SELECT", "INSERT"}
    assert all(point["attributes"]["db.system.name"] == "clickhouse" for point in durations)
    rows = {p["attributes"]["db.collection.name"]: p["value"] for p in points(told["open"], "agentstore.writer.rows")}
    assert (rows["sessions"], rows["messages"], rows["tool_calls"]) == (1, 1, 0)
    states = points(told["open"], "db.client.connection.count")
    assert {point["attributes"]["db.client.connection.pool.name"] for point in states} == {"reads", "writes"}
    assert sum(point["value"] for point in states) >= 2
    # What was written is not taken back when the store is closed; its connections are gone.
    rows = {p["attributes"]["db.collection.name"]: p["value"] for p in points(told["closed"], "agentstore.writer.rows")}
    assert rows["messages"] == 1
    assert points(told["closed"], "db.client.connection.count") == []


def test_without_the_api_nothing_of_it_is_loaded(server: Server, database: str, org: str) -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "opentelemetry" else find(name, *more)
import asyncio, os
from agentstore import AsyncClickHouseStore, Session

async def main():
    async with AsyncClickHouseStore() as store:
        await store.write_session(os.environ["ORG"], Session(id="s", user_message_count=1))
        total = (await store.list_sessions(os.environ["ORG"])).total
        print(total, [name for name in sys.modules if name.startswith("opentelemetry")])

asyncio.run(main())
"""
    done = run(server, database, org, program)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "1 ['opentelemetry']\n")
