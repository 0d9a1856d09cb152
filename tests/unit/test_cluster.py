"""What makes a cluster unusable, and who may not look."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agentstore import ConfigError, QueryError
from agentstore.connection.sql import Sql
from agentstore.protocols import Columns
from agentstore.schema.cluster import check_cluster, check_shards


class Server:
    """Answers two questions from what it is made with, and remembers what it was asked."""

    def __init__(self, clusters: dict[str, int], macros: dict[str, str] | None = None, error: int = 0) -> None:
        self._answers: dict[str, Mapping[str, object]] = {"system.clusters": clusters, "system.macros": macros or {}}
        self._error = error
        self.asked: list[str] = []

    async def fetch(self, query: Sql) -> Columns:
        self.asked.append(query.text)
        if self._error:
            raise QueryError("no", code=self._error)
        rows = next(answer for table, answer in self._answers.items() if table in query.text)
        return [tuple(rows), tuple(rows.values())] if rows else []


def test_one_shard_is_right() -> None:
    check_shards("main", {"main": 1, "other": 5})


def test_several_shards_are_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"'main' has 3 shards, and each node would show only the rows of its own"):
        check_shards("main", {"main": 3})


@pytest.mark.parametrize(("known", "said"), [({"a": 1, "b": 2}, "its clusters: 'a', 'b'"), ({}, "its clusters: none")])
def test_an_unknown_cluster_is_named_beside_the_known(known: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=f"no cluster 'main'.*{said}"):
        check_shards("main", known)


async def test_without_a_cluster_nothing_is_asked() -> None:
    server = Server({})
    await check_cluster(server.fetch, "")
    assert server.asked == []


async def test_macros_are_filled_in() -> None:
    server = Server({"main-1": 1}, {"layer": "1", "name": "main"})
    await check_cluster(server.fetch, "{name}-{layer}")
    with pytest.raises(ConfigError, match="no cluster 'main'"):
        await check_cluster(server.fetch, "{name}")


async def test_who_may_not_look_is_let_through() -> None:
    await check_cluster(Server({}, error=497).fetch, "main")
    with pytest.raises(QueryError):
        await check_cluster(Server({}, error=241).fetch, "main")
