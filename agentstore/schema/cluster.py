"""The cluster of ``?cluster=``: that it is there, and that every node of it would show the same rows."""

from __future__ import annotations

from collections.abc import Mapping

from agentstore.connection.sql import sql
from agentstore.errors import ConfigError, QueryError
from agentstore.schema.fitness import Fetch

_ACCESS_DENIED = 497
_SHOWN = 10


async def check_cluster(fetch: Fetch, cluster: str) -> None:
    """``ConfigError`` where the server knows no such cluster, or it has several shards. "" is no cluster.

    Where the user may not look, the server itself has the last word.
    """
    if not cluster:
        return
    try:
        name = await _expanded(fetch, cluster)
        columns = await fetch(sql("SELECT cluster, uniqExact(shard_num) FROM system.clusters GROUP BY cluster"))
    except QueryError as error:
        if error.code != _ACCESS_DENIED:
            raise
        return
    check_shards(name, dict(zip(*columns, strict=True)) if columns else {})


def check_shards(cluster: str, shards: Mapping[str, int]) -> None:
    """The same for a server with these clusters and the number of shards of each."""
    if cluster not in shards:
        known = ", ".join(map(repr, sorted(shards)[:_SHOWN])) or "none"
        raise ConfigError(f"cluster: the server has no cluster {cluster!r}", hint=f"its clusters: {known}")
    if shards[cluster] > 1:
        raise ConfigError(
            f"cluster: {cluster!r} has {shards[cluster]} shards, and each node would show only the rows of its own",
            hint="name a cluster whose nodes are replicas of one shard",
        )


async def _expanded(fetch: Fetch, cluster: str) -> str:
    """The name with the server's macros filled in, as ON CLUSTER does."""
    if "{" not in cluster:
        return cluster
    columns = await fetch(sql("SELECT macro, substitution FROM system.macros"))
    for macro, substitution in zip(*columns, strict=True):
        cluster = cluster.replace(f"{{{macro}}}", substitution)
    return cluster
