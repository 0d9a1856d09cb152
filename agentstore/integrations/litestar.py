"""A store in Litestar: opened and closed with the application, a dependency of handlers, errors as statuses.

    app = Litestar([...], plugins=[AgentStorePlugin(AsyncClickHouseStore)])

    @get("/users")
    async def users(store: NamedDependency[AsyncClickHouseStore], org: NamedDependency[str]) -> list[UserInfo]:
        return await store.list_users(org)

Litestar encodes the records by itself. Who asks, and so for which organisation, is the application's to know
(``examples/litestar_backend.py``).
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response
from litestar.config.app import AppConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.plugins import InitPluginProtocol

from agentstore.errors import AgentStoreError
from agentstore.integrations.problems import answer_to
from agentstore.integrations.running import ClientGoneError
from agentstore.store import AsyncClickHouseStore

_logger = logging.getLogger("agentstore")


class AgentStorePlugin(InitPluginProtocol):
    """One store for the process, open from before the first request until after the last.

    ``ensure_schema``: create its tables where they are missing. ``dependency``: the name of the parameter by which
    handlers get it.
    """

    def __init__(
        self, make: Callable[[], AsyncClickHouseStore], *, ensure_schema: bool = True, dependency: str = "store"
    ) -> None:
        self._make = make
        self._ensure_schema = ensure_schema
        self._dependency = dependency

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Called by Litestar."""
        app_config.lifespan.append(self._opened)
        app_config.dependencies[self._dependency] = Provide(store_of, sync_to_thread=False)
        handlers: dict[Any, Any] = {AgentStoreError: _refused, ClientGoneError: _gone}
        app_config.exception_handlers = {**handlers, **app_config.exception_handlers}
        app_config.signature_namespace["AsyncClickHouseStore"] = AsyncClickHouseStore
        return app_config

    @asynccontextmanager
    async def _opened(self, app: Litestar) -> AsyncIterator[None]:
        async with self._make() as store:
            if self._ensure_schema:
                await store.ensure_schema()
            app.state.agentstore = store
            yield


def store_of(state: State) -> AsyncClickHouseStore:
    """The application's store."""
    store = state.agentstore
    assert isinstance(store, AsyncClickHouseStore)
    return store


def _refused(request: Request[Any, Any, Any], error: AgentStoreError) -> Response[bytes]:
    answer = answer_to(error)
    if answer.status >= 500:
        _logger.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    media_type = answer.headers.pop("content-type")
    return Response(answer.body, status_code=answer.status, headers=answer.headers, media_type=media_type)


def _gone(request: Request[Any, Any, Any], error: ClientGoneError) -> Response[None]:
    return Response(None, status_code=499)  # nobody reads it
