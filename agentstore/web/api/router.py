"""The API as a part of the application, and what holds for all of it."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, Router, get

from agentstore.integrations.problems import Problem
from agentstore.web.api import parameters
from agentstore.web.api.document import Name, document, names_of
from agentstore.web.api.routes import API, HANDLERS
from agentstore.web.errors import answer

DOCUMENT = f"{API}/openapi.json"


@get("/openapi.json")
async def openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What there is, for programs that make clients of it."""
    return await asyncio.to_thread(document, request.app.state.settings.cookie)


async def only_known_names(request: Request[Any, Any, Any]) -> Response[Any] | None:
    """Refuses what nobody would look at: a filter whose name is misspelt would otherwise answer with everything."""
    # In a thread: for the first one to ask the document is made, which takes a while.
    known = await asyncio.to_thread(names_of, str(request.scope["path_template"]), request.method)
    if problem := _problem(known, request.query_params.dict()):
        return answer(request, problem)
    return None


def _problem(known: dict[str, Name], given: dict[str, list[Any]]) -> Problem | None:
    """What is wrong with the names in an address. Their values are looked at later."""
    hint = f"{DOCUMENT} says which there are"
    for name, values in given.items():
        if name not in known:
            return Problem(400, "Unknown parameter", f"there is no parameter {name[:200]!r}", name[:200], hint)
        if len(values) > 1 and not known[name].is_list:
            return Problem(400, "Refused parameter", f"{name}: it is there more than once", name)
    for name, one in known.items():
        if one.is_required and name not in given:
            return Problem(400, "Missing parameter", f"{name} is required", name, hint)
    return None


def router() -> Router:
    """The routes of the API."""
    return Router(
        API,
        route_handlers=[*HANDLERS, openapi],
        dependencies=parameters.DEPENDENCIES,
        before_request=only_known_names,
    )
