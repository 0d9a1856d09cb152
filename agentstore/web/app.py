"""The application: pages, and the gate in front of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from agentstore.integrations.running import Turns
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.gate import Gate
from agentstore.web.access.logins import Logins
from agentstore.web.api.router import router
from agentstore.web.assets import assets
from agentstore.web.choices import KnownChoices
from agentstore.web.errors import HANDLERS, told
from agentstore.web.handling import DEPENDENCIES
from agentstore.web.heads import Heads
from agentstore.web.live.hub import Hub
from agentstore.web.live.stream import live
from agentstore.web.live.streams import Streams
from agentstore.web.marks import KnownMarks
from agentstore.web.pages import (
    commits,
    files,
    login,
    markdown,
    marks,
    overview,
    panels,
    purge,
    search,
    session,
    sessions,
    texts,
)
from agentstore.web.searching import Searches
from agentstore.web.settings import WebSettings
from agentstore.web.spending import KnownCosts

_LARGEST_BODY = 64 * 1024
# So many figures are asked for at once, and so many wait: an overview has eight, and some people open theirs together.
_HEAVY, _WAITING = 4, 96
_FOR_EVER = "public, max-age=31536000, immutable"

PAGES: list[Any] = [
    login.login,
    login.log_in,
    login.log_out,
    sessions.home,
    sessions.sessions,
    session.session,
    panels.costs,
    panels.spent,
    panels.prompts,
    panels.files,
    panels.children,
    panels.links,
    panels.thread,
    texts.text,
    overview.overview,
    overview.panel,
    commits.commits,
    files.files,
    search.search,
    marks.star,
    marks.hide,
    marks.pin,
    marks.put_pin,
    purge.purge,
    purge.erase,
    markdown.as_markdown,
    live,
]


@get("/static/{version:str}/{name:str}")
async def static_file(version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """A file of the pages. Its address changes with it, so that it need not be asked for again."""
    asset = assets().get(name)
    if asset is None:
        raise NotFoundException
    return Response(asset.body, media_type=asset.media_type, headers={"cache-control": _FOR_EVER})


@get("/favicon.ico")
async def favicon() -> Response[bytes]:
    """What browsers ask for without being told to."""
    icon = assets()["icon.svg"]
    return Response(icon.body, media_type=icon.media_type, headers={"cache-control": "public, max-age=86400"})


@get("/health")
async def health(request: Request[Any, Any, Any]) -> dict[str, float]:
    """Whether the store answers: 503 or 504 where it does not."""
    return {"ping_seconds": await request.app.state.store.ping()}


class WebApp(NamedTuple):
    """The pages of a store: ``asgi`` is what a server runs, ``logins`` knows the token that lets in.

    ``hub`` has to be ended before the server waits for answers under way, which event streams are.
    """

    asgi: Gate
    logins: Logins
    hub: Hub


def make_app(
    store: AsyncClickHouseStore, settings: WebSettings, *, on_token: Callable[[str], None] | None = None
) -> WebApp:
    """The pages of an open store. They do not close it.

    ``on_token`` is told the token that is good for the next login, whenever one was used.
    """
    logins = Logins(settings.key, settings.token, on_used=on_token)
    hub = Hub(store)
    state = State(
        {
            "store": store,
            "settings": settings,
            "logins": logins,
            "choices": KnownChoices(store),
            "marks": KnownMarks(store),
            "searches": Searches(),
            "turns": Turns(_HEAVY, _WAITING),
            "spending": KnownCosts(store),
            "hub": hub,
            "streams": Streams(),
        }
    )
    app = Litestar(
        [*PAGES, router(), static_file, favicon, health],
        dependencies=DEPENDENCIES,
        exception_handlers=HANDLERS,
        request_max_body_size=_LARGEST_BODY,
        openapi_config=None,
        logging_config=None,
        state=state,
        debug=False,
        pdb_on_exception=False,
    )
    return WebApp(Gate(Heads(app), settings, logins, told), logins, hub)  # type: ignore[arg-type]
