"""What an importer returns, stored: nothing twice, nothing lost, nobody's overwritten."""

from __future__ import annotations

import asyncio
import logging
import pathlib
from typing import Any

import pytest
from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, NotFoundError, Session, SessionFilter
from agentstore.importers import ImportResult, StaleStateError, import_claude_code, import_claude_code_tree, import_tree
from agentstore.ingest import ImportWriter
from tests.unit.agentsview_files import Archive, at
from tests.unit.importer_lines import SESSION, assistant, data, line, result, said, use, user

OTHER = "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f"


def talk(*parts: str) -> list[dict[str, Any]]:
    return [user(part, number, uuid=f"u-{part}") for number, part in enumerate(parts)]


def read(*records: Any, file: str = f"p/{SESSION}.jsonl", **arguments: Any) -> ImportResult:
    return import_claude_code(data(*records), file=file, **arguments)


def as_before(result: ImportResult, id: str, parent: str, relationship: str) -> ImportResult:
    """The rows as an earlier version wrote them, under another id."""
    (session,) = result.sessions
    return replace(
        result,
        sessions=[replace(session, id=id, parent_session_id=parent, relationship_type=relationship)],
        messages=[replace(message, session_id=id) for message in result.messages],
        tool_calls=[replace(call, session_id=id) for call in result.tool_calls],
        git_links=[replace(link, session_id=id) for link in result.git_links],
        file_touches=[replace(touch, session_id=id) for touch in result.file_touches],
        replaces=[],
    )


async def stored(store: AsyncClickHouseStore, org: str) -> dict[str, Session]:
    page = await store.list_sessions(org, SessionFilter(include_subagents=True, limit=200))
    return {session.id: session for session in page.sessions}


async def test_ids_of_earlier_versions_are_replaced_and_others_under_them_stay(
    store: AsyncClickHouseStore, org: str
) -> None:
    writer = ImportWriter(store, org)
    agent = read(*talk("a"), file=f"p/{SESSION}/subagents/agent-7c1e0b2.jsonl")
    export = read(*talk("b"), file="x/full.jsonl")
    assert (agent.replaces, export.replaces) == (["agent-7c1e0b2"], ["full"])
    # Two people's subagents of one id: of the old ones only the later is left, and it is the other's.
    await writer.write(as_before(agent, "agent-7c1e0b2", OTHER, "subagent"))
    await writer.write(as_before(export, "full", SESSION, "continuation"))
    await writer.write(agent)
    await writer.write(export)
    assert set(await stored(store, org)) == {f"{SESSION}:agent-7c1e0b2", "agent-7c1e0b2", SESSION}
    others = read(
        *(record | {"sessionId": OTHER} for record in talk("c")), file=f"p/{OTHER}/subagents/agent-7c1e0b2.jsonl"
    )
    for _ in range(2):
        await writer.write(others)
        assert set(await stored(store, org)) == {
            f"{SESSION}:agent-7c1e0b2",
            f"{OTHER}:agent-7c1e0b2",
            SESSION,
        }


async def test_sessions_in_one_file_are_written_each_with_its_own_rows(store: AsyncClickHouseStore, org: str) -> None:
    inner = [user("look", 2, uuid="i"), assistant(said("found"), id="msg_sub", output=500)]
    embedded = [
        line("progress", 3, data={"type": "agent_progress", "agentId": "a1", "message": message}) for message in inner
    ]
    commit = [assistant(use("t", command="git commit")), result("t", "[main 1a2b3c4] x")]
    both = read(*talk("a"), *commit, *embedded, agent_files=())
    await ImportWriter(store, org).write(both)
    found = await stored(store, org)
    assert {id: session.message_count for id, session in found.items()} == {SESSION: 2, f"{SESSION}:agent-a1": 2}
    assert (found[SESSION].commit_count, found[SESSION].tool_call_count) == (1, 1)
    assert [m.content for m in await store.get_session_messages(org, f"{SESSION}:agent-a1")] == ["look", "found"]


async def test_pieces_of_a_file_replace_what_was_there_and_add_to_each_other(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / f"{SESSION}.jsonl"
    path.write_bytes(data(*talk(*(f"old {number}" for number in range(900)))))
    writer = ImportWriter(store, org)
    for piece in import_claude_code_tree(tmp_path):
        await writer.write(piece)
    path.write_bytes(data(*talk(*(f"{number} " + "x" * 1000 for number in range(700)))))
    pieces = list(import_claude_code_tree(tmp_path, piece_bytes=1))
    assert [piece.piece for piece in pieces] == list(range(len(pieces)))
    assert len(pieces) > 1
    await asyncio.gather(*(writer.write(piece) for piece in pieces))
    messages = await store.get_session_messages(org, SESSION)
    assert [message.content.split()[0] for message in messages] == [str(number) for number in range(700)]
    assert (await store.get_session(org, SESSION)).message_count == 700


async def test_another_users_session_of_the_same_id_is_never_overwritten(
    store: AsyncClickHouseStore, org: str, caplog: pytest.LogCaptureFixture
) -> None:
    writer = ImportWriter(store, org)
    await writer.write(read(*talk("a", "b"), user_id="ada", machine="m"))
    with caplog.at_level(logging.WARNING, logger="agentstore"):
        for _ in range(2):
            await writer.write(read(*talk("a", "c"), user_id="mei", machine="n"))
    assert SESSION in caplog.text
    found = await stored(store, org)
    (fork,) = found.keys() - {SESSION}
    assert (found[SESSION].user_id, found[fork].user_id) == ("ada", "mei")
    assert (found[fork].parent_session_id, found[fork].relationship_type) == (SESSION, "fork")
    assert [m.content for m in await store.get_session_messages(org, SESSION)] == ["a", "b"]
    assert [m.content for m in await store.get_session_messages(org, fork)] == ["a", "c"]


async def test_nor_is_one_whose_messages_have_no_ids(store: AsyncClickHouseStore, org: str) -> None:
    def nameless(*parts: str, **arguments: Any) -> ImportResult:
        result = read(*talk(*parts), **arguments)
        return replace(result, messages=[replace(message, source_id="") for message in result.messages])

    writer = ImportWriter(store, org)
    await writer.write(nameless("a", "b", user_id="ada", machine="m"))
    for _ in range(2):
        await writer.write(nameless("a", "c", user_id="mei", machine="n"))
    found = await stored(store, org)
    (fork,) = found.keys() - {SESSION}
    assert (found[SESSION].user_id, found[fork].user_id) == ("ada", "mei")
    assert [m.content for m in await store.get_session_messages(org, SESSION)] == ["a", "b"]
    await writer.write(nameless("a", user_id="ada", machine="n"))
    await writer.write(nameless("a", "b", "d", user_id="ada", machine="n"))
    assert [m.content for m in await store.get_session_messages(org, SESSION)] == ["a", "b", "d"]
    assert set(await stored(store, org)) == {SESSION, fork}


async def test_a_fork_that_diverges_in_a_later_piece_reads_whole(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / f"{SESSION}.jsonl"
    same = [f"{number} " + "x" * 1000 for number in range(300)]
    calls = [assistant(use("t", command="ls"), id="m"), result("t", "found")]

    async def write(last: str, user: str) -> None:
        path.write_bytes(data(*calls, *talk(*same, last)))
        writer = ImportWriter(store, org)
        pieces = list(import_claude_code_tree(tmp_path, user_id=user, machine=user, piece_bytes=1))
        assert len(pieces) > 1
        for piece in pieces:
            await writer.write(piece)

    await write("hers", "ada")
    await write("his", "bob")
    (fork,) = (await stored(store, org)).keys() - {SESSION}
    texts = [message.content.split()[0] for message in await store.get_session_messages(org, fork)]
    assert texts[-301:] == [*(str(number) for number in range(300)), "his"]
    assert len(await store.get_session_tool_calls(org, fork)) == 1
    assert (await store.get_session(org, fork)).message_count == len(texts)
    assert sum(one.message_count for one in await store.usage_by_user(org)) == len(texts) + 1


@pytest.mark.parametrize("is_first", [True, False])
async def test_subagents_of_a_fork_count_for_its_owner(
    store: AsyncClickHouseStore, org: str, *, is_first: bool
) -> None:
    def subagent(**arguments: Any) -> ImportResult:
        spoken = [user("look", 2, uuid="i"), assistant(said("found"), id="msg_sub", output=500)]
        return read(*spoken, file=f"p/{SESSION}/subagents/agent-7c1e0b2.jsonl", **arguments)

    await ImportWriter(store, org).write(read(*talk("a", "b"), user_id="ada", machine="m"))
    mei = {"user_id": "mei", "machine": "n"}
    writer = ImportWriter(store, org)
    results = [subagent(**mei), read(*talk("a", "c"), **mei)]
    for one in results if is_first else reversed(results):
        await writer.write(one)
    assert {one.user_id: one.total_output_tokens for one in await store.usage_by_user(org)} == {"ada": 0, "mei": 500}
    # Also where it goes on, and its session is not read again.
    await ImportWriter(store, org).write(subagent(**mei))
    assert {one.user_id: one.total_output_tokens for one in await store.usage_by_user(org)} == {"ada": 0, "mei": 500}


async def test_another_machines_copy_that_is_no_more_is_not_stored_again(store: AsyncClickHouseStore, org: str) -> None:
    writer = ImportWriter(store, org)
    await writer.write(read(*talk("a", "b"), user_id="ada", machine="m"))
    await writer.write(read(*talk("a"), user_id="ada", machine="n"))
    assert [m.content for m in await store.get_session_messages(org, SESSION)] == ["a", "b"]
    await writer.write(read(*talk("a", "b", "c"), user_id="ada", machine="n"))
    found = await stored(store, org)
    assert (set(found), found[SESSION].message_count, found[SESSION].machine) == ({SESSION}, 3, "n")


async def test_a_result_without_a_session_writes_nothing(store: AsyncClickHouseStore, org: str) -> None:
    await ImportWriter(store, org).write(read(line("mode")))
    with pytest.raises(NotFoundError):
        await store.get_session(org, SESSION)


async def test_a_high_confidence_is_never_replaced_by_a_medium_one(store: AsyncClickHouseStore, org: str) -> None:
    def made(command: str) -> ImportResult:
        call = assistant(use("t", command=command))
        return read(*talk("a"), call, result("t", "[main 1a2b3c4] x\n[main 5d6e7f8] y"))

    async def confidences() -> list[str]:
        return [link.confidence for link in await store.get_session_git_links(org, SESSION)]

    high, medium = made("git commit"), made("git cherry-pick a b")
    for given, expected in ((medium, "medium"), (high, "high"), (medium, "high")):
        await ImportWriter(store, org).write(given)
        assert await confidences() == [expected] * 2


async def test_touched_files_are_those_of_the_last_import(store: AsyncClickHouseStore, org: str) -> None:
    def touched(*names: str) -> ImportResult:
        calls = [assistant(use(f"t-{name}", "Edit", file_path=f"/r/{name}"), id=name, cwd="/r") for name in names]
        return read(user("a", cwd="/r"), *calls, *(result(f"t-{name}", "ok") for name in names))

    for names in (("a.py", "b.py"), ("a.py",), ("a.py", "c.py")):
        await ImportWriter(store, org).write(touched(*names))
        history = await store.file_history(org, "", session_id=SESSION)
        assert sorted(entry.path for entry in history.touches) == sorted(names)
    assert [entry.session_id for entry in (await store.file_history(org, "c.py")).touches] == [SESSION]


# --- copies: what another program read and wrote down ----------------------------------------------------------------


def grown(number: int) -> list[dict[str, Any]]:
    """A session of so many prompts, each with a call."""
    records: list[dict[str, Any]] = []
    for one in range(number):
        records += [
            user(f"p{one}", one * 2, uuid=f"u{one}"),
            assistant(use(f"t{one}"), second=one * 2 + 1, id=f"m{one}"),
        ]
    return records


def copy_of(*records: Any, **arguments: Any) -> ImportResult:
    """A copy has texts of its own, so that it is seen whose rows are stored."""
    result = read(*records, **arguments)
    told = [replace(message, content=f"copy of {message.content}") for message in result.messages]
    sessions = [replace(session, copied_by="another") for session in result.sessions]
    return replace(result, file=f"sessions.db#{SESSION}", sessions=sessions, messages=told, state=None, replaces=[])


async def texts(store: AsyncClickHouseStore, org: str) -> list[str]:
    return [message.content.partition("\n")[0] for message in await store.get_session_messages(org, SESSION)]


async def test_a_copy_takes_nobodys_place_who_has_as_much(store: AsyncClickHouseStore, org: str) -> None:
    writer = ImportWriter(store, org)
    await writer.write(read(*grown(2)))
    before = (await store.get_session(org, SESSION), await texts(store, org))
    for other in (writer, ImportWriter(store, org)):
        for copy in (copy_of(*grown(2)), copy_of(*grown(1)), copy_of(*grown(1), *talk("a", "b", "c"))):
            await other.write(copy)
    # More messages or calls, and none of them later: it only counts otherwise.
    await writer.write(copy_of(*grown(2), user("system", 2, uuid="s")))
    await writer.write(copy_of(*grown(2), assistant(use("t9"), second=2, id="m9")))
    assert (await store.get_session(org, SESSION), await texts(store, org)) == before


async def test_a_copy_with_more_is_stored_until_the_file_is_read_again(store: AsyncClickHouseStore, org: str) -> None:
    writer = ImportWriter(store, org)
    await writer.write(read(*grown(1)))
    later = replace(read(*grown(4)), piece=1)
    for number in (2, 3):
        await writer.write(copy_of(*grown(number)))
        assert (await texts(store, org))[0] == "copy of p0"
        assert len(await texts(store, org)) == 2 * number
    await writer.write(copy_of(*grown(2)))
    assert len(await texts(store, org)) == 6
    for other in (writer, ImportWriter(store, org)):
        # It would add to rows that are not its own.
        with pytest.raises(StaleStateError):
            await other.write(later)
    await writer.write(read(*grown(3)))
    assert (await texts(store, org))[0] == "p0"
    assert not (await store.get_session(org, SESSION)).copied_by
    await writer.write(later)
    assert len(await texts(store, org)) == 8


async def test_a_copy_waits_for_the_pieces_that_were_handed_over_before_it(
    store: AsyncClickHouseStore, org: str
) -> None:
    writer = ImportWriter(store, org)
    pieces = [read(*grown(1)), replace(read(*grown(4)), piece=1)]
    await asyncio.gather(*(writer.write(result) for result in (*pieces, copy_of(*grown(3)))))
    found = await texts(store, org)
    assert (len(found), any(text.startswith("copy") for text in found)) == (8, False)


async def test_a_copy_alone_is_stored_and_the_file_takes_its_place(store: AsyncClickHouseStore, org: str) -> None:
    writer = ImportWriter(store, org)
    await writer.write(copy_of(*grown(3)))
    assert len(await texts(store, org)) == 6
    await writer.write(read(*grown(2)))
    found = await texts(store, org)
    assert (found[::2], any(text.startswith("copy") for text in found)) == (["p0", "p1"], False)


async def test_a_copy_leaves_another_owners_session_alone(store: AsyncClickHouseStore, org: str) -> None:
    writer = ImportWriter(store, org)
    await writer.write(read(*grown(1), user_id="ada"))
    await writer.write(copy_of(*grown(3), user_id="mei"))
    assert len(await texts(store, org)) == 2
    assert set(await stored(store, org)) == {SESSION}


@pytest.mark.parametrize("order", ["native first", "copy first"])
async def test_a_session_from_its_file_and_from_agentsview_is_one(
    order: str, store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "projects" / f"{SESSION}.jsonl"
    file.parent.mkdir()
    file.write_bytes(data(*grown(2)))
    archive = Archive(tmp_path / "sessions.db")
    archive.session(SESSION, started_at=at(0))
    archive.session("agent-a1", parent_session_id=SESSION, relationship_type="subagent")
    archive.message("agent-a1", "user", "look", timestamp=at(8))
    archive.message("agent-a1", "assistant", "found", timestamp=at(9), claude_message_id="msg_sub", output_tokens=5)
    for one in range(3):
        archive.message(SESSION, "user", f"p{one}", timestamp=at(one * 2), source_uuid=f"u{one}")
        said = archive.message(SESSION, "assistant", "ls", timestamp=at(one * 2 + 1), claude_message_id=f"m{one}")
        archive.call(SESSION, said, "Bash", {}, tool_use_id=f"t{one}")
    writer = ImportWriter(store, org)
    for piece in sorted(
        import_tree(tmp_path), key=lambda piece: piece.file.endswith(".jsonl") != (order == "native first")
    ):
        await writer.write(piece)
    found = await stored(store, org)
    assert set(found) == {SESSION, f"{SESSION}:agent-a1"}
    # The copy went on; the file is what the agent wrote, and the next import of it has all.
    assert found[SESSION].message_count == (6 if order == "native first" else 4)
    file.write_bytes(data(*grown(4)))
    for piece in import_tree(tmp_path):
        await writer.write(piece)
    session = await store.get_session(org, SESSION)
    assert (session.message_count, session.tool_call_count) == (8, 4)
    assert (await texts(store, org))[-2:] == ["p3", "[Tool: Bash]"]
