"""The cookie of a login, and when a browser is given it anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar.datastructures import Cookie

from agentstore.web.access.logins import Login, Logins
from agentstore.web.access.requests import SAFE_METHODS, cookie, header
from agentstore.web.settings import WebSettings

Send = Callable[[Any], Awaitable[None]]


def login_of(scope: Mapping[str, Any], settings: WebSettings, logins: Logins) -> Login | None:
    """The login whose cookie was sent."""
    value = cookie(scope, settings.cookie)
    return logins.opened(value) if value else None


def given(scope: Mapping[str, Any], settings: WebSettings, value: str, seconds: int) -> Cookie:
    """The cookie as a browser is told to keep it: where it came over TLS, for TLS only."""
    return Cookie(
        key=settings.cookie,
        value=value,
        path="/",
        max_age=seconds,
        httponly=True,
        samesite="strict",
        secure=header(scope, "host").lower() in settings.tls_hosts,
    )


def with_renewed(
    scope: Mapping[str, Any], send: Send, settings: WebSettings, logins: Logins, login: Login | None
) -> Send:
    """Sends the same, and a login that is used and no longer new anew. Not with what changes something: logging out."""
    if login is None or scope["method"] not in SAFE_METHODS or not logins.is_worn(login):
        return send
    value, seconds = logins.renewed(login)
    line = given(scope, settings, value, seconds).to_header(header="").encode()

    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", line)]}
        await send(message)

    return sent
