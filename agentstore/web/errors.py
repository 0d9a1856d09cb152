"""What went wrong, told to people on a page and to programs as application/problem+json."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from agentstore.errors import AgentStoreError, ConnectionFailedError, OperationTimeoutError, SchemaError
from agentstore.integrations.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, Problem, problem_of
from agentstore.integrations.running import ClientGoneError
from agentstore.web.access.requests import SAFE_METHODS, wants_html
from agentstore.web.templating import environment, render

_logger = logging.getLogger("agentstore.web")
_TITLES = {
    400: "Refused request",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    413: "Too large",
    429: "Too often",
}
# What Litestar says of a parameter that is not there; the rest of it is the address.
_MISSING = re.compile(r"Missing required \w+ parameter '(\w+)'")
_RETRY_AFTER = {503: RETRY_AFTER_SECONDS, 429: 60}
# What to do next, on a page.
_NEXT = {
    404: "It may have been hidden, or the address is not whole.",
    410: "It was erased for good.",
    503: "This page tries again by itself.",
    504: "A shorter span or one project is quicker.",
}


def told(scope: Any, problem: Problem) -> tuple[bytes, bytes]:
    """A problem's media type and body before any handler runs: nobody is logged in there."""
    if not wants_html(scope):
        return MEDIA_TYPE.encode(), msgspec.json.encode(problem)
    page = environment().get_template("refused.html").render(problem=problem)
    return b"text/html; charset=utf-8", page.encode()


def answer(request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    """A problem as an answer: a page of ours, or JSON."""
    headers = {"retry-after": str(_RETRY_AFTER[problem.status])} if problem.status in _RETRY_AFTER else {}
    if not wants_html(request.scope):
        body = msgspec.json.encode(problem)
        return Response(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)
    # Only what was asked for: what was to be changed is not, and what took too long would do so again.
    tries_again = problem.status == 503 and request.method in SAFE_METHODS
    if tries_again:
        headers["refresh"] = str(5 * RETRY_AFTER_SECONDS)
    page = render(
        "error.html",
        request,
        problem=problem,
        next="" if problem.status == 503 and not tries_again else _NEXT.get(problem.status, ""),
    )
    return Response(page, status_code=problem.status, headers=headers, media_type="text/html")


def _of_store(request: Request[Any, Any, Any], error: AgentStoreError) -> Response[Any]:
    if isinstance(error, SchemaError):
        _logger.error("%s: %s", request.url.path, error)
        return answer(request, Problem(503, "The store's tables are of another version", hint="agentstore schema"))
    problem = problem_of(error)
    if isinstance(error, ConnectionFailedError | OperationTimeoutError):
        _logger.warning("%s: %s", request.url.path, error)
    elif problem.status >= 500:
        _logger.error("%s: %s", request.url.path, error, exc_info=error)
    return answer(request, problem)


def _of_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    status = error.status_code
    detail, field = "", ""
    # Only what Litestar says of parameters: other details may repeat the request.
    if status == 400 and isinstance(error.extra, list) and error.extra:
        first = error.extra[0]
        if isinstance(first, dict):
            detail, field = str(first.get("message", "")), str(first.get("key", ""))
    elif status == 400 and (missing := _MISSING.match(error.detail)):
        field = missing[1]
        detail = f"{field} is missing"
    if status >= 500:
        return _of_ours(request, error)
    return answer(request, Problem(status, _TITLES.get(status, "Refused request"), detail, field))


def _of_ours(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    _logger.error("%s: %s", request.url.path, type(error).__name__, exc_info=error)
    return answer(
        request,
        Problem(500, "A fault of ours", hint="agentstore web --debug prints what happened, where it was started"),
    )


def _gone(request: Request[Any, Any, Any], error: ClientGoneError) -> Response[None]:
    return Response(None, status_code=499)  # nobody reads it


HANDLERS: dict[Any, Any] = {
    AgentStoreError: _of_store,
    HTTPException: _of_http,
    ClientGoneError: _gone,
    Exception: _of_ours,
}
