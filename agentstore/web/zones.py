"""In which zone a viewer reads times: what their browser says in a cookie, else what is configured."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from agentstore.web.access.requests import cookie

COOKIE = "agentstore_tz"


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_for(request: Any) -> ZoneInfo:
    """The zone of who asks. A name that is none is as if nothing was said."""
    named = unquote(cookie(request.scope, COOKIE))
    # Of those that all databases of zones have: the server that counts days in it must know it, too.
    if named in _known_zones():
        return ZoneInfo(named)
    zone = request.app.state.settings.zone
    assert isinstance(zone, ZoneInfo)
    return zone
