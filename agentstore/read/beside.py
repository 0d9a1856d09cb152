"""What is told of the session beside a row of it: whose it is, and what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agentstore.connection.sql import sql
from agentstore.protocols import Executor
from agentstore.read.threads import ONE_THREAD

# The fields of it, in this order.
TOLD = ("user_id", "user_name", "project_id", "project_name", "agent_type", "display_name", "first_message")


async def told_of_sessions(executor: Executor, org_id: str, ids: Iterable[Any]) -> list[Sequence[str]]:
    """``TOLD`` of the session of each id; all "" where it is not known.

    Asked for by their ids: that costs less than to join all the sessions there are.
    """
    each = [str(id) for id in ids]
    told = await executor.fetch(
        sql(
            "SELECT id, user_id, user_name, project_id, project_name, toString(agent_type), display_name,"
            " first_message FROM sessions FINAL PREWHERE org_id = {org_id} AND id IN {ids}",
            org_id=org_id,
            ids=tuple(sorted(set(each))),
        ),
        ONE_THREAD,
    )
    sessions = {id: rest for id, *rest in zip(*told, strict=True)} if told else {}
    unknown = [""] * len(TOLD)
    return [sessions.get(id, unknown) for id in each]
