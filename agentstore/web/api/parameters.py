"""What stands in the addresses of the API: the fields of the library's own filters, by their own names."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, QueryParameter

from agentstore.filters import AnalyticsKeywords
from agentstore.models import SearchQuery, SessionFilter
from agentstore.web import links

_LONGEST = 10_000
Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="How many at most.")]
Cursor = Annotated[
    str, QueryParameter(max_length=_LONGEST, description="`next_cursor` of the page before; empty for the first page.")
]
Named = Annotated[str, QueryParameter(max_length=_LONGEST, description="Exactly this; empty: all.")]
Date = Annotated[
    str,
    QueryParameter(
        max_length=100, description="A day, or a moment with its zone, in ISO 8601; a day is the whole day."
    ),
]
Mode = Literal["substring", "words"]

Id = NamedDependency[str]
Filter = NamedDependency[SessionFilter]
Searched = NamedDependency[SearchQuery]
# As a plain dict: Litestar checks what dependencies return, and knows no date that is also a text.
Counted = NamedDependency[dict[str, Any]]

# In an address "+" is a space, and it stands before the offset of a zone.
_OFFSET = re.compile(r"(T\S+) (\d{2}:?\d{2})$")


def date(text: str) -> str | None:
    """What a filter takes; None of "". What is no date the filter refuses, by its name."""
    return _OFFSET.sub(r"\1+\2", text.strip()) or None


def id_in(session_id: FromPath[str]) -> str:
    """The id in the path, which may hold any character: ``/`` as ``%2F``."""
    return links.id_in(session_id)


def filter_in(
    user_id: Named = "",
    project_id: Named = "",
    project_name: Named = "",
    agent_type: Named = "",
    date_from: Date = "",
    date_to: Date = "",
    cursor: Cursor = "",
    limit: Limit = 50,
    include_subagents: FromQuery[bool] = False,
    include_deleted: FromQuery[bool] = False,
    id_prefix: Named = "",
    parent_session_id: Named = "",
    title: Annotated[str, QueryParameter(max_length=_LONGEST, description="Text within the title.")] = "",
    git_branch: Named = "",
    starred_by: Annotated[str, QueryParameter(max_length=_LONGEST, description="The id of a user.")] = "",
    with_commits: FromQuery[bool] = False,
    project_path: Named = "",
    active_from: Date = "",
    active_to: Date = "",
    tool_name: Named = "",
    model: Named = "",
    weekday: Annotated[int, QueryParameter(ge=0, le=7, description="Of its start: 1 is Monday; 0: any.")] = 0,
    hour: Annotated[int | None, QueryParameter(ge=0, le=23, description="Of its start.")] = None,
    tz: Annotated[str, QueryParameter(max_length=100, description="The zone of dates, weekday and hour.")] = "UTC",
) -> SessionFilter:
    """The fields of ``SessionFilter``."""
    return SessionFilter(
        user_id=user_id,
        project_id=project_id,
        project_name=project_name,
        agent_type=agent_type,
        date_from=date(date_from),
        date_to=date(date_to),
        cursor=cursor,
        limit=limit,
        include_subagents=include_subagents,
        include_deleted=include_deleted,
        id_prefix=id_prefix,
        parent_session_id=parent_session_id,
        title=title,
        git_branch=git_branch,
        starred_by=starred_by,
        with_commits=with_commits,
        project_path=project_path,
        active_from=date(active_from),
        active_to=date(active_to),
        tool_name=tool_name,
        model=model,
        weekday=weekday,
        hour=hour,
        tz=tz,
    )


def query_in(
    wanted: Annotated[str, QueryParameter(name="query", max_length=_LONGEST, description="What is looked for.")],
    user_id: Named = "",
    project_id: Named = "",
    project_name: Named = "",
    agent_type: Named = "",
    session_id: Named = "",
    date_from: Date = "",
    date_to: Date = "",
    cursor: Cursor = "",
    limit: Limit = 50,
    mode: Annotated[
        Mode, QueryParameter(description='Rows that hold the query as it is, or all its words and "phrases".')
    ] = "substring",
    role: Annotated[str, QueryParameter(max_length=_LONGEST, description="tool: tool calls; else of messages.")] = "",
    tool_name: Named = "",
) -> SearchQuery:
    """The fields of ``SearchQuery``."""
    return SearchQuery(
        query=wanted,
        user_id=user_id,
        project_id=project_id,
        project_name=project_name,
        agent_type=agent_type,
        session_id=session_id,
        date_from=date(date_from),
        date_to=date(date_to),
        cursor=cursor,
        limit=limit,
        mode=mode,
        role=role,
        tool_name=tool_name,
    )


def counted_in(
    project_name: Named = "",
    user_id: Named = "",
    agent_type: Named = "",
    date_from: Date = "",
    date_to: Date = "",
    tz: Annotated[str, QueryParameter(max_length=100, description="The zone that days are of, by its name.")] = "UTC",
) -> dict[str, Any]:
    """The keywords of all statistics."""
    keywords = AnalyticsKeywords(
        project_name=project_name,
        user_id=user_id,
        agent_type=agent_type,
        date_from=date(date_from),
        date_to=date(date_to),
        tz=tz,
    )
    return dict(keywords)


DEPENDENCIES: dict[str, Any] = {
    "id": Provide(id_in, sync_to_thread=False),
    "filter": Provide(filter_in, sync_to_thread=False),
    "searched": Provide(query_in, sync_to_thread=False),
    "counted": Provide(counted_in, sync_to_thread=False),
}
