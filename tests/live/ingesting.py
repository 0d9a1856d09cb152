"""Running an ingest in a test, and comparing what two of them left in the store."""

from __future__ import annotations

import collections
import contextlib
import pathlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, NotFoundError, Session, SessionFilter
from agentstore.ingest import IngestEvent, IngestSummary, ingest

EVERYTHING = SessionFilter(include_subagents=True, include_deleted=True, limit=1000)


class Ran:
    """The events of an ingest, and its summary."""

    def __init__(self) -> None:
        self.events: list[IngestEvent] = []
        self.summary = IngestSummary()

    def paths(self, kind: str, reason: str | None = None) -> list[str]:
        """Names of the files with such an event, each once, in their order."""
        found = [one.path for one in self.events if one.kind == kind and reason in (None, one.reason)]
        return [pathlib.PurePath(path).name for path in dict.fromkeys(found)]

    @property
    def kinds(self) -> dict[str, int]:
        return dict(collections.Counter(event.kind for event in self.events))


async def collected(events: AsyncIterator[IngestEvent | IngestSummary]) -> Ran:
    ran = Ran()
    async for event in events:
        if isinstance(event, IngestSummary):
            ran.summary = event
        else:
            ran.events.append(event)
    return ran


async def run(store: AsyncClickHouseStore, org: str, places: Any, **options: Any) -> Ran:
    """One ingest to its end."""
    return await collected(ingest(store, org, places=places, **({"user": "ada", "machine": "laptop"} | options)))


async def rows(store: AsyncClickHouseStore, org: str) -> dict[str, Any]:
    """Everything that is stored of all sessions, without the organisation's name."""
    found: dict[str, Any] = {}
    for session in await sessions(store, org):
        id = session.id
        found[f"session {id}"] = replace(session, org_id="")
        for name, records in (
            ("messages", await store.get_session_messages(org, id)),
            ("calls", await store.get_session_tool_calls(org, id)),
            ("links", await store.get_session_git_links(org, id)),
        ):
            found[f"{name} {id}"] = [replace(record, org_id="") for record in records]
        touched = await store.file_history(org, "", session_id=id, limit=1000)
        found[f"files {id}"] = [(one.path, one.operation, one.message_ordinal) for one in touched.touches]
    found["tokens"] = await store.token_usage_by_model(org)
    found["tools"] = await store.tool_usage_distribution(org)
    return found


async def sessions(store: AsyncClickHouseStore, org: str) -> list[Session]:
    """All of them, listed or not: also those that no list shows, since nobody asked anything in them."""
    ids = {id for row in await store.list_source_files(org) for id in row.session_ids}
    cursor = ""
    while True:
        page = await store.list_sessions(org, replace(EVERYTHING, cursor=cursor))
        ids.update(session.id for session in page.sessions)
        cursor = page.next_cursor
        if not cursor:
            break
    found = []
    for id in sorted(ids):
        with contextlib.suppress(NotFoundError):
            found.append(await store.get_session(org, id))
    return found


def written(folder: pathlib.Path, files: Iterable[tuple[str, bytes]]) -> pathlib.Path:
    """Files below a folder; the folder."""
    for name, data in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
