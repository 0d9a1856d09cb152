"""In which zone a viewer reads times: what their browser says in a cookie, else what is configured."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from agentstore.web.access.requests import cookie

COOKIE = "agentstore_tz"


def zone_for(request: Any) -> ZoneInfo:
    """The zone of who asks. A name that is none is as if nothing was said."""
    named = unquote(cookie(request.scope, COOKIE))
    if 0 < len(named) <= 64:
        try:
            return ZoneInfo(named)
        except (ValueError, OSError, KeyError):
            pass
    zone = request.app.state.settings.zone
    assert isinstance(zone, ZoneInfo)
    return zone
