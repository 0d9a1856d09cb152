"""What is kept of files: their rows, their originals, and what a deletion and a purge leave of them."""

from __future__ import annotations

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, SessionPurgedError
from agentstore.connection.sql import identifier, sql
from agentstore.models import OriginalPart, SourceFile
from tests.builders import call, message, session

BYTES = bytes(range(256)) + "ein Geheimnis \u2603".encode()


def part(start: int, data: bytes, **more: object) -> OriginalPart:
    return OriginalPart(original_id="o", start=start, end=start + len(data), data=data, **more)  # type: ignore[arg-type]


async def test_files_come_back_as_they_were_written(store: AsyncClickHouseStore, org: str) -> None:
    whole = SourceFile(
        path="/home/ada/ü\n.jsonl", org_id=org, machine="m", source_id="s1", importer="codex", importer_version=3,
        root="/home/ada", user_id="ada", user_name="Ada", stat="1 2 3", context="ab", size=2**40, outcome="purged",
        session_ids=("codex:1", "codex:2"), original_id="o", state=BYTES, facts=BYTES[::-1],
    )  # fmt: skip
    other = SourceFile(path="/x", org_id=org, machine="n", source_id="s2")
    await store.write_source_files(org, [other, whole])
    assert await store.list_source_files(org, packed=["state", "facts"]) == [whole, other]
    bare = msgspec.structs.replace(whole, state=b"", facts=b"")
    assert await store.list_source_files(org) == [bare, other]
    assert await store.list_source_files(org, machine="n") == [other]
    assert await store.list_source_files(org, source_ids=["s1", "s3"]) == [bare]
    assert await store.list_source_files(org, session_id="codex:2") == [bare]
    assert await store.list_source_files(org, session_id="codex:3") == []
    assert await store.list_source_files(f"{org}-other") == []
    newer = msgspec.structs.replace(other, size=5)
    await store.write_source_files(org, [newer])
    assert await store.list_source_files(org, machine="n") == [newer]


async def test_many_source_ids_are_asked_for_in_several_statements(store: AsyncClickHouseStore, org: str) -> None:
    files = [SourceFile(path=f"/{number:05}", org_id=org, source_id=f"s{number}") for number in range(4500)]
    await store.write_source_files(org, files)
    found = await store.list_source_files(org, source_ids=[one.source_id for one in files])
    assert sorted(one.path for one in found) == [one.path for one in files]


async def test_a_file_that_fits_no_column_is_refused(store: AsyncClickHouseStore, org: str) -> None:
    for wrong in ({"state": "text"}, {"session_ids": ["a"]}, {"size": -1}, {"path": ""}):
        with pytest.raises(InvalidArgumentError):
            await store.write_source_files(org, [SourceFile(**{"path": "/x", **wrong})])  # type: ignore[arg-type]


async def test_originals_come_back_in_the_order_of_their_files(store: AsyncClickHouseStore, org: str) -> None:
    parts = [part(0, BYTES), part(len(BYTES), b"more"), part(0, b"aside", file="meta.json")]
    await store.write_originals(org, reversed(parts))
    assert await store.get_originals(org, "o") == [msgspec.structs.replace(one, org_id=org) for one in parts]
    assert await store.get_originals(org, "other") == await store.get_originals(f"{org}-other", "o") == []


async def test_large_originals_come_in_several_answers(store: AsyncClickHouseStore, org: str) -> None:
    size = 3 * 1024 * 1024
    parts = [part(number * size, bytes([number]) * size) for number in range(15)]
    await store.write_originals(org, parts)
    assert [(one.start, one.data) for one in await store.get_originals(org, "o")] == [
        (one.start, one.data) for one in parts
    ]


async def test_originals_of_a_deleted_session_are_gone(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0, "text")])
    await store.write_originals(org, [part(0, b"text", session_id="s"), part(9, b"beside")])
    await store.delete_sessions(org, ["s"])
    assert [one.data for one in await store.get_originals(org, "o")] == [b"beside"]


async def test_a_purge_erases_all_that_is_kept_of_the_session(store: AsyncClickHouseStore, org: str) -> None:
    for id in ("gone", "stays"):
        await store.write_session(org, session(id), [message(0, "text")])
    await store.write_originals(org, [part(0, b"before it had a session"), part(30, b"text", session_id="gone")])
    await store.write_originals(org, [OriginalPart(original_id="p", data=b"other", session_id="stays")])
    await store.write_source_files(
        org,
        [
            SourceFile(path="/gone", session_ids=("other", "gone"), original_id="o", state=b"memory of text"),
            SourceFile(path="/stays", session_ids=("stays",), original_id="p"),
        ],
    )
    await store.purge_sessions(org, ["gone"])
    for table, column, left in (("originals", "data", ("other",)), ("source_files", "path", ("/stays",))):
        query = sql(
            "SELECT {column} FROM {table} WHERE org_id = {org}",
            column=identifier(column),
            table=identifier(table),
            org=org,
        )
        assert await store._open_pool.fetch(query) == [left]
    with pytest.raises(SessionPurgedError):
        await store.write_originals(org, [part(0, b"text", session_id="gone")])
    await store.write_source_files(org, [SourceFile(path="/gone", outcome="purged")])


async def test_a_session_in_several_calls_is_replaced_with_the_last(store: AsyncClickHouseStore, org: str) -> None:
    old = [message(number, f"old {number}") for number in range(4)]
    await store.write_session(org, session("s"), old, [call(3, result_content="old")])
    mark = await store.mark()
    await store.write_session(org, session("s"), [message(0, "new 0")])
    shown = [one.content for one in await store.get_session_messages(org, "s")]
    assert shown == ["new 0", "old 1", "old 2", "old 3"], "nothing is gone before the last call"
    await store.write_session(org, session("s"), [message(1, "new 1")], replace=mark)
    assert [one.content for one in await store.get_session_messages(org, "s")] == ["new 0", "new 1"]
    assert await store.get_session_tool_calls(org, "s") == []


async def test_an_older_mark_does_not_undo_a_newer_replacement(store: AsyncClickHouseStore, org: str) -> None:
    mark = await store.mark()
    await store.write_session(org, session("s"), [message(0, "early"), message(1, "early")])
    await store.write_session(org, session("s"), [message(0, "late")], replace=True)
    await store.write_session(org, session("s"), [message(2, "last")], replace=mark)
    assert [one.content for one in await store.get_session_messages(org, "s")] == ["late", "last"]
