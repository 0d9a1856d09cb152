"""The login: a link with a token becomes a cookie."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery
from litestar.response import Redirect

from agentstore.integrations.problems import Problem
from agentstore.web.access.cookies import given
from agentstore.web.access.gate import LOGIN
from agentstore.web.access.logins import COOKIE_SECONDS, Logins
from agentstore.web.access.requests import SAFE_METHODS, is_only_looked_at, peer_of
from agentstore.web.access.viewer import is_let_in
from agentstore.web.errors import answer
from agentstore.web.links import inside
from agentstore.web.settings import WebSettings
from agentstore.web.templating import page

_NOT_OPENED = Problem(
    403, "Not opened", "a link that lets in once is no link to look at beforehand", field="Sec-Purpose", hint="open it"
)


class LoginForm(msgspec.Struct):
    """What the form sends."""

    token: str = ""
    next: str = "/"


@get(LOGIN)
async def login(
    request: Request[Any, Any, Any], token: FromQuery[str] = "", next: FromQuery[str] = "/"
) -> Response[Any]:
    """The form, or with a token the way in."""
    if is_let_in(request.scope):
        return Redirect(inside(next))
    if token and is_only_looked_at(request.scope):
        # The token is for who opens the link. An answer that is none of 200 is not kept for them in its place.
        return answer(request, _NOT_OPENED)
    return _decided(request, token, next) if token else page("login.html", request, next=inside(next), wrong="")


@post(LOGIN)
async def log_in(
    request: Request[Any, Any, Any],
    data: Annotated[LoginForm, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[Any]:
    """The same by the form."""
    return _decided(request, data.token.strip(), data.next)


@post("/logout")
async def log_out(request: Request[Any, Any, Any]) -> Response[Any]:
    """Takes the cookie away."""
    gone: Redirect = Redirect(LOGIN, status_code=303)
    gone.set_cookie(given(request.scope, _settings(request), "", 0))
    return gone


def _decided(request: Request[Any, Any, Any], token: str, next: str) -> Response[Any]:
    logins = request.app.state.logins
    assert isinstance(logins, Logins)
    peer = peer_of(request.scope)
    # Whole or not at all: a link that was cut by a terminal has lost its end.
    token = token.partition("&")[0]
    if not logins.may_try(token, peer):
        return answer(request, Problem(429, "Too many wrong tokens", "wait a minute"))
    if not logins.accepts(token, peer):
        wrong = "That token is wrong or was used before. The one that is good now is printed where agentstore web runs."
        return page("login.html", request, status=401, next=inside(next), wrong=wrong)
    let_in: Redirect = Redirect(inside(next), status_code=302 if request.method in SAFE_METHODS else 303)
    let_in.set_cookie(given(request.scope, _settings(request), logins.cookie(), COOKIE_SECONDS))
    return let_in


def _settings(request: Request[Any, Any, Any]) -> WebSettings:
    settings = request.app.state.settings
    assert isinstance(settings, WebSettings)
    return settings
