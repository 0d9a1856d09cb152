"""Passwords and tokens that stand at a place of their own: in URLs, in headers, behind ``curl -u``."""

from __future__ import annotations

import base64
import binascii
import re

from agentstore.masking import placeholders
from agentstore.masking.rules import MARKER_START, Span

# An @ is one of a password's letters where another one comes before the host ends.
_URL_LETTER = rb"(?:[^\s/@\"'`\\<>,;|\x00-\x1f]|\\+u00(?:26|2[bB]|3[dD])|@(?=[^\s/@?#\"'`\\<>,;|&\x00-\x1f]{1,100}@))"
URL = rb"://[^\s/:@\"'`\\<>()\[\]{},;|\x00-\x1f]{0,100}:" + _URL_LETTER + rb"{1,200}@[0-9A-Za-z\[$({%<*]"
URL_PROBE = rb"://[^\s/:@\"'`\\<>()\[\]{},;|\x00-\x1f]*:[^\s/@\"'`<>,;|\x00-\x1f]+@"
HEADER_PROBE = rb"(?i:bearer|basic)[ ]+[0-9A-Za-z._~+/=-]{8}"
CURL_PROBE = rb"(?:-u|--user|--proxy-user)[ =]"
# What ``docker login`` leaves in its config: {"auth": "…"}, a name and a password in base64.
AUTH_PROBE = rb"\"auth\\*\"[ ]*:[ ]*\\*\"[A-Za-z0-9+/]{8}"
AUTH = rb"\"auth\\{0,15}\"[ ]{0,4}:[ ]{0,4}\\{0,15}\"[A-Za-z0-9+/]{8,}={0,2}"
HEADER = rb"(?i:bearer|basic)[ ]{1,4}[0-9A-Za-z._~+/=-]{8,}"
CURL = rb"(?:-u|--user|--proxy-user)[ =]{1,4}(?:\\{0,15}[\"'])?[0-9A-Za-z_.@+-]{1,64}:[^\s\"'`\\$<>(){}|&;]{4,256}"
_curl = re.compile(rb"curl|wget|http|httpie|xh ")
_not_a_password = re.compile(rb"[\[\](){}^]|%[sdrv]|^\d{1,5}$|^x-oauth-basic$")


def url_password(data: bytes, start: int, end: int) -> Span | None:
    """The password of ``scheme://user:password@host``."""
    first = data.index(b":", start + 3) + 1
    last = end - 2
    value = data[first:last]
    # The colon may be one of a marker: ‹secret:github-token›:x-oauth-basic@
    if data.endswith(MARKER_START, start, first) or placeholders.is_placeholder(value) or _not_a_password.search(value):
        return None
    if data[end - 1 : end] in (b"<", b"*") or len(value) < 3:
        return None
    return Span(first, last, "url-password")


def header_value(data: bytes, start: int, end: int) -> Span | None:
    """What follows ``Bearer`` or ``Basic``."""
    hit = data[start:end]
    scheme = hit.split(b" ", 1)[0]
    value = hit[len(scheme) :].lstrip(b" ").rstrip(b".")
    first = end - len(hit[len(scheme) :].lstrip(b" "))
    if placeholders.is_placeholder(value):
        return None
    basic = scheme.lower() == b"basic"
    secret = _is_basic(value) if basic else len(value) >= 16 and placeholders.looks_random(value)
    return Span(first, first + len(value), "authorization") if secret else None


def auth_value(data: bytes, start: int, end: int) -> Span | None:
    """The value of ``"auth"``, if it is a name and a password."""
    first = data.rindex(b'"', start, end) + 1
    return Span(first, end, "authorization") if _is_basic(data[first:end]) else None


def _is_basic(value: bytes) -> bool:
    """Whether it is a name and a password in base64, and no word of prose."""
    try:
        plain = base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    _, colon, password = plain.partition(b":")
    return bool(colon and password) and plain.isascii() and re.fullmatch(rb"[\x20-\x7e]+", plain) is not None


def curl_password(data: bytes, start: int, end: int) -> Span | None:
    """The password of ``curl -u name:password``."""
    line = data[max(0, start - 300) : start].rsplit(b"\n", 1)[-1]
    if not _curl.search(line):
        return None
    first = data.index(b":", start) + 1
    value = data[first:end]
    if placeholders.is_placeholder(value) or value.isdigit():
        return None
    return Span(first, end, "password")
