"""A span, and a measurement of its duration, for each statement that is sent."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from agentstore.errors import QueryError
from agentstore.telemetry.api import IS_INSTALLED, meter, tracer

# A SELECT may begin with WITH or a parenthesis.
_OPERATION = re.compile(r"[\s(]*(\w+)")
_TABLE = re.compile(r"INSERT INTO `(\w+)`")
# Of the conventions, in seconds.
_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)


class Target:
    """Where a connection leads: what is the same for all its statements."""

    __slots__ = ("attributes",)

    def __init__(self, host: str = "", port: int = 0, database: str = "") -> None:
        self.attributes: dict[str, Any] = {
            "db.system.name": "clickhouse",
            "db.namespace": database,
            "server.address": host,
            "server.port": port,
        }


def statement(target: Target, text: str, query_id: str) -> AbstractContextManager[object]:
    """Around a statement, from when it is sent to when the answer is complete. What is kept of its text is the first
    word, and of an INSERT the table."""
    return _measured(target, text[:200], query_id) if IS_INSTALLED else nullcontext()


@contextlib.contextmanager
def _measured(target: Target, text: str, query_id: str) -> Iterator[None]:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    operation, table = _operation(text), _table(text)
    attributes = {**target.attributes, "db.operation.name": operation}
    if table:
        attributes["db.collection.name"] = table
    started = time.perf_counter()
    with tracer().start_as_current_span(
        f"{operation} {table}" if table else operation,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        # Messages of errors may hold parts of statements.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        span.set_attribute("agentstore.query_id", query_id)
        try:
            yield
        except BaseException as error:
            attributes["error.type"] = type(error).__name__
            if isinstance(error, QueryError):
                attributes["db.response.status_code"] = str(error.code)
            for name in ("error.type", "db.response.status_code"):
                if name in attributes:
                    span.set_attribute(name, attributes[name])
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            _duration().record(time.perf_counter() - started, attributes)


def _operation(text: str) -> str:
    found = _OPERATION.match(text)
    word = found[1].upper() if found else ""
    return "SELECT" if word == "WITH" else word


def _table(text: str) -> str:
    found = _TABLE.match(text)
    return found[1] if found else ""


@cache
def _duration() -> Any:
    name, about = "db.client.operation.duration", "Duration of statements"
    try:
        return meter().create_histogram(name, "s", about, explicit_bucket_boundaries_advisory=_BUCKETS)
    except TypeError:  # older APIs know no such thing, and no statement is to fail for it
        return meter().create_histogram(name, "s", about)
