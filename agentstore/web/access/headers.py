"""What every answer says to the browser, errors and files too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[Any], Awaitable[None]]

# Nothing inline and nothing from elsewhere: text of a transcript that came through as HTML could neither run nor
# ask anybody for anything.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Nobody is told where a viewer was. Pages with forms say "same-origin" themselves: else a browser would not tell us
    # either that a form is ours.
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_OURS = frozenset(name for name, _ in HEADERS)
# What stands in the history is not for the disk of a browser, nor for a cache on the way.
_UNCACHED = (b"cache-control", b"no-store")


def with_headers(send: Send) -> Send:
    """Sends the same with these headers, in place of what an answer says itself."""

    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [(name.lower(), value) for name, value in message.get("headers", ())]
            kept = [one for one in kept if one[0] not in _OURS]
            # Only our own files may be kept. Of a stream it is said for us that it may, if it is asked for anew.
            if not any(name == b"cache-control" and value.startswith(b"public") for name, value in kept):
                kept = [*(one for one in kept if one[0] != b"cache-control"), _UNCACHED]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return sent
