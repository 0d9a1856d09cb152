"""Two organisations with the same ids never see each other, through any method of the two protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentstore import (
    AsyncClickHouseStore,
    FileTouch,
    MessagePin,
    MessageVersion,
    NotFoundError,
    OriginalPart,
    ReadStore,
    SearchQuery,
    Session,
    SessionDelete,
    SessionFilter,
    SessionStar,
    SourceFile,
    Store,
)
from agentstore.read.reads import Reads
from tests.builders import at, call, commit, message, pull_request, session
from tests.live.snapshot import snapshot
from tests.servers import Server

Case = Callable[[AsyncClickHouseStore, str, str], Awaitable[Any]]
# What the methods without an organisation do is about the whole store.
WITHOUT_ORG = {"aclose", "flush", "mark"}


def one(mark: str, **fields: Any) -> Session:
    return session("s", user_id="u", user_name=mark, project_id="p", project_name=mark, project_path=mark,
                   agent_type=mark, first_message=mark, parent_session_id="parent", relationship_type="continuation",
                   **fields)  # fmt: skip


async def versions(store: AsyncClickHouseStore, org: str) -> list[MessageVersion]:
    """They come in no order."""
    found = await store.message_versions(org, [("s", 0), ("s", 1)])
    return sorted(found, key=lambda one: one.ordinal)


async def removed_originals(store: AsyncClickHouseStore, org: str) -> None:
    await store.remove_originals(org, "o", older_than=await store.mark())
    # And one that is newer, for the reads to find.
    await store.write_originals(org, [OriginalPart(original_id="o", session_id="s", data=b"mine")])


async def changed_sessions(store: AsyncClickHouseStore, org: str) -> list[str]:
    """Without what depends on the time at which it is asked."""
    found = await store.changes(org, 1)
    return [*found.session_ids, *found.deleted_session_ids]


WRITES: dict[str, Case] = {
    "write_session": lambda store, org, mark: store.write_session(
        org,
        one(mark),
        [message(0, f"needle {mark}", model=mark, output_tokens=len(mark), source_id="r")],
        [call(0, tool_name=mark, input_json=f"needle {mark}")],
        replace=True,
    ),
    "write_batch": lambda store, org, mark: store.write_batch(
        org,
        [one(mark)],
        [message(1, f"needle {mark}", session_id="s", model=mark, output_tokens=len(mark), source_id="r2")],
        [call(1, session_id="s", tool_name=mark, result_content=f"needle {mark}")],
    ),
    "write_git_links": lambda store, org, mark: store.write_git_links(
        org, [commit("s", "abcd", user_id=mark), pull_request("s", "https://x/1", user_id=mark)]
    ),
    "write_file_touches": lambda store, org, mark: store.write_file_touches(
        org, [FileTouch("s", "a.py", "edit", tool_use_id=mark)]
    ),
    "write_source_files": lambda store, org, mark: store.write_source_files(
        org, [SourceFile(path="/x", context=mark, session_ids=("s",), original_id="o", state=mark.encode())]
    ),
    "write_originals": lambda store, org, mark: store.write_originals(
        org, [OriginalPart(original_id="o", session_id="s", data=mark.encode())]
    ),
    "remove_originals": lambda store, org, mark: removed_originals(store, org),
    "write_session_stars": lambda store, org, mark: store.write_session_stars(
        org, [SessionStar(session_id="s", user_id="u", created_at=at(len(mark)))]
    ),
    "write_message_pins": lambda store, org, mark: store.write_message_pins(
        org, [MessagePin(session_id="s", user_id="u", note=mark)]
    ),
    "write_session_deletes": lambda store, org, mark: store.write_session_deletes(
        org, [SessionDelete(session_id="deleted", user_id=mark)]
    ),
    "remove_session_stars": lambda store, org, mark: store.remove_session_stars(
        org, [SessionStar(session_id="s", user_id="u")]
    ),
    "remove_message_pins": lambda store, org, mark: store.remove_message_pins(
        org, [MessagePin(session_id="s", user_id="u")]
    ),
    "remove_session_deletes": lambda store, org, mark: store.remove_session_deletes(
        org, [SessionDelete(session_id="deleted")]
    ),
    "delete_sessions": lambda store, org, mark: store.delete_sessions(org, ["s", "deleted"]),
    "restore_sessions": lambda store, org, mark: store.restore_sessions(org, ["s", "deleted"]),
    "purge_sessions": lambda store, org, mark: store.purge_sessions(org, ["s", "deleted"]),
}
READS: dict[str, Case] = {
    "list_sessions": lambda store, org, mark: store.list_sessions(org, SessionFilter(include_deleted=True)),
    "get_session": lambda store, org, mark: store.get_session(org, "s"),
    "get_sessions": lambda store, org, mark: store.get_sessions(org, ["s", "none"]),
    "get_session_messages": lambda store, org, mark: store.get_session_messages(org, "s"),
    "get_session_tool_calls": lambda store, org, mark: store.get_session_tool_calls(org, "s"),
    "list_users": lambda store, org, mark: store.list_users(org),
    "list_projects": lambda store, org, mark: store.list_projects(org),
    "list_agents": lambda store, org, mark: store.list_agents(org),
    "search": lambda store, org, mark: store.search(org, SearchQuery(query="needle")),
    "get_session_git_links": lambda store, org, mark: store.get_session_git_links(org, "s"),
    "lookup_git_links": lambda store, org, mark: store.lookup_git_links(org, sha="abcd"),
    "file_history": lambda store, org, mark: store.file_history(org, "a.py"),
    "list_session_stars": lambda store, org, mark: store.list_session_stars(org),
    "list_message_pins": lambda store, org, mark: store.list_message_pins(org),
    "list_session_deletes": lambda store, org, mark: store.list_session_deletes(org),
    "list_source_files": lambda store, org, mark: store.list_source_files(org, packed=["state"]),
    "get_originals": lambda store, org, mark: store.get_originals(org, "o"),
    "changes": lambda store, org, mark: changed_sessions(store, org),
    "usage_by_user": lambda store, org, mark: store.usage_by_user(org),
    "activity_heatmap": lambda store, org, mark: store.activity_heatmap(org),
    "tool_usage_distribution": lambda store, org, mark: store.tool_usage_distribution(org),
    "daily_activity": lambda store, org, mark: store.daily_activity(org),
    "token_usage_by_model": lambda store, org, mark: store.token_usage_by_model(org),
    "cost_by": lambda store, org, mark: store.cost_by(org, "session"),
    "summary": lambda store, org, mark: store.summary(org),
}
# Reads that no protocol promises: another store need not have them.
BESIDE: dict[str, Case] = {
    "session_outline": lambda store, org, mark: store.session_outline(org, "s"),
    "session_window": lambda store, org, mark: store.session_window(org, "s", first_ordinal=0, last_ordinal=9),
    "message_text": lambda store, org, mark: store.message_text(org, "s", 0),
    "list_children": lambda store, org, mark: store.list_children(org, ["parent"]),
    "session_costs": lambda store, org, mark: store.session_costs(org, ["s"]),
    "list_git_links": lambda store, org, mark: store.list_git_links(org),
    "session_files": lambda store, org, mark: store.session_files(org, "s"),
    "session_prompts": lambda store, org, mark: store.session_prompts(org, "s"),
    "message_versions": lambda store, org, mark: versions(store, org),
}
ALL_READS = {**READS, **BESIDE}
REMOVALS = [
    "remove_session_stars",
    "remove_message_pins",
    "remove_session_deletes",
    "delete_sessions",
    "purge_sessions",
]


def methods(protocol: type) -> set[str]:
    return {name for name, value in vars(protocol).items() if callable(value) and not name.startswith("_")}


def test_every_method_has_a_case() -> None:
    """A method that is new to a protocol fails here until its organisation is proved."""
    assert set(WRITES) == methods(Store) - WITHOUT_ORG
    assert set(READS) == methods(ReadStore) - WITHOUT_ORG
    assert set(BESIDE) == {name for name in dir(Reads) if not name.startswith(("_", "iter_"))} - methods(ReadStore)


async def filled(store: AsyncClickHouseStore, org: str, mark: str) -> None:
    for name, write in WRITES.items():
        if name not in REMOVALS:
            await write(store, org, mark)


@pytest.fixture(scope="module")
def mine(server: Server, database: str) -> tuple[str, dict[str, Any]]:
    """An organisation, and what its reads said before others with the same ids and likely names were written."""
    org = f"tenancy-{database}"

    async def fill() -> dict[str, Any]:
        async with AsyncClickHouseStore(server.dsn, database=database) as store:
            await filled(store, org, "mine")
            alone = {name: await read(store, org, "mine") for name, read in ALL_READS.items()}
            for other in ("", "%", f"{org}%", org[:-1], f"{org} ", org.upper(), f"{org}\0"):
                await filled(store, other, "theirs")
            return alone

    return org, asyncio.run(fill())


@pytest.mark.parametrize("name", ALL_READS)
async def test_a_read_never_shows_another_organisation(
    store: AsyncClickHouseStore, mine: tuple[str, dict[str, Any]], name: str
) -> None:
    org, alone = mine
    assert alone[name]
    assert await ALL_READS[name](store, org, "mine") == alone[name]
    assert "theirs" not in repr(alone[name])


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_no_read_shows_what_was_deleted(store: AsyncClickHouseStore, org: str) -> None:
    """A read that is new to a protocol fails here where it forgets the floors."""
    await filled(store, org, "mine")
    await store.delete_sessions(org, ["s", "deleted"])
    # One says by their ids that they are gone, the other that their file was read.
    for name in ALL_READS.keys() - {"changes", "list_source_files"}:
        assert await told(store, org, name) == await told(store, f"{org}-empty", name), name


async def told(store: AsyncClickHouseStore, org: str, name: str) -> Any:
    try:
        return await ALL_READS[name](store, org, "mine")
    except NotFoundError:
        return "not found"


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_write_never_touches_another_organisation(store: AsyncClickHouseStore, org: str) -> None:
    mine, theirs = f"{org}-mine", f"{org}-theirs"
    await filled(store, mine, "mine")
    await filled(store, theirs, "theirs")
    before = await snapshot(store, mine, ["s"])
    own = await snapshot(store, theirs, ["s"])
    for name, write in WRITES.items():
        await write(store, theirs, "another")
        now = await snapshot(store, theirs, ["s"])
        assert now != own or name in ("restore_sessions", "purge_sessions"), name  # nothing is left by then
        own = now
        assert await snapshot(store, mine, ["s"]) == before, name
