"""The keywords that all analytics take, said once. Pure.

A new one is a field here (twice: for callers' type checkers and with its default) and a condition in
``read/analytics.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypedDict, TypeVar, get_type_hints

from agentstore.models import DateLike

M = TypeVar("M", bound=Callable[..., Any])


class AnalyticsKeywords(TypedDict, total=False):
    """What a method takes with ``**keywords: Unpack[AnalyticsKeywords]``; see ``AnalyticsFilter``."""

    project_name: str
    user_id: str
    agent_type: str
    date_from: DateLike
    date_to: DateLike
    tz: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsFilter:
    """Which sessions are counted: of one project, one user and one agent, or all ("").

    Started in a span of dates, as they are in the zone ``tz``.
    """

    project_name: str = ""
    user_id: str = ""
    agent_type: str = ""
    date_from: DateLike = None
    date_to: DateLike = None
    tz: str = "UTC"


def takes_analytics_keywords(method: M) -> M:
    """Has ``help`` and ``inspect.signature`` name the keywords with their defaults, which Python only knows as ``**``.

    Annotations are evaluated: who asks for a signature that was set by hand gets it as it is.
    """
    types = get_type_hints(AnalyticsFilter)
    keywords = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=types[field.name]
        )
        for field in fields(AnalyticsFilter)
    ]
    plain = inspect.signature(method, eval_str=True)
    named = [one for one in plain.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    method.__signature__ = plain.replace(parameters=[*named, *keywords])  # type: ignore[attr-defined]
    return method
