"""What is kept of files: their rows, their originals, and what a deletion and a purge leave of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, SessionPurgedError
from agentstore.connection.sql import identifier, sql
from agentstore.models import OriginalPart, SourceFile
from agentstore.write.sweep import sweep
from tests.builders import call, message, session
from tests.live.patience import in_the_end, swallowed
from tests.live.test_versions import LATE, own
from tests.live.test_writer import behind_a_proxy
from tests.servers import Server

__all__ = ["own"]  # a fixture

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
    found = await store.list_source_files(org, source_ids=[one.source_id for one in [*files, files[0]]])
    assert [one.path for one in found] == [one.path for one in files]
    with pytest.raises(InvalidArgumentError):
        await store.list_source_files(org, source_ids="s1")


async def test_a_file_that_fits_no_column_is_refused(store: AsyncClickHouseStore, org: str) -> None:
    ids = ({"session_ids": wrong} for wrong in (["a"], "a", ("",), ("a", ""), (1,), (b"a",), None))
    wrongs: tuple[dict[str, Any], ...] = ({"state": "text"}, {"size": -1}, {"path": ""}, *ids)
    for wrong in wrongs:
        with pytest.raises(InvalidArgumentError):
            await store.write_source_files(org, [SourceFile(**({"path": "/x"} | wrong))])


async def test_originals_come_back_in_the_order_of_their_files(store: AsyncClickHouseStore, org: str) -> None:
    parts = [part(0, BYTES), part(len(BYTES), b"more"), part(0, b"aside", file="meta.json")]
    await store.write_originals(org, reversed(parts))
    assert await store.get_originals(org, "o") == [msgspec.structs.replace(one, org_id=org) for one in parts]
    assert await store.get_originals(org, "other") == await store.get_originals(f"{org}-other", "o") == []


async def test_of_a_file_of_which_nothing_is_kept_nothing_comes_back(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_originals(org, [part(0, b"another file's")])
    assert await store.get_originals(org, SourceFile(path="/x").original_id) == []
    with pytest.raises(InvalidArgumentError):
        await store.get_originals(org, None)  # type: ignore[arg-type]


async def test_originals_of_any_names_and_places_come_back(store: AsyncClickHouseStore, org: str) -> None:
    places = [("", 0), ("", 2**63), ("", 2**64 - 1), (NASTY, 0), (NASTY, 7), ("zz", 1)]
    parts = [OriginalPart(original_id=NASTY, file=file, start=start, org_id=org, data=b"x") for file, start in places]
    await store.write_originals(org, parts)
    found = await store.get_originals(org, NASTY)
    assert sorted(found, key=repr) == sorted(parts, key=repr)
    assert [one.start for one in found if not one.file] == [0, 2**63, 2**64 - 1]


async def test_large_originals_come_in_several_answers(store: AsyncClickHouseStore, org: str) -> None:
    size = 3 * 1024 * 1024
    parts = [part(number * size, bytes([number]) * size) for number in range(12)]
    parts += [part(0, b"s" * size, file=f"{number}") for number in range(4)]
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
    for table, column, left in (("originals", "original_id", ("p",)), ("source_files", "path", ("/stays",))):
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


# What a hostile transcript or file name may hold.
NASTY = "a'b\\c\0d\ne\x01\x02f\x01g%{org_id}\u2603"
HOSTILE_IDS = ("a\0b", "\0", "a\x01b", "a\x01\x02b", "\x01", "\x01\x01", "\x02", NASTY)


async def test_hostile_names_come_back_as_they_were(store: AsyncClickHouseStore, org: str) -> None:
    whole = SourceFile(
        path=NASTY, org_id=org, machine=NASTY, source_id=NASTY, importer=NASTY, root=NASTY, user_id=NASTY,
        user_name=NASTY, stat=NASTY, context=NASTY, outcome=NASTY, session_ids=HOSTILE_IDS, original_id=NASTY,
    )  # fmt: skip
    await store.write_source_files(org, [whole])
    assert await store.list_source_files(org) == [whole]
    assert await store.list_source_files(org, machine=NASTY, source_ids=[NASTY]) == [whole]
    for id in HOSTILE_IDS:
        assert await store.list_source_files(org, session_id=id) == [whole], id
    for id in ("a", "b", "a\0b\0", "\0a", "ab", "\x01\x02", "\x02b"):
        assert await store.list_source_files(org, session_id=id) == [], id


async def test_names_that_are_no_text_come_back_as_they_are_stored(store: AsyncClickHouseStore, org: str) -> None:
    """As Python has file names that are no UTF-8: each such byte is a lone surrogate."""
    lone, shown = "r\udce9sum\udce9", "r\ufffdsum\ufffd"
    file = SourceFile(path=lone, machine=lone, source_id=lone, session_ids=(lone, "s"), original_id=lone, state=b"x")
    await store.write_source_files(org, [file])
    await store.write_originals(org, [OriginalPart(original_id=lone, file=lone, data=b"x", session_id=lone)])
    (found,) = await store.list_source_files(org, machine=lone, source_ids=[lone], session_id=lone)
    assert (found.path, found.session_ids) == (shown, (shown, "s"))
    assert [one.file for one in await store.get_originals(org, lone)] == [shown]
    await store.purge_sessions(org, [lone])
    assert await left(store, org, "source_files", "path") == []
    assert await left(store, org, "originals", "file") == []
    with pytest.raises(SessionPurgedError):
        await store.write_source_files(org, [file])


@pytest.mark.parametrize("id", HOSTILE_IDS)
async def test_a_purge_finds_the_files_of_any_id_and_of_no_other(
    store: AsyncClickHouseStore, org: str, id: str
) -> None:
    others = [one for one in (*HOSTILE_IDS, "a", "b", "ab") if one != id]
    files = [
        SourceFile(path=f"{number}", org_id=org, session_ids=(one,), original_id=f"o{number}", state=b"x")
        for number, one in enumerate((id, *others))
    ]
    await store.write_source_files(org, [*files, SourceFile(path="both", session_ids=(*others, id), facts=b"x")])
    await store.write_originals(org, [OriginalPart(original_id=one.original_id, data=b"x") for one in files])
    await store.purge_sessions(org, [id])
    assert await store.list_source_files(org, packed=["state", "facts"]) == sorted(files[1:], key=lambda one: one.path)
    assert sorted(await left(store, org, "originals", "original_id")) == sorted(one.original_id for one in files[1:])


async def left(store: AsyncClickHouseStore, org: str, table: str, column: str) -> list[str]:
    """What is stored, in any version that is not merged away yet."""
    query = sql(
        "SELECT {column} FROM {table} WHERE org_id = {org}",
        column=identifier(column),
        table=identifier(table),
        org=org,
    )
    columns = await store._open_pool.fetch(query, {"apply_mutations_on_fly": 0})
    return list(columns[0]) if columns else []


async def test_a_purge_takes_what_was_packed_before_the_session_was_known(
    store: AsyncClickHouseStore, org: str
) -> None:
    """Else the state from before would be the newest one again, and reading would go on from it."""
    early = SourceFile(path="/x", source_id="s1", original_id="o", state=b"its first lines")
    await store.write_source_files(org, [early])
    await store.write_source_files(org, [msgspec.structs.replace(early, session_ids=("s",), state=b"more")])
    moved = msgspec.structs.replace(early, path="/moved", machine="n")
    await store.write_source_files(org, [moved, SourceFile(path="/without", state=b"another's")])
    await store.purge_sessions(org, ["s"])
    assert await left(store, org, "source_files", "path") == ["/without"]


async def test_a_purge_takes_the_original_of_a_file_that_was_not_noted(store: AsyncClickHouseStore, org: str) -> None:
    """Its import was killed after a part of it was stored."""
    await store.write_originals(org, [part(0, b"before it had a session"), part(30, b"text", session_id="s")])
    await store.write_originals(org, [OriginalPart(original_id="p", data=b"another's")])
    await store.purge_sessions(org, ["s"])
    assert await left(store, org, "originals", "original_id") == ["p"]


async def test_a_purge_leaves_the_files_of_other_organisations(store: AsyncClickHouseStore, org: str) -> None:
    other = f"{org}-other"
    for name in (org, other):
        await store.write_session(name, session("s"), [message(0, "text")])
        await store.write_originals(name, [part(0, b"text", session_id="s"), part(9, b"more")])
        await store.write_source_files(name, [SourceFile(path="/x", session_ids=("s",), original_id="o", state=b"x")])
    files = await store.list_source_files(other, packed=["state", "facts"])
    originals = await store.get_originals(other, "o")
    assert files
    assert len(originals) == 2
    await store.purge_sessions(org, ["s"])
    assert await left(store, org, "originals", "data") == await left(store, org, "source_files", "path") == []
    assert await store.list_source_files(other, packed=["state", "facts"]) == files
    assert await store.get_originals(other, "o") == originals
    await store.write_source_files(other, files)


async def test_what_is_packed_of_a_purged_session_is_refused(store: AsyncClickHouseStore, org: str) -> None:
    await store.purge_sessions(org, ["s"])
    for packed in ({"state": b"x"}, {"facts": b"x"}):
        with pytest.raises(SessionPurgedError):
            await store.write_source_files(org, [SourceFile(path="/x", session_ids=("t", "s"), **packed)])  # type: ignore[arg-type]
    note = SourceFile(path="/x", org_id=org, outcome="purged", session_ids=("s",))
    await store.write_source_files(org, [note])
    assert await store.list_source_files(org, packed=["state", "facts"]) == [note]
    await store.restore_sessions(org, ["s"])
    await store.write_source_files(org, [msgspec.structs.replace(note, state=b"x")])


async def test_a_purge_takes_what_arrives_late_along(server: Server, database: str, org: str) -> None:
    async with behind_a_proxy(server, database, write_timeout_seconds=0.5) as (store, proxy):
        await in_the_end(lambda: store.write_session(org, session("s")))
        proxy.on_insert = lambda table: LATE if table in ("originals", "source_files") else None
        await swallowed(proxy, lambda: store.write_originals(org, [part(0, b"text", session_id="s")]))
        file = SourceFile(path="/x", session_ids=("s",), state=b"text")
        await swallowed(proxy, lambda: store.write_source_files(org, [file]))
        proxy.heal()
        await in_the_end(lambda: store.purge_sessions(org, ["s"]))
        assert await proxy.release_late() > 0
        assert await store.get_originals(org, "o") == []
        await in_the_end(lambda: store.purge_sessions(org, ["s"]))
        assert await left(store, org, "originals", "data") == await left(store, org, "source_files", "path") == []


async def test_a_sweep_leaves_originals_of_deleted_sessions_gone(own: AsyncClickHouseStore, org: str) -> None:
    await own.write_originals(org, [part(0, b"gone", session_id="s"), part(4, b"stays", session_id="t")])
    await own.delete_sessions(org, ["s"])
    await own.write_originals(org, [part(20, b"new", session_id="s")])
    before = await own.get_originals(org, "o")
    assert [one.data for one in before] == [b"stays", b"new"]
    while await sweep(own._open_pool, older_than_seconds=0):
        pass
    assert await own.get_originals(org, "o") == before


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


async def test_older_parts_are_removed_and_newer_ones_stay(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_originals(org, [part(0, b"old"), part(3, b"older")])
    await store.write_originals(f"{org}-other", [part(0, b"theirs")])
    mark = await store.mark()
    await store.write_originals(org, [part(0, b"new and longer")])
    await store.remove_originals(org, "o", older_than=mark)
    assert [one.data for one in await store.get_originals(org, "o")] == [b"new and longer"]
    assert [one.data for one in await store.get_originals(f"{org}-other", "o")] == [b"theirs"]
    for wrong in (True, 5, None):
        with pytest.raises(InvalidArgumentError, match="older_than"):
            await store.remove_originals(org, "o", older_than=wrong)  # type: ignore[arg-type]
