"""Whether the server answers, and how soon."""

from __future__ import annotations

import time

import anyio

from agentstore.connection.sql import sql
from agentstore.errors import AgentStoreError, InvalidArgumentError, OperationTimeoutError
from agentstore.protocols import Executor


async def ping(executor: Executor, timeout_seconds: float) -> float:
    """Seconds until the server has answered a query, connecting included where there is no connection."""
    if not isinstance(timeout_seconds, int | float) or not timeout_seconds > 0:
        raise InvalidArgumentError(
            f"timeout_seconds: expected more than 0, got {timeout_seconds!r}", field="timeout_seconds"
        )
    began = time.perf_counter()
    try:
        with anyio.fail_after(timeout_seconds):
            await executor.fetch(sql("SELECT 1"))
    except AgentStoreError:  # one of ours may be a TimeoutError, too
        raise
    except TimeoutError as error:
        raise OperationTimeoutError(f"the server did not answer a ping within {timeout_seconds:g} s") from error
    return time.perf_counter() - began
