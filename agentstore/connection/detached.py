"""Parts that the server has set aside: rows that no read sees any more, told when a store is opened."""

from __future__ import annotations

import logging

from agentstore.connection.sql import sql
from agentstore.errors import QueryError
from agentstore.protocols import Executor

logger = logging.getLogger("agentstore")

_SHOWN = 20
# What a server does when it starts or checks a part; anything else was a statement of somebody's.
_DAMAGED = ("broken", "broken-on-start", "broken-from-backup", "covered-by-broken", "unexpected", "noquorum")
QUERY = sql(
    "SELECT database, table, name, coalesce(reason, '') FROM system.detached_parts "
    "WHERE database = currentDatabase() ORDER BY table, name"
)


async def warn_of_detached_parts(executor: Executor) -> None:
    """Log a warning for each detached part of the database: which, why, and what can be done. Nothing else happens.

    The rest of the store is whole, so this is no error. A user who may not read ``system.detached_parts`` is told
    nothing, and neither are those of a server without this table.
    """
    try:
        columns = await executor.fetch(QUERY)
    except QueryError as error:
        logger.debug("cannot look for detached parts: %s", error)
        return
    rows = list(zip(*columns, strict=True))
    for database, table, name, reason in rows[:_SHOWN]:
        logger.warning("%s", warning(database, table, name, reason))
    if len(rows) > _SHOWN:
        logger.warning("%d more parts are detached: SELECT * FROM system.detached_parts", len(rows) - _SHOWN)


def is_damaged(reason: str) -> bool:
    """Whether a part was set aside because something is wrong with it, and not by somebody's statement."""
    return reason in _DAMAGED


def warning(database: str, table: str, name: str, reason: str) -> str:
    """One part in one sentence that says what is lost and what can be done."""
    what = f"part {name} of {database}.{table} is detached"
    if not is_damaged(reason):
        return f"{what} ({reason or 'by a statement'}): its rows are not read until it is attached again"
    drop = f"ALTER TABLE {database}.{table} DROP DETACHED PART '{name}' SETTINGS allow_drop_detached = 1"
    return (
        f"{what} as {reason!r}: its rows are not read, unless they are in other parts too. Write again what is missing "
        f"(import it once more, or restore a backup); then this ends the warning: {drop}"
    )
