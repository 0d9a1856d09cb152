"""The subagents of sessions, also those that no list shows, since nobody wrote a prompt in them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from agentstore.models import SessionFilter

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, Session


async def children_of(
    store: AsyncClickHouseStore, org: str, session: Session, named: Iterable[str] = ()
) -> list[Session]:
    """A session's own subagents. ``named`` are those that its tool calls name.

    Lists tell most of them; others are named by a call, or were read from the same file.
    """
    listed, same_file = await asyncio.gather(_listed(store, org, session), _of_the_same_files(store, org, session))
    missing = ({*named} | same_file) - set(listed) - {session.id}
    told = await store.get_sessions(org, missing) if missing else []
    for one in told:
        if one.relationship_type == "subagent" and one.parent_session_id in ("", session.id):
            listed[one.id] = one
    return list(listed.values())


async def all_below(store: AsyncClickHouseStore, org: str, session: Session) -> list[Session]:
    """The subagents of a session, theirs, and so on: each once."""
    found = {session.id: session}
    latest = [session]
    while latest:
        children = [child for parent in latest for child in await children_of(store, org, parent)]
        latest = list({child.id: child for child in children if child.id not in found}.values())
        found.update((child.id, child) for child in latest)
    return [one for one in found.values() if one.id != session.id]


async def _listed(store: AsyncClickHouseStore, org: str, session: Session) -> dict[str, Session]:
    wanted = SessionFilter(parent_session_id=session.id, include_subagents=True, include_deleted=True)
    return {one.id: one async for one in store.iter_sessions(org, wanted) if one.relationship_type == "subagent"}


async def _of_the_same_files(store: AsyncClickHouseStore, org: str, session: Session) -> set[str]:
    files = await store.list_source_files(org, session_id=session.id)
    return {id for file in files for id in file.session_ids}
