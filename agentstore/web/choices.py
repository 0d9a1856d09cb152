"""What a filter can be set to: the projects, users and agents that there are, asked for now and then."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import NamedTuple

from agentstore.models import ProjectInfo, UserInfo
from agentstore.store import AsyncClickHouseStore
from agentstore.web.keeping import Kept

_SECONDS = 20.0


class Choices(NamedTuple):
    """Each sorted by its name."""

    projects: list[ProjectInfo]
    users: list[UserInfo]
    agents: list[str]

    @property
    def project_options(self) -> list[tuple[str, str]]:
        """Of a list to choose from: the value and what it is called. Names that are there twice have their paths."""
        names = Counter(one.name for one in self.projects)
        return [(one.id, one.name if names[one.name] == 1 else f"{one.name} ({one.path})") for one in self.projects]

    @property
    def user_options(self) -> list[tuple[str, str]]:
        """The same of users."""
        return [(one.id, one.name or one.id) for one in self.users]

    @property
    def agent_options(self) -> list[tuple[str, str]]:
        """The same of agents."""
        return [(one, one) for one in self.agents]

    def project_named(self, id: str) -> str:
        """The name of the project with this id; the id where there is none."""
        return next((one.name for one in self.projects if one.id == id and one.name), id)

    def user_named(self, id: str) -> str:
        """The name of the user with this id; the id where there is none."""
        return next((one.name for one in self.users if one.id == id and one.name), id)


class KnownChoices(Kept[str, Choices]):
    """The choices of each organisation, at most some seconds old."""

    def __init__(self, store: AsyncClickHouseStore) -> None:
        super().__init__(self._ask_store, _SECONDS)
        self._store = store

    async def _ask_store(self, org: str) -> Choices:
        projects, users, agents = await asyncio.gather(
            self._store.list_projects(org), self._store.list_users(org), self._store.list_agents(org)
        )
        return Choices(
            sorted((one for one in projects if one.id or one.name), key=lambda one: (one.name.casefold(), one.id)),
            sorted((one for one in users if one.id), key=lambda one: ((one.name or one.id).casefold(), one.id)),
            sorted(one for one in agents if one),
        )
