"""What handlers of pages are given: the store, who looks, and what the address asks for."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery

from agentstore.integrations.running import Turns
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer, viewer_of
from agentstore.web.choices import KnownChoices
from agentstore.web.filters import USUAL_SPAN, Asked
from agentstore.web.listing import KnownLists
from agentstore.web.marks import KnownMarks
from agentstore.web.searching import Searches
from agentstore.web.spending import KnownCosts

Store = NamedDependency[AsyncClickHouseStore]
Who = NamedDependency[Viewer]
Choices_ = NamedDependency[KnownChoices]
AskedFor = NamedDependency[Asked]
Turns_ = NamedDependency[Turns]
Found = NamedDependency[Searches]
Spending = NamedDependency[KnownCosts]
Marked = NamedDependency[KnownMarks]
Lists = NamedDependency[KnownLists]
Text = FromQuery[str]


def store_in(state: State) -> AsyncClickHouseStore:
    """The store that the pages are of."""
    store = state.store
    assert isinstance(store, AsyncClickHouseStore)
    return store


def choices_in(state: State) -> KnownChoices:
    """What filters offer."""
    choices = state.choices
    assert isinstance(choices, KnownChoices)
    return choices


def turns_in(state: State) -> Turns:
    """Whose turn it is, of what is heavy."""
    turns = state.turns
    assert isinstance(turns, Turns)
    return turns


def searches_in(state: State) -> Searches:
    """What runs searches."""
    searches = state.searches
    assert isinstance(searches, Searches)
    return searches


def marks_in(state: State) -> KnownMarks:
    """What people have put on sessions."""
    marks = state.marks
    assert isinstance(marks, KnownMarks)
    return marks


def lists_in(state: State) -> KnownLists:
    """Pages of the list that were asked for a moment ago."""
    lists = state.lists
    assert isinstance(lists, KnownLists)
    return lists


def spending_in(state: State) -> KnownCosts:
    """What sessions cost."""
    spending = state.spending
    assert isinstance(spending, KnownCosts)
    return spending


def viewer_in(request: Request[Any, Any, Any]) -> Viewer:
    """Who looks."""
    return viewer_of(request.scope)


def asked_in(
    text: FromQuery[str] = "",
    project: FromQuery[str] = "",
    user: FromQuery[str] = "",
    agent: FromQuery[str] = "",
    branch: FromQuery[str] = "",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    commits: FromQuery[str] = "",
    starred: FromQuery[str] = "",
    hidden: FromQuery[str] = "",
    parent: FromQuery[str] = "",
    project_name: FromQuery[str] = "",
    tool: FromQuery[str] = "",
    model: FromQuery[str] = "",
    weekday: FromQuery[str] = "",
    hour: FromQuery[str] = "",
    started: FromQuery[str] = "",
) -> Asked:
    """The filters in the address. Spaces around them are nobody's wish, and an empty field asks for nothing."""
    return Asked(
        text=text.strip(),
        project=project,
        user=user,
        agent=agent,
        branch=branch.strip(),
        since=since.strip() or ("all" if parent else USUAL_SPAN),
        until=until.strip(),
        commits=_is_ticked(commits),
        starred=_is_ticked(starred),
        hidden=_is_ticked(hidden),
        parent=parent,
        project_name=project_name,
        tool=tool,
        model=model,
        weekday=weekday.strip(),
        hour=hour.strip(),
        started=_is_ticked(started),
    )


def _is_ticked(value: str) -> bool:
    return value.lower() in ("1", "on", "true", "yes")


DEPENDENCIES = {
    "store": Provide(store_in, sync_to_thread=False),
    "choices": Provide(choices_in, sync_to_thread=False),
    "turns": Provide(turns_in, sync_to_thread=False),
    "searches": Provide(searches_in, sync_to_thread=False),
    "marked": Provide(marks_in, sync_to_thread=False),
    "lists": Provide(lists_in, sync_to_thread=False),
    "spending": Provide(spending_in, sync_to_thread=False),
    "viewer": Provide(viewer_in, sync_to_thread=False),
    "asked": Provide(asked_in, sync_to_thread=False),
}
