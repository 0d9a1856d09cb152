"""What of an ASGI request decides whether it is answered. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import unquote

SAFE_METHODS = frozenset(["GET", "HEAD"])
# On the scope of a HEAD that is answered by what answers GET.
ASKED_AS_HEAD = "agentstore.head"
_PURPOSES = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
_AHEAD = (b"prefetch", b"prerender", b"preview")


class TwiceError(ValueError):
    """A header that counts came more than once, so that two readers may not see the same."""


def header(scope: Mapping[str, Any], name: str) -> str:
    """The value of a header; "" where it is missing. ``TwiceError`` where it is there twice."""
    wanted = name.lower().encode("latin-1")
    found = [value for one, value in scope["headers"] if one.lower() == wanted]
    if len(found) > 1:
        raise TwiceError(name)
    return found[0].decode("latin-1").strip() if found else ""


def cookie(scope: Mapping[str, Any], name: str) -> str:
    """The value of a cookie; "" where there is none, or where the header is none of cookies."""
    pairs = b"; ".join(value for one, value in scope["headers"] if one.lower() == b"cookie").decode("latin-1")
    for pair in pairs.split(";"):
        one, equals, value = pair.strip().partition("=")
        if equals and one == name:
            try:
                jar = SimpleCookie(f"x={value}")
            except CookieError:
                return ""
            return jar["x"].value if "x" in jar else ""
    return ""


def is_from_our_own_page(scope: Mapping[str, Any], tls_hosts: Collection[str] = ()) -> bool:
    """Whether a browser says that one of our pages sent this. What says nothing is no browser, and not let to write."""
    site = header(scope, "sec-fetch-site")
    origin = header(scope, "origin")
    if site and site != "same-origin":
        return False
    # A form of a page that sends no referrer says null, and so does a foreign one: only the browser's word tells them
    # apart.
    if origin in ("", "null"):
        return site == "same-origin"
    host = header(scope, "host").lower()
    # Behind a proxy the browser's own scheme is https, and ours is not. Where it is known to be, it is nothing else.
    return origin.lower() == f"https://{host}" or (host not in tls_hosts and origin.lower() == f"http://{host}")


def is_only_looked_at(scope: Mapping[str, Any]) -> bool:
    """Whether nobody opens this page now: a HEAD, or a browser that fetches what might be opened later."""
    if scope["method"] == "HEAD" or scope.get(ASKED_AS_HEAD):
        return True
    return any(
        one.lower() in _PURPOSES and any(word in value.lower() for word in _AHEAD) for one, value in scope["headers"]
    )


def wants_html(scope: Mapping[str, Any]) -> bool:
    """Whether this is a page that a browser opens, and no data that a program asks for."""
    # A list, which may come as several headers: not one that anything is decided by.
    accepted = b",".join(value for one, value in scope["headers"] if one.lower() == b"accept")
    return b"text/html" in accepted and not path_of(scope).startswith("/api/")


def peer_of(scope: Mapping[str, Any]) -> str:
    """The address of who asks; "" where the server does not know it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def path_of(scope: Mapping[str, Any]) -> str:
    """The path as it was decoded."""
    return str(scope["path"])


def path_in_pieces(scope: Mapping[str, Any]) -> str:
    """The path decoded but for "/" and "%" inside of a piece of it, which stay as ``%2F`` and ``%25``.

    The id of a session may hold any character. Decoded at once, one with a "/" would be another path.
    """
    return "/".join(unquote(one).replace("%", "%25").replace("/", "%2F") for one in raw_path(scope).split("/"))


def raw_path(scope: Mapping[str, Any]) -> str:
    """The path as it was sent."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")
