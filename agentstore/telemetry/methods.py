"""A span for each call of a store's method: the statements that it sends are within it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from agentstore.telemetry.api import IS_INSTALLED, tracer


def traced(kind: type) -> None:
    """Wrap the public coroutine functions that stand in this class."""
    if not IS_INSTALLED:
        return
    for name, method in list(vars(kind).items()):
        if not name.startswith("_") and inspect.iscoroutinefunction(method):
            setattr(kind, name, _in_a_span(name, method))


def _in_a_span(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(*arguments: Any, **keywords: Any) -> Any:
        from opentelemetry.trace import Status, StatusCode

        with tracer().start_as_current_span(
            f"agentstore.{name}", record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                return await method(*arguments, **keywords)
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    return call
