"""The overview: figures of a span, each panel by itself."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from agentstore.errors import InvalidArgumentError
from agentstore.integrations.running import Turns, while_connected
from agentstore.web.filters import SPANS
from agentstore.web.handling import AskedFor, Choices_, Store, Text, Turns_, Who
from agentstore.web.links import OVERVIEW
from agentstore.web.overview.panels import PANELS, Panel, Question
from agentstore.web.overview.scope import scope_of
from agentstore.web.templating import page, render
from agentstore.web.zones import zone_for

_ALL = "all"


@get(OVERVIEW)
async def overview(
    request: Request[Any, Any, Any],
    store: Store,
    viewer: Who,
    choices: Choices_,
    turns: Turns_,
    asked: AskedFor,
    panel: Text = "",
    show: Text = "",
) -> Response[str]:
    """The page, which comes at once. A panel that is named is in it already: a browser without scripts names it."""
    known = await choices.of(viewer.org)
    scope = scope_of(asked, zone_for(request), known)
    wanted = list(PANELS) if panel == _ALL else [panel] if panel else []
    ready = {}
    for name in wanted:
        question = Question(store, viewer.org, scope, known, _shown(name, show if name == panel else ""))
        ready[name] = await _html(request, turns, name, question)
    return page(
        "overview.html",
        request,
        asked=scope.asked,
        scope=scope,
        choices=known,
        spans=SPANS,
        panels=PANELS,
        ready=ready,
        project_names=sorted({one.name for one in known.projects if one.name}, key=str.casefold),
    )


@get(OVERVIEW + "/{name:str}")
async def panel(
    request: Request[Any, Any, Any],
    store: Store,
    viewer: Who,
    choices: Choices_,
    turns: Turns_,
    asked: AskedFor,
    name: FromPath[str],
    show: Text = "",
) -> Response[str]:
    """One panel, to be put into the page."""
    known = await choices.of(viewer.org)
    scope = scope_of(asked, zone_for(request), known)
    question = Question(store, viewer.org, scope, known, _shown(name, show))
    html = await _html(request, turns, name, question)
    if request.headers.get("x-part"):
        return Response(html, media_type="text/html")
    return page("overview_panel.html", request, title=PANELS[name].title, name=name, scope=scope, html=html)


def _shown(name: str, show: str) -> str:
    """The way that a panel is shown. A panel that there is none of is not found."""
    if name not in PANELS:
        raise NotFoundException
    known = [key for key, _ in PANELS[name].shows]
    if show and show not in known:
        raise InvalidArgumentError(f"show: expected one of {', '.join(known) or 'none'}", field="show")
    return show or next(iter(known), "")


async def _html(request: Request[Any, Any, Any], turns: Turns, name: str, question: Question) -> str:
    """The panel. Figures are heavy: few are asked for at once, and none for a browser that has gone."""
    found: Panel = PANELS[name]
    async with turns:
        told = await while_connected(request.receive, found.ask(question))
    return render(found.template, request, name=name, panel=found, scope=question.scope, show=question.show, **told)
