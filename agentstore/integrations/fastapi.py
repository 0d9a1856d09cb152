"""A store in FastAPI: opened and closed with the application, records as answers, errors as statuses.

    app = FastAPI(lifespan=lifespan(AsyncClickHouseStore))
    add_error_handlers(app)
    router = APIRouter(route_class=StructRoute)

    @router.get("/sessions/{id}")
    async def session(id: str, store: Store, org: Organisation) -> Session:
        return await store.get_session(org, id)

Who asks, and so for which organisation, is the application's to know (``examples/fastapi_backend.py``).
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute

from agentstore.errors import AgentStoreError
from agentstore.integrations.problems import answer_to
from agentstore.integrations.running import ClientGoneError
from agentstore.store import AsyncClickHouseStore

_logger = logging.getLogger("agentstore")


def lifespan(
    make: Callable[[], AsyncClickHouseStore], *, ensure_schema: bool = True
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """What ``FastAPI(lifespan=…)`` takes: one store for the process, open from before the first request until after the
    last. ``ensure_schema``: create its tables where they are missing."""

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        async with make() as store:
            if ensure_schema:
                await store.ensure_schema()
            app.state.agentstore = store
            yield

    return opened


def store_of(request: Request) -> AsyncClickHouseStore:
    """The application's store."""
    store = request.app.state.agentstore
    assert isinstance(store, AsyncClickHouseStore)
    return store


# A parameter of this type is the application's store.
Store = Annotated[AsyncClickHouseStore, Depends(store_of)]


def add_error_handlers(app: FastAPI) -> None:
    """Errors of the library become statuses with a problem as their body; what is the server's own fault is logged."""

    @app.exception_handler(AgentStoreError)
    async def refused(request: Request, error: AgentStoreError) -> Response:
        answer = answer_to(error)
        if answer.status >= 500:
            _logger.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
        return Response(answer.body, answer.status, answer.headers)

    @app.exception_handler(ClientGoneError)
    async def gone(request: Request, error: ClientGoneError) -> Response:
        return Response(status_code=499)  # nobody reads it


class StructRoute(APIRoute):
    """A route whose handler may return records: ``APIRouter(route_class=StructRoute)``.

    FastAPI knows only models of pydantic. Records are encoded as they are, and the documentation has their schema.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        returned = get_type_hints(endpoint, include_extras=True).get("return")
        if _has_struct(returned):
            options["response_model"] = None
            # Of a copy: the router's own is used for other routes, too.
            responses = dict(options.get("responses") or {})
            responses.setdefault(200, {"description": "Successful Response", "content": _content(returned)})
            options["responses"] = responses
            endpoint = _encoded(endpoint)
        super().__init__(path, endpoint, **options)


def _has_struct(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return True
    return any(_has_struct(part) for part in get_args(hint))


def _content(hint: Any) -> dict[str, Any]:
    (schema,), components = msgspec.json.schema_components((hint,), ref_template="{name}")
    return {"application/json": {"schema": _whole(schema, components)}}


def _whole(schema: Any, components: dict[str, Any]) -> Any:
    """The schema without references: none of the records holds itself."""
    if isinstance(schema, list):
        return [_whole(one, components) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _whole(components[schema["$ref"]], components)
    return {name: _whole(one, components) for name, one in schema.items()}


def _encoded(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint, with what it returns as an answer of JSON. One that is no coroutine stays one: it runs in a
    thread."""
    if inspect.iscoroutinefunction(endpoint):

        @functools.wraps(endpoint)
        async def awaited(*arguments: Any, **keywords: Any) -> Response:
            return _answer(await endpoint(*arguments, **keywords))

        return awaited

    @functools.wraps(endpoint)
    def called(*arguments: Any, **keywords: Any) -> Response:
        return _answer(endpoint(*arguments, **keywords))

    return called


def _answer(result: Any) -> Response:
    if isinstance(result, Response):
        return result
    return Response(msgspec.json.encode(result), media_type="application/json")
