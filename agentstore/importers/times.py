"""Points in time as transcripts write them."""

from __future__ import annotations

import datetime as dt
from typing import Any

_from_text = dt.datetime.fromisoformat
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_YEAR_2201 = 7_289_654_400_000  # in milliseconds since 1970


def parse_time(value: Any) -> dt.datetime | None:
    """ISO 8601 text as UTC, without a zone taken as UTC; None for anything else and for years outside 1970 to 2200."""
    try:
        moment = _from_text(value)
        if moment.tzinfo is not dt.UTC:
            moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except TypeError:
        return None
    except (ValueError, OverflowError):
        return parse_time(value.strip()) if value != value.strip() else None
    return moment if 1970 <= moment.year <= 2200 else None


def parse_millis(value: Any) -> dt.datetime | None:
    """Milliseconds since 1970 as UTC; None for anything else and for years outside 1970 to 2200."""
    if type(value) not in (int, float) or not 0 <= value < _YEAR_2201:
        return None
    return _EPOCH + dt.timedelta(milliseconds=value)
