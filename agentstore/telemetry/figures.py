"""What the writers and pools of all open stores do at the moment, when somebody collects metrics."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from agentstore.telemetry.api import IS_INSTALLED, meter

# By pool, how many connections are idle, how many used, and how many calls wait for one.
Connections = Mapping[str, tuple[int, int, int]]


@dataclass(eq=False)
class Figures:
    """What one open store says of itself: the writer's figures by table, and the connections by pool."""

    tables: Callable[[], Mapping[str, Any]]
    connections: Callable[[], Connections]


_open: weakref.WeakSet[Figures] = weakref.WeakSet()
# Of stores that are closed: what was counted once is not taken back.
_closed: Counter[tuple[str, str]] = Counter()

# By metric: the figure of a table, unit, description.
_GROWING = {
    "agentstore.writer.rows": ("rows_written", "{row}", "Rows that the server has committed"),
    "agentstore.writer.batches": ("batches_written", "{batch}", "Batches that the server has committed"),
    "agentstore.writer.retries": ("retries", "{attempt}", "Attempts after the first one"),
    "agentstore.writer.rejected_rows": ("rejected_rows", "{row}", "Rows that were refused, or never sent"),
    "agentstore.writer.failed_rows": ("failed_rows", "{row}", "Rows whose outcome stayed unknown"),
}
_WAITING = {
    "agentstore.writer.waiting_rows": ("waiting_rows", "{row}", "Rows that were accepted and are not yet stored"),
    "agentstore.writer.waiting_bytes": ("waiting_bytes", "By", "Their bytes"),
}


def watch(figures: Figures) -> None:
    """Count this store from now on, until ``forget``."""
    if IS_INSTALLED:
        _instruments()
        _open.add(figures)


def forget(figures: Figures) -> None:
    """Of a store that is being closed: what it has written still counts."""
    if figures in _open:
        _open.discard(figures)
        for table, found in figures.tables().items():
            for figure, _, _ in _GROWING.values():
                _closed[figure, table] += getattr(found, figure)


@cache
def _instruments() -> None:
    made = meter()
    for name, (figure, unit, description) in _GROWING.items():
        made.create_observable_counter(name, [_of_tables(figure)], unit, description)
    for name, (figure, unit, description) in _WAITING.items():
        made.create_observable_up_down_counter(name, [_of_tables(figure)], unit, description)
    made.create_observable_up_down_counter(
        "db.client.connection.count", [_connections], "{connection}", "Connections of the pools"
    )
    made.create_observable_up_down_counter(
        "db.client.connection.pending_requests", [_pending], "{request}", "Calls that wait for a connection"
    )


def _of_tables(figure: str) -> Any:
    def observe(options: object) -> Iterable[Any]:
        from opentelemetry.metrics import Observation

        sums = Counter({table: count for (name, table), count in _closed.items() if name == figure})
        for figures in list(_open):
            for table, found in figures.tables().items():
                sums[table] += getattr(found, figure)
        return [Observation(value, {"db.collection.name": table}) for table, value in sums.items()]

    return observe


def _connections(options: object) -> Iterator[Any]:
    from opentelemetry.metrics import Observation

    for pool, (idle, used, _) in _pools().items():
        yield Observation(idle, {"db.client.connection.pool.name": pool, "db.client.connection.state": "idle"})
        yield Observation(used, {"db.client.connection.pool.name": pool, "db.client.connection.state": "used"})


def _pending(options: object) -> Iterator[Any]:
    from opentelemetry.metrics import Observation

    for pool, (_, _, waiting) in _pools().items():
        yield Observation(waiting, {"db.client.connection.pool.name": pool})


def _pools() -> dict[str, tuple[int, int, int]]:
    """Over all stores of the process."""
    sums: dict[str, tuple[int, int, int]] = {}
    for figures in list(_open):
        for pool, (idle, used, waiting) in figures.connections().items():
            before = sums.get(pool, (0, 0, 0))
            sums[pool] = before[0] + idle, before[1] + used, before[2] + waiting
    return sums
