"""What the tools ask about when they are asked: which project, since when, and the versions of what they point at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from agentstore.errors import InvalidArgumentError
from agentstore.faces.placing import placed
from agentstore.faces.times import parse_when
from agentstore.mcp.handles import of_message

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, MessageVersion
    from agentstore.mcp.holding import Holder

EVERYWHERE = "*"
_TITLE = 70


class Scope(NamedTuple):
    """The fields of a filter, and how an answer names it. ``is_default``: nobody asked for it."""

    fields: dict[str, Any]
    name: str
    is_default: bool

    @property
    def widening(self) -> str:
        """How to ask for more, where there may be more elsewhere."""
        return ' Elsewhere: project="*".' if self.is_default else ""


async def scope_of(holder: Holder, store: AsyncClickHouseStore, project: str) -> Scope:
    """The repository that the server runs in, one that is named, or all."""
    if project == EVERYWHERE:
        return Scope({}, "all projects", False)
    if project and project != ".":
        return Scope({"project_name": project}, "that project", False)
    return Scope({"project_id": await holder.project_id(store)}, "this repository", True)


def path_here(named: str, here: str) -> str:
    """The path as the history of this repository has it; one in another repository is ``InvalidArgumentError``."""
    from agentstore.faces.repositories import is_same_repository

    found = placed(named, here)
    if found.inside and not is_same_repository(found.inside, here):
        raise InvalidArgumentError(
            "path: it is in another repository", field="path", hint="name its project, and the path from the top of it"
        )
    return found.path


def dates(holder: Holder, since: str, until: str) -> dict[str, Any]:
    """``since`` and ``until`` as moments, for filters of when sessions began."""
    return {
        "date_from": parse_when(since, holder.zone, option="since"),
        "date_to": parse_when(until, holder.zone, option="until", is_end=True),
    }


class Pointing:
    """Handles of messages, with the versions that they have now."""

    def __init__(self, versions: Iterable[MessageVersion]) -> None:
        self._found = {(one.session_id, one.ordinal): one for one in versions}

    def at(self, session_id: str, ordinal: int) -> str:
        """The handle of a message."""
        return of_message(session_id, ordinal, self._found.get((session_id, ordinal)))


async def pointing(holder: Holder, store: AsyncClickHouseStore, places: Iterable[tuple[str, int]]) -> Pointing:
    """Handles for these messages."""
    return Pointing(await store.message_versions(holder.org, places))
