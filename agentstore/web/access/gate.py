"""The gate in front of all pages: nothing is answered that did not pass it, a 404 neither."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote

from agentstore.integrations.problems import Problem
from agentstore.web.access.cookies import login_of, with_renewed
from agentstore.web.access.headers import with_headers
from agentstore.web.access.logins import Login, Logins
from agentstore.web.access.requests import (
    SAFE_METHODS,
    TwiceError,
    header,
    is_from_our_own_page,
    path_in_pieces,
    path_of,
    peer_of,
    raw_path,
    wants_html,
)
from agentstore.web.access.sealed import Sealed
from agentstore.web.access.viewer import Viewer, set_viewer
from agentstore.web.settings import WebSettings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
LOGIN = "/login"
# Who comes by a link on a foreign page has not sent the cookie, which is for our own pages only: asked for once more by
# a page of ours it is sent.
_ONCE_MORE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={}"><title>agentstore</title>"""
# A proxy may have 4 KiB for all headers of an answer. A search of other letters than Latin ones is longer than that.
_LONGEST_WAY = 2500
_BEARER = "programs send Authorization: Bearer and the token of --token-file"
# Files of ours that say nothing of anybody, and the login.
_OPEN_TO_ALL = ("/static/", LOGIN, "/favicon.ico")


class Refusal(NamedTuple):
    """Why a request is not answered. ``goes_to``: where a browser is sent instead. ``is_asked_once_more``: it comes by
    a link on a foreign page, and is given one of ours that asks for the same."""

    problem: Problem
    goes_to: str = ""
    is_asked_once_more: bool = False


class Gate:
    """An ASGI application around another one. ``told`` makes the page, or the JSON, that a refusal is told by."""

    def __init__(
        self, app: App, settings: WebSettings, logins: Logins, told: Callable[[Scope, Problem], tuple[bytes, bytes]]
    ) -> None:
        self._app = app
        self._settings = settings
        self._logins = logins
        self._told = told
        self._names = Sealed(settings.key, "viewers")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        send = with_headers(send)
        try:
            refusal = self._refusal(scope)
        except TwiceError as error:
            refusal = Refusal(Problem(400, "Refused request", f"the header {error} is there more than once"))
        if refusal is not None:
            await self._refuse(refusal, scope, send)
            return
        # Not with files that a cache on the way may keep, nor with the login itself.
        if not self._settings.user_header and not _is_open_to_all(scope):
            send = with_renewed(scope, send, self._settings, self._logins, self._login(scope))
        scope["path"] = path_in_pieces(scope)
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        host = header(scope, "host").lower()
        # Behind a proxy, too: a page elsewhere whose name is made to mean this machine could set the proxy's header.
        if host not in self._settings.allowed_hosts:
            return Refusal(_unknown_host(host))
        is_bearer = self._is_bearer(scope)
        changes = scope["method"] not in SAFE_METHODS
        if changes and not is_bearer and not is_from_our_own_page(scope, self._settings.tls_hosts):
            return Refusal(_foreign_origin(scope, is_proxied=bool(self._settings.user_header)))
        if self._settings.user_header:
            return self._let_in_by_proxy(scope)
        login = self._login(scope)
        if is_bearer or login is not None:
            id = login.id if login is not None else "bearer"
            self._let_in(scope, self._settings.org, self._settings.user, id, may_log_out=not is_bearer)
            return None
        if _is_open_to_all(scope):
            return None
        is_foreign = header(scope, "sec-fetch-site") == "cross-site"
        return Refusal(_nobody(), goes_to=_login_for(scope), is_asked_once_more=is_foreign)

    def _let_in_by_proxy(self, scope: Scope) -> Refusal | None:
        settings = self._settings
        user = _proxied(header(scope, settings.user_header))
        if not user:
            return Refusal(_not_proxied(settings.user_header, "--trust-proxy-header"))
        org = settings.org
        if settings.org_header:
            org = _proxied(header(scope, settings.org_header))
            if not org:
                return Refusal(_not_proxied(settings.org_header, "--trust-proxy-org-header"))
        self._let_in(scope, org, user)
        return None

    def _let_in(self, scope: Scope, org: str, user: str, login: str = "", *, may_log_out: bool = False) -> None:
        set_viewer(scope, Viewer(org, user, self._names.name(repr((org, user, login))), may_log_out))

    def _is_bearer(self, scope: Scope) -> bool:
        scheme, _, token = header(scope, "authorization").partition(" ")
        peer = peer_of(scope)
        token = token.strip()
        if scheme.lower() != "bearer" or not self._logins.may_try(token, peer):
            return False
        return self._logins.is_bearer(token, peer)

    def _login(self, scope: Scope) -> Login | None:
        return login_of(scope, self._settings, self._logins)

    async def _refuse(self, refusal: Refusal, scope: Scope, send: Send) -> None:
        if refusal.goes_to and wants_html(scope):
            if refusal.is_asked_once_more:
                page = _ONCE_MORE.format(escape(_here(scope))).encode()
                await _send(scope, send, 200, [(b"content-type", b"text/html; charset=utf-8")], page)
            else:
                await _send(scope, send, 303, [(b"location", refusal.goes_to.encode())], b"")
            return
        media_type, body = self._told(scope, refusal.problem)
        headers = [(b"content-type", media_type)]
        if refusal.problem.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        # What is left of a body is not read: the connection ends with this answer.
        headers.append((b"connection", b"close"))
        await _send(scope, send, refusal.problem.status, headers, body)


async def _send(scope: Scope, send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _is_open_to_all(scope: Scope) -> bool:
    return path_of(scope).startswith(_OPEN_TO_ALL)


def _proxied(value: str) -> str:
    """Headers are bytes; proxies write UTF-8 into them, which ASGI hands on as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return ""


def _login_for(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    path = quote(path_of(scope), safe="/")
    for wanted in (path + (f"?{query}" if query else ""), path):
        way = LOGIN if wanted == "/" else f"{LOGIN}?next={quote(wanted, safe='')}"
        if len(way) <= _LONGEST_WAY:
            return way
    return LOGIN


def _here(scope: Scope) -> str:
    """This address, as a page on it calls it: from its last "/" on, so that it cannot be one of another host.

    Without an address a page with a "#" in its own one would not be asked for again: a browser would only look for that
    place in it.
    """
    query = scope["query_string"].decode("latin-1")
    return f"./{raw_path(scope).rpartition('/')[2]}" + (f"?{query}" if query else "")


def _unknown_host(host: str) -> Problem:
    return Problem(
        421,
        "Unknown host",
        f"the header Host is {host[:200]!r}, which is no name of this server",
        field="Host",
        hint="agentstore web --allow-host NAME lets a name in, with its port where it is not this one's",
    )


def _foreign_origin(scope: Scope, *, is_proxied: bool) -> Problem:
    origin = header(scope, "origin") or header(scope, "sec-fetch-site") or "not there"
    programs = "programs send it as a browser does, Origin: https://NAME" if is_proxied else _BEARER
    return Problem(
        403,
        "Not from a page of ours",
        f"what changes something has to come from one of these pages; the header Origin is {origin[:200]}",
        field="Origin",
        hint=f"{programs}; a proxy has to hand on Host as it is",
    )


def _nobody() -> Problem:
    return Problem(
        401,
        "Not logged in",
        "open the link that agentstore web has printed",
        hint=_BEARER,
    )


def _not_proxied(name: str, flag: str) -> Problem:
    return Problem(
        401,
        "Not let in",
        f"the proxy in front has not said who you are: the header {name} is missing or cannot be read",
        field=name,
        hint=f"{flag} {name} says that the proxy sets it",
    )
