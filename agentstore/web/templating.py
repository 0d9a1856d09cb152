"""Pages from templates. What is not marked as HTML is escaped, and what nobody sees in it is shown."""

from __future__ import annotations

import datetime as dt
import shlex
from functools import cache
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from markupsafe import Markup, escape

from agentstore.faces import money, times
from agentstore.faces.addresses import name_of
from agentstore.faces.titles import title_of
from agentstore.web import links
from agentstore.web.access.viewer import is_let_in, viewer_of
from agentstore.web.assets import asset_path
from agentstore.web.rendering import said_line, snippet_html, visible
from agentstore.web.zones import zone_for


@cache
def environment() -> Environment:
    """Templates of this package."""
    made = Environment(
        loader=PackageLoader("agentstore.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # The one door of foreign text: also what a template prints without a filter goes through it.
        finalize=_finalized,
    )
    made.filters.update(
        count=money.count,
        dollars=money.dollars,
        short=money.short_count,
        title=title_of,
        link_name=name_of,
        quoted=lambda text: quote(str(text), safe=""),
        iso=_iso,
        marked=lambda hit: Markup(snippet_html(hit)),
        value=_value,
        prompt_line=lambda content: said_line(content, 200),
        shell_word=shlex.quote,
    )
    made.globals.update(
        asset=asset_path,
        session_path=links.session_path,
        message_path=links.message_path,
        with_query=links.with_query,
        span=times.span,
    )
    return made


def _finalized(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _value(text: str) -> Markup:
    """What comes back to us from an attribute, as it is: HTML would make a line's end of a carriage return."""
    return escape(text).replace("\r", Markup("&#13;"))


def _iso(when: dt.datetime | None) -> str:
    return when.astimezone(dt.UTC).isoformat() if when else ""


def render(template: str, request: Any, **values: Any) -> str:
    """The HTML of a template, for who asks with ``request``."""
    return environment().get_template(template).render(**_surroundings(request), **values)


def page(template: str, request: Any, *, status: int = 200, **values: Any) -> Response[str]:
    """The same as an answer."""
    return Response(render(template, request, **values), status_code=status, media_type="text/html")


def _surroundings(request: Any) -> dict[str, Any]:
    """What every page knows: who looks, in which zone, and where."""
    zone = zone_for(request)
    return {
        "viewer": viewer_of(request.scope) if is_let_in(request.scope) else None,
        "path": request.scope["path"],
        "here": request.scope["path"]
        + (f"?{query}" if (query := request.scope["query_string"].decode("latin-1")) else ""),
        "zone": zone,
        "zone_name": zone.key.removeprefix("Etc/"),
        "moment": lambda when: times.moment(when, zone),
        "clock": lambda when: times.clock(when, zone),
        "day": lambda when: _day(when, zone),
    }


def _day(when: dt.datetime | None, zone: ZoneInfo) -> str:
    return f"{when.astimezone(zone):%a %d %b %Y}" if when else "No date"
