"""Which sessions did what with a file: by path, by folder, newest first, each once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from agentstore import (
    AsyncClickHouseStore,
    FileHistoryEntry,
    FileTouch,
    InvalidArgumentError,
    InvalidCursorError,
    MessageVersion,
    SessionDelete,
    SessionFile,
)
from agentstore.models import FileOperation
from tests.builders import at, message, session, touch

OPERATIONS: tuple[FileOperation, ...] = ("read", "write", "edit", "delete", "move")


async def history(store: AsyncClickHouseStore, org: str, path: str, **asked: Any) -> list[tuple[str, int]]:
    """Session and message of each touch, over all pages."""
    found: list[tuple[str, int]] = []
    asked.setdefault("cursor", "")
    while True:
        page = await store.file_history(org, path, **asked)
        assert len(page.touches) <= asked.get("limit", 100)
        found += [(one.session_id, one.message_ordinal) for one in page.touches]
        asked["cursor"] = page.next_cursor
        if not page.next_cursor:
            return found


async def test_a_file_or_a_folder_newest_first(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_file_touches(
        org,
        [
            touch("a", "src/x.py", "read", message_ordinal=1, touched_at=at(1)),
            touch("a", "src/x.py", message_ordinal=5, touched_at=at(3)),
            touch("b", "src/x.py", "write", message_ordinal=2, touched_at=at(2, micro=7)),
            touch("b", "src/x.py", "read", message_ordinal=9),
            touch("b", "src/deep/y.py", message_ordinal=3, touched_at=at(4)),
            touch("b", "src2/x.py", message_ordinal=4, touched_at=at(5)),
            touch("b", "/etc/hosts", "read", message_ordinal=6, touched_at=at(6)),
        ],
    )
    assert await history(store, org, "src/x.py") == [("a", 5), ("b", 2), ("a", 1), ("b", 9)]
    assert await history(store, org, "src/") == [("b", 3), ("a", 5), ("b", 2), ("a", 1), ("b", 9)]
    assert await history(store, org, "/") == [("b", 6)]
    for nothing in ("src", "x.py", "SRC/x.py", "src/x.p_", "src/%/", "nowhere/"):
        assert await history(store, org, nothing) == []
    assert await history(store, org, "src/x.py", session_id="b") == [("b", 2), ("b", 9)]
    assert await history(store, org, "", session_id="a") == [("a", 5), ("a", 1)]
    assert await history(store, org, "src/x.py", operations=["write", "edit"]) == [("a", 5), ("b", 2)]


async def test_every_field_comes_back_with_the_session_it_is_of(store: AsyncClickHouseStore, org: str) -> None:
    told = session("s", user_id="u", user_name="Ada", project_id="p", project_name="web", agent_type="codex",
                   display_name="A title", first_message="do it")  # fmt: skip
    move = FileTouch("s", "new's.py", "move", "", 2**32 - 1, "t", 7, "old\\.py", "", at(1, micro=5))
    await store.write_session(org, told)
    await store.write_file_touches(org, [move, touch("untold", "a.py", moved_to="b.py")])
    assert (await store.file_history(org, "new's.py")).touches == [
        FileHistoryEntry(
            "s", "new's.py", "move", 2**32 - 1, "t", 7, "old\\.py", "", at(1, micro=5),
            "u", "Ada", "p", "web", "codex", "A title", "do it",
        )
    ]  # fmt: skip
    (untold,) = (await store.file_history(org, "a.py")).touches
    assert untold == FileHistoryEntry("untold", "a.py", "edit", moved_to="b.py")
    assert await history(store, org, "new's.py", project_id="p") == [("s", 2**32 - 1)]
    assert await history(store, org, "", project_id="p") == [("s", 2**32 - 1)]
    assert await history(store, org, "new's.py", project_id="q") == []


async def test_versions_are_of_what_each_session_did_last(store: AsyncClickHouseStore, org: str) -> None:
    touches: list[tuple[str, int, FileOperation]] = [
        ("new", 7, "read"), ("new", 6, "edit"), ("new", 5, "write"), ("reads", 4, "read"), ("reads", 3, "read"),
               ("nothing", 2, "edit"), ("old", 1, "write"), ("old", 0, "read"),
    ]  # fmt: skip
    for id in ("new", "reads", "old", "nothing"):
        said = [message(number, f"{id} {number}", source_id=f"{id}-{number}") for number in range(8)]
        await store.write_session(org, session(id), said if id != "nothing" else [])
    await store.write_file_touches(
        org, [touch(id, "a.py", did, message_ordinal=at_, touched_at=at(at_)) for id, at_, did in touches]
    )
    asked = [("new", 6), ("reads", 4), ("nothing", 2), ("old", 1)]
    versions = {(one.session_id, one.ordinal): one for one in await store.message_versions(org, asked)}
    assert set(versions) == {("new", 6), ("reads", 4), ("old", 1)}
    for count in range(6):
        found = (await store.file_history(org, "a.py", versions=count)).touches
        assert [(one.session_id, one.message_ordinal) for one in found] == [place[:2] for place in touches]
        assert [
            MessageVersion(one.session_id, one.message_ordinal, one.source_id, one.version)
            for one in found
            if one.version
        ] == [versions[place] for place in asked[:count] if place in versions]
    for wrong in (-1, 1001, "1", True):
        with pytest.raises(InvalidArgumentError) as caught:
            await store.file_history(org, "a.py", versions=wrong)  # type: ignore[arg-type]
        assert caught.value.field == "versions"


async def test_pages_tell_each_touch_once(store: AsyncClickHouseStore, org: str) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    touches = {
        (one.session_id, one.message_ordinal, one.tool_use_id, one.call_index, one.path): one
        for one in (
            touch(
                rng.choice("ab'"), rng.choice(("d/x", "d/y", "d/é")), rng.choice(OPERATIONS),
                message_ordinal=rng.randrange(3), tool_use_id=rng.choice(("", "t\\")), call_index=rng.randrange(2),
                touched_at=rng.choice((None, at(1), at(1, micro=1))),
            )
            for _ in range(60)
        )
    }  # fmt: skip
    await store.write_file_touches(org, touches.values())

    def key(one: FileTouch) -> tuple[Any, ...]:
        moment = one.touched_at
        return (moment is not None, moment or at(), one.session_id.encode(), one.message_ordinal, one.call_index,
                one.tool_use_id.encode(), one.path.encode())  # fmt: skip

    expected = [(one.session_id, one.message_ordinal) for one in sorted(touches.values(), key=key, reverse=True)]
    for limit in (1, 7, 1000):
        assert await history(store, org, "d/", limit=limit) == expected


async def test_a_replaced_or_removed_session_leaves_no_touch(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0)])
    await store.write_file_touches(org, [touch("s", "a.py"), touch("s", "b.py"), touch("t", "a.py")])
    await store.write_session(org, session("s"), [message(1)])
    assert await history(store, org, "a.py") == [("t", 0), ("s", 0)]
    await store.write_session(org, session("s"), [message(0)], replace=True)
    assert await history(store, org, "a.py") == [("t", 0)]
    await store.write_file_touches(org, [touch("s", "a.py", message_ordinal=2)])
    assert await history(store, org, "", session_id="s") == [("s", 2)]
    await store.write_session_deletes(org, [SessionDelete(session_id="s")])
    assert await history(store, org, "a.py") == [("t", 0)]
    await store.remove_session_deletes(org, [SessionDelete(session_id="s")])
    await store.delete_sessions(org, ["t"])
    assert await history(store, org, "a.py") == [("s", 2)]


async def test_what_a_fork_copied_is_told_once(store: AsyncClickHouseStore, org: str) -> None:
    shared = [message(n, f"m{n}", source_id=f"x{n}", timestamp=at(1)) for n in range(2)]
    await store.write_session(org, session("a", started_at=at(1)), shared)
    await store.write_session(
        org,
        session("b", started_at=at(2), parent_session_id="a", relationship_type="fork"),
        [*shared, message(2, "own", source_id="y")],
    )
    both = [(id, n) for id in "ab" for n in range(3) if (id, n) != ("a", 2)]
    await store.write_file_touches(org, [touch(id, "a.py", message_ordinal=n, touched_at=at(n)) for id, n in both])
    assert await history(store, org, "a.py") == [("b", 2), ("a", 1), ("a", 0)]
    await store.delete_sessions(org, ["a"])
    assert await history(store, org, "a.py") == [("b", 2), ("b", 1), ("b", 0)]


async def test_writing_again_replaces_a_touch(store: AsyncClickHouseStore, org: str) -> None:
    one = touch("s", "a.py", "write", tool_use_id="t")
    await store.write_file_touches(org, [one, one, replace(one, operation="edit", touched_at=at(2))])
    assert [(found.operation, found.touched_at) for found in (await store.file_history(org, "a.py")).touches] == [
        ("edit", at(2))
    ]


async def test_what_is_not_asked_for_rightly_is_refused(store: AsyncClickHouseStore, org: str) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("path", {"path": ""}),
        ("path", {"path": 5}),
        ("operations", {"path": "a", "operations": ["reads"]}),
        ("operations", {"path": "a", "operations": "read"}),
        ("operations", {"path": "a", "operations": 5}),
        ("limit", {"path": "a", "limit": 0}),
        ("project_id", {"path": "a", "project_id": 5}),
    ]
    for field, asked in cases:
        with pytest.raises(InvalidArgumentError) as caught:
            await store.file_history(org, **asked)
        assert caught.value.field == field
    for cursor in ("x", "W10", "!!"):
        with pytest.raises(InvalidCursorError):
            await store.file_history(org, "a", cursor=cursor)
    for bad in (touch("", "a"), touch("s", ""), touch("s", "a", "look")):  # type: ignore[arg-type]
        with pytest.raises(InvalidArgumentError, match=r"^touches\[0\]\."):
            await store.write_file_touches(org, [bad])


async def test_the_files_of_a_session(store: AsyncClickHouseStore, org: str) -> None:
    said = [message(n, role="assistant", source_id=f"r{n}", output_tokens=1) for n in range(10)]
    touches = [
        touch("s", "b.py", "read", message_ordinal=9),
        touch("s", "b.py", "edit", message_ordinal=4),
        touch("s", "b.py", "read", message_ordinal=2),
        touch("s", "a's.py", "move", message_ordinal=7, moved_to="b.py"),
    ]
    await store.write_session(org, session("s"), said)
    await store.write_file_touches(org, [*touches, touch("t", "b.py", message_ordinal=1)])
    found = [SessionFile("a's.py", {"move": 1}, 7, 7), SessionFile("b.py", {"read": 2, "edit": 1}, 2, 9)]
    assert await store.session_files(org, "s") == found
    assert await store.session_files(org, "unknown") == await store.session_files(f"{org}-other", "s") == []
    # A fork reads whole, what it copied with it.
    await store.write_session(org, session("fork", started_at=at(5)), said)
    await store.write_file_touches(org, [replace(one, session_id="fork") for one in touches])
    assert await store.session_files(org, "fork") == found
    await store.write_session_deletes(org, [SessionDelete(session_id="s")])  # hides it from lists only
    assert await store.session_files(org, "s") == found
    await store.write_session(org, session("s"), said, replace=True)
    await store.write_file_touches(org, [touch("s", "late.py", "write", message_ordinal=3)])
    assert await store.session_files(org, "s") == [SessionFile("late.py", {"write": 1}, 3, 3)]
    await store.purge_sessions(org, ["s"])
    assert await store.session_files(org, "s") == []
    bad: Any = 1
    with pytest.raises(InvalidArgumentError, match=r"^session_id: "):
        await store.session_files(org, bad)
