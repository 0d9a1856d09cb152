"""History is read again from its originals, and written back: what the store has after that is what it had."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from agentstore import AlreadyThereError, AsyncClickHouseStore, InvalidArgumentError, NotFoundError
from agentstore.connection.sql import identifier, sql
from agentstore.importers import IMPORTERS, Importer
from agentstore.ingest import IngestEvent, IngestSummary, ingest, reimport, restore
from agentstore.masking import Masker
from agentstore.models import OriginalPart, SourceFile
from agentstore.read.floors import CONTENT, MARKS, above_floors
from agentstore.write.rows import FLOORED
from tests.unit import codex_lines
from tests.unit.importer_lines import SESSION, assistant, data, line, result, said, use, user
from tests.unit.importer_seeds import SEEDS, Seed

SECRET = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
each_seed = pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name.replace(" ", "-"))


async def run(events: Any) -> tuple[list[IngestEvent], IngestSummary]:
    found = [event async for event in events]
    assert isinstance(found[-1], IngestSummary)
    return found[:-1], found[-1]


def outcomes(events: Sequence[IngestEvent]) -> list[tuple[str, str]]:
    return [(event.kind, event.reason) for event in events if event.kind in ("skipped", "failed")]


async def took(store: AsyncClickHouseStore, org: str, root: pathlib.Path, **arguments: Any) -> IngestSummary:
    _, summary = await run(ingest(store, org, places=root, user="ada", **{"machine": "laptop", **arguments}))
    return summary


def lay(seed: Seed, root: pathlib.Path) -> pathlib.Path:
    for name, content in {**seed.beside, seed.path: seed.data}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root / seed.path


async def rows(store: AsyncClickHouseStore, org: str, ids: Sequence[str]) -> dict[str, Any]:
    """All that is stored of some sessions."""
    found: dict[str, Any] = {}
    for id in ids:
        try:
            session: Any = await store.get_session(org, id)
        except NotFoundError:
            session = None
        found[id] = (
            session,
            await store.get_session_messages(org, id),
            await store.get_session_tool_calls(org, id),
            await store.get_session_git_links(org, id),
            (await store.file_history(org, "", session_id=id)).touches,
        )
    return found


async def tables(store: AsyncClickHouseStore, org: str) -> dict[str, list[str]]:
    """All rows of an organisation as texts, but for their versions: of many sessions at once."""
    found: dict[str, list[str]] = {}
    for name, scope in (("sessions", ""), *((one.name, CONTENT) for one in FLOORED[CONTENT]), ("git_links", MARKS)):
        query = sql(
            "SELECT toString(tuple(* EXCEPT _version)) AS row FROM {table} FINAL WHERE org_id = {org} AND {seen}"
            " ORDER BY row",
            table=identifier(name),
            org=org,
            seen=above_floors(org, scope) if scope else sql("1"),
        )
        found[name] = list((await store._open_pool.fetch(query))[0])
    return found


async def known(store: AsyncClickHouseStore, org: str) -> list[str]:
    return sorted({id for row in await store.list_source_files(org) for id in row.session_ids})


class Newer:
    """An importer of a higher version."""

    def __init__(self, importer: Importer) -> None:
        self._importer = importer
        self.version = importer.version + 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._importer, name)


NEWER: Any = tuple(map(Newer, IMPORTERS))


def transcript(*texts: str) -> bytes:
    records = [user(text, number, uuid=f"u{number}") for number, text in enumerate(texts)]
    return data(*records, assistant(said("so"), use("t"), second=len(texts)), result("t", second=len(texts) + 1))


def content_of(row: SourceFile) -> bytes:
    return pathlib.Path(row.path).read_bytes()


def below(folder: pathlib.Path, pattern: str = "**/*") -> list[pathlib.Path]:
    return sorted(folder.glob(pattern))


def claude(root: pathlib.Path, content: bytes, session: str = SESSION) -> pathlib.Path:
    path = root / "projects" / "-home-ada-clock" / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# --- reading again ------------------------------------------------------------------------------------------------


@each_seed
async def test_what_is_read_again_is_what_was_read(
    seed: Seed, store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    root = tmp_path / "home"
    lay(seed, root)
    await took(store, org, root)
    ids = await known(store, org)
    before = await rows(store, org, ids)
    files = await store.list_source_files(org, packed=["state", "facts"])
    shutil.rmtree(root)
    events, summary = await run(reimport(store, org))
    assert await rows(store, org, ids) == before
    assert await store.list_source_files(org, packed=["state", "facts"]) == files
    if seed.shape == "database":
        assert set(outcomes(events)) <= {("skipped", "no original")}
        return
    assert outcomes(events) == []
    assert summary.files == {"read": sum(one.outcome != "around" for one in files)}
    assert summary.sessions == len(ids) > 0
    _, summary = await run(reimport(store, org, importers=NEWER))
    assert summary.files == {"read": sum(one.outcome != "around" for one in files)}
    assert await rows(store, org, ids) == before
    for row in await store.list_source_files(org, packed=["state"]):
        if row.outcome == "around":  # what lies around files, and is none
            continue
        assert (row.importer_version, row.stat, row.state) == (
            next(one.version for one in NEWER if one.name == row.importer),
            "",
            b"",
        )


async def test_what_was_lost_comes_back(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    path = claude(tmp_path, transcript("one", "two"))
    await took(store, org, tmp_path)
    before = await rows(store, org, [SESSION])
    path.unlink()
    # As a worse importer would have left it: less of it, and a message that is none.
    messages = await store.get_session_messages(org, SESSION)
    worse = [messages[0], msgspec.structs.replace(messages[1], ordinal=9, content="none")]
    await store.write_session(org, await store.get_session(org, SESSION), worse, replace=True)
    assert await rows(store, org, [SESSION]) != before
    await run(reimport(store, org, importers=NEWER))
    assert await rows(store, org, [SESSION]) == before


async def test_the_raw_file_is_read_again_after_a_newer_version_read_its_original(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = claude(tmp_path, transcript("one"))
    await took(store, org, tmp_path)
    await run(reimport(store, org, importers=NEWER))
    assert (await took(store, org, tmp_path, importers=NEWER)).files == {"read": 1}
    path.write_bytes(transcript("one") + data(user("three", 9, uuid="u9")))
    await took(store, org, tmp_path, importers=NEWER)
    before = await rows(store, org, [SESSION])
    assert [one.content for one in before[SESSION][1]][-1] == "three"
    path.unlink()
    await run(reimport(store, org))
    assert await rows(store, org, [SESSION]) == before


async def test_a_file_that_grew_is_read_again_as_a_whole(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    records = [user(f"{number} token {SECRET}", number, uuid=f"u{number}") for number in range(12)]
    whole = data(*records)
    lines = whole.splitlines(keepends=True)
    cuts = [1, 4, 4, 9, 12]
    for number, cut in enumerate(cuts):
        # A last line that is only begun is a part of its own, until it is whole.
        torn = lines[cut][: len(lines[cut]) // 2] if number in (1, 2, 3) else b""
        claude(tmp_path, b"".join(lines[:cut]) + torn)
        await took(store, org, tmp_path)
    shutil.rmtree(tmp_path / "projects")
    before = await rows(store, org, [SESSION])
    assert len(before[SESSION][1]) == 12
    assert SECRET not in str(before)
    events, _ = await run(reimport(store, org))
    assert outcomes(events) == []
    assert await rows(store, org, [SESSION]) == before
    (restored,) = await restore(store, org, SESSION, tmp_path / "there")
    assert restored.read_bytes() == Masker().mask(whole)


async def test_a_file_that_was_written_again_and_is_shorter_leaves_nothing_of_before(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    lines = data(*(user(f"{number}", number, uuid=f"u{number}") for number in range(6))).splitlines(keepends=True)
    for content in (lines[:2], [*lines[:5], lines[5][:20]], lines[:5], lines[:2]):
        claude(tmp_path, b"".join(content))
        await took(store, org, tmp_path)
    before = await rows(store, org, [SESSION])
    assert len(before[SESSION][1]) == 2
    await run(reimport(store, org))
    assert await rows(store, org, [SESSION]) == before


async def test_a_project_that_only_git_told_stays_and_so_does_a_title(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    clock = tmp_path / "clock"
    (clock / ".git").mkdir(parents=True)
    (clock / ".git" / "config").write_text('[remote "origin"]\n\turl = https://example.com/ada/clock.git\n')
    path = claude(tmp_path, data(user("one", 0, cwd=str(clock)), assistant(said("so"), cwd=str(clock))))
    await took(store, org, tmp_path, machine=None)
    session = await store.get_session(org, SESSION)
    assert session.project_name == "clock"
    titled = msgspec.structs.replace(session, display_name="From a database of titles")
    await store.write_batch(org, [titled], [], [])
    before = await store.get_session(org, SESSION)
    path.unlink()
    shutil.rmtree(clock)
    await run(reimport(store, org, importers=NEWER))
    assert await store.get_session(org, SESSION) == before


async def test_titles_in_a_list_beside_the_sessions_come_along(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    titles, ids = [], []
    for number in range(3):
        thread = f"0199f1aa-0000-7000-8000-00000000000{number}"
        content = codex_lines.data(*codex_lines.MODERN).replace(codex_lines.THREAD.encode(), thread.encode())
        name = codex_lines.NAME.replace(codex_lines.THREAD, thread)
        lay(Seed("codex", f"sessions/2026/02/03/{name}", content), tmp_path)
        titles.append({"id": thread, "thread_name": f"Title {number}"})
        ids.append(f"codex:{thread}")
    (tmp_path / "session_index.jsonl").write_bytes(data(*titles))
    await took(store, org, tmp_path / "sessions")
    assert await known(store, org) == ids
    before = await rows(store, org, ids)
    assert [session.display_name for session, *_ in before.values()] == ["Title 0", "Title 1", "Title 2"]
    # So that it is not the stored titles that stay.
    untitled = [msgspec.structs.replace(session, display_name="") for session, *_ in before.values()]
    await store.write_batch(org, untitled, [], [])
    shutil.rmtree(tmp_path / "sessions")
    await run(reimport(store, org))
    assert await rows(store, org, ids) == before
    paths = await restore(store, org, ids[0], tmp_path / "there" / "sessions")
    assert [path.parent.name for path in paths] == ["03"], "a list of all sessions is not written"


async def test_usage_that_a_database_told_stays(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    (seed,) = [one for one in SEEDS if one.agent == "antigravity-cli"]
    path = lay(seed, tmp_path)
    await took(store, org, tmp_path)
    (id,) = await known(store, org)
    session, messages, calls, *_ = (await rows(store, org, [id]))[id]
    spoken = next(number for number, one in enumerate(messages) if one.role == "assistant")
    messages[spoken] = msgspec.structs.replace(
        messages[spoken], model="m", token_usage='{"output": 7}', output_tokens=7, context_tokens=90
    )
    session = msgspec.structs.replace(session, total_output_tokens=7, peak_context_tokens=90)
    await store.write_session(org, session, messages, calls)
    before = await rows(store, org, [id])
    path.unlink()
    await run(reimport(store, org))
    assert await rows(store, org, [id]) == before


async def test_ids_that_are_digests_of_what_held_secrets_stay(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    for seed in (one for one in SEEDS if one.path.endswith("twice.traj")):
        content = seed.data.replace(b"Fix the tide.", f"Fix the tide with {SECRET}.".encode())
        assert content != seed.data
        lay(seed._replace(data=content), tmp_path)
    await took(store, org, tmp_path)
    ids = await known(store, org)
    before = await rows(store, org, ids)
    assert len(ids) == 2
    assert SECRET not in str(before)
    await run(reimport(store, org))
    assert await rows(store, org, ids) == before
    assert (await store.list_sessions(org)).total == 2


async def test_only_what_is_asked_for_is_read(store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path) -> None:
    other = "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f"
    for session in (SESSION, other):
        records = [user("a", uuid=f"{session}-a", sessionId=session), assistant(said("b"), sessionId=session)]
        claude(tmp_path, data(*records), session)
    lay(next(seed for seed in SEEDS if seed.agent == "codex"), tmp_path)
    await took(store, org, tmp_path)
    assert len(await known(store, org)) == 3
    for choice, paths in (
        ({"session_ids": [other]}, [f"{other}.jsonl"]),
        ({"agents": ["claude-code"]}, [f"{SESSION}.jsonl", f"{other}.jsonl"]),
        ({"machine": "desk"}, []),
        ({"session_ids": []}, []),
    ):
        events, summary = await run(reimport(store, org, **choice))
        stored = {event.path.rpartition("/")[2] for event in events if event.kind == "stored"}
        assert stored == set(paths)
        assert summary.files == ({"read": len(paths)} if paths else {})
    with pytest.raises(InvalidArgumentError):
        await run(reimport(store, org, agents="codex"))


async def test_a_subagent_with_a_file_of_its_own_is_not_made_of_what_its_session_says(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    inner = [user("look", 2, uuid="i"), assistant(said("found"), id="msg_sub", output=500)]
    embedded = [
        line("progress", 3, data={"type": "agent_progress", "agentId": "a1", "message": one}) for one in inner[:1]
    ]
    path = claude(tmp_path, transcript("one") + data(*embedded))
    own = path.with_suffix("") / "subagents" / "agent-a1.jsonl"
    own.parent.mkdir(parents=True)
    own.write_bytes(data(*({**record, "isSidechain": True, "agentId": "a1"} for record in inner)))
    await took(store, org, tmp_path)
    ids = await known(store, org)
    assert ids == [SESSION, f"{SESSION}:agent-a1"]
    before = await rows(store, org, ids)
    for choice in (None, [SESSION], [f"{SESSION}:agent-a1"]):
        await run(reimport(store, org, session_ids=choice))
        assert await rows(store, org, ids) == before


# --- what does not come back ----------------------------------------------------------------------------------------


async def test_what_was_deleted_or_purged_does_not_come_back(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    other = "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f"
    for session in (SESSION, other):
        claude(tmp_path, data(user("a", uuid=session, sessionId=session)), session)
    await took(store, org, tmp_path)
    await store.delete_sessions(org, [SESSION])
    await store.purge_sessions(org, [other])
    events, summary = await run(reimport(store, org, importers=NEWER))
    assert outcomes(events) == [("skipped", "deleted")]
    assert summary.files == {"deleted": 1}
    assert (await store.list_sessions(org)).total == 0
    for id in (SESSION, other):
        with pytest.raises(NotFoundError):
            await restore(store, org, id, tmp_path / "there")
    assert not (tmp_path / "there").exists()


async def test_a_purged_session_whose_row_was_written_again_stays_purged(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    """An ingest on another machine may write both after the purge began."""
    claude(tmp_path, transcript("one"))
    await took(store, org, tmp_path)
    (row,) = await store.list_source_files(org)
    (part,) = await store.get_originals(org, row.original_id)
    await store.purge_sessions(org, [SESSION])
    await store.write_originals(org, [msgspec.structs.replace(part, session_id="")])
    await store.write_source_files(org, [msgspec.structs.replace(row, session_ids=())])
    events, summary = await run(reimport(store, org))
    assert outcomes(events) == [("skipped", "purged")]
    assert summary.files == {"purged": 1}
    assert (await store.list_sessions(org)).total == 0


async def test_a_file_of_which_a_part_is_missing_is_left_alone(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    for step, keep in enumerate((True, False, True)):
        claude(tmp_path, data(*(user(f"{number}", number, uuid=f"u{number}") for number in range(2 * step + 2))))
        await took(store, org, tmp_path, keep_raw=keep)
    before = await rows(store, org, [SESSION])
    events, _ = await run(reimport(store, org))
    ((kind, reason),) = outcomes(events)
    assert kind == "failed"
    assert reason.startswith("the original ends at byte")
    assert await rows(store, org, [SESSION]) == before
    with pytest.raises(NotFoundError, match="ends at byte"):
        await restore(store, org, SESSION, tmp_path / "there")


async def test_of_what_was_not_kept_nothing_is_read(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, transcript("one"))
    await took(store, org, tmp_path, keep_raw=False)
    events, summary = await run(reimport(store, org))
    assert outcomes(events) == [("skipped", "no original")]
    assert summary.files == {"no original": 1}
    with pytest.raises(NotFoundError, match="no original"):
        await restore(store, org, SESSION, tmp_path / "there")
    with pytest.raises(NotFoundError, match="no session"):
        await restore(store, org, "nobody", tmp_path / "there")


async def test_a_session_that_went_on_elsewhere_is_not_read_from_where_it_began(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path / "a", data(*(user(f"{number}", number, uuid=f"u{number}") for number in range(2))))
    claude(tmp_path / "b", data(*(user(f"{number}", number, uuid=f"u{number}") for number in range(4))))
    await took(store, org, tmp_path / "a")
    await took(store, org, tmp_path / "b", machine="desk")
    before = await rows(store, org, [SESSION])
    assert before[SESSION][0].machine == "desk"
    events, _ = await run(reimport(store, org, importers=NEWER))
    assert outcomes(events) == [("skipped", "known")]
    assert await rows(store, org, [SESSION]) == before
    assert (await store.list_sessions(org)).total == 1


async def test_what_no_importer_could_read_may_be_read_by_a_newer_one(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    seed = next(seed for seed in SEEDS if seed.path.endswith("7.traj"))
    path = lay(seed._replace(data=b'{"trajectory": 5, "info": {}}'), tmp_path)
    await took(store, org, tmp_path)
    (row,) = await store.list_source_files(org)
    assert (row.outcome, bool(row.original_id), row.session_ids) == ("unreadable", True, ())
    path.unlink()

    class Better(Newer):
        def survey(self, files: Any, options: Any, known: Any) -> Any:
            for file in files:
                file.write_bytes(seed.data)  # as if it could read the other
            return self._importer.survey(files, options, known)

    better: Any = [Better(one) for one in IMPORTERS]
    await run(reimport(store, org, importers=better))
    (row,) = await store.list_source_files(org)
    assert row.outcome == "read"
    assert (await store.list_sessions(org)).total == len(row.session_ids) == 1


async def test_an_importer_that_raises_fails_its_file_only(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path, transcript("one"))
    lay(next(seed for seed in SEEDS if seed.agent == "codex"), tmp_path)
    await took(store, org, tmp_path)
    ids = await known(store, org)
    before = await rows(store, org, ids)

    class Broken(Newer):
        def survey(self, *arguments: Any) -> Any:
            history = self._importer.survey(*arguments)

            class Breaking:
                def __getattr__(self, name: str) -> Any:
                    return getattr(history, name)

                def read(self, path: pathlib.Path) -> Any:
                    yield from history.read(path)
                    raise RuntimeError("broken")

            return Breaking()

    broken: Any = [Broken(one) if one.name == "claude-code" else one for one in IMPORTERS]
    events, summary = await run(reimport(store, org, importers=broken))
    assert outcomes(events) == [("failed", "RuntimeError: broken")]
    assert summary.files == {"failed": 1, "read": 1}
    assert await rows(store, org, ids) == before
    none: Any = [one for one in IMPORTERS if one.name != "claude-code"]
    events, _ = await run(reimport(store, org, importers=none))
    assert outcomes(events) == [("skipped", "no importer")]


# --- names that other machines chose ----------------------------------------------------------------------------------

HOSTILE = [
    "/../../../../etc/cron.d/{}.jsonl",
    "../../{}.jsonl",
    "C:\\Users\\ada\\..\\..\\..\\{}.jsonl",
    "C:/Users/ada/projects/-w/{}.jsonl",
    "\\\\server\\share\\{}.jsonl",
    "/a\0b/{}.jsonl",
    "/" + "x" * 300 + "/{}.jsonl",
    "/" + "/".join(["deep" * 20] * 80) + "/{}.jsonl",
    "/same/{}.jsonl",
    "/same/./{}.jsonl",
    "/Same/{}.jsonl",
    "/same/{}.jsonl/{}.jsonl",
    "//{}.jsonl//",
]
BESIDE = ["../../../../../../../../outside", "/etc/outside", ".", "..", "a\0b", "x" * 400, "C:\\x", "sub/../../x"]


async def test_no_name_leads_out_of_the_folder_nor_over_another_file(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "deep" / "temporary"
    inside.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(inside))
    files, ids = [], []
    for number, name in enumerate(HOSTILE):
        id = f"{number:08x}-2b64-4e0a-8f35-6a1b2c3d4e5f"
        content = data(user(f"text {number}", uuid=f"u{number}", sessionId=id))
        own = OriginalPart(original_id=f"o{number}", end=len(content), data=content)
        beside = [
            OriginalPart(original_id=f"o{number}", file=file, end=3, data=b"no%d" % (number % 10)) for file in BESIDE
        ]
        await store.write_originals(org, [own, *beside[: -1 if number else None]])
        # The same name for all, so that some of them are one path here.
        path = name.replace("{}", SESSION if "ame/" in name else id)
        files.append(
            SourceFile(
                path=path,
                machine="m",
                user_id="ada",
                source_id=f"s{number}",
                importer="claude-code",
                root="/",
                importer_version=1,
                size=len(content),
                original_id=f"o{number}",
            )
        )
        ids.append(id)
    await store.write_source_files(org, files)
    events, summary = await run(reimport(store, org))
    assert outcomes(events) == []
    # Where two paths are one here, the names of their files are one, and so are their sessions: each is there once.
    assert summary.files == {"read": len(HOSTILE)}
    texts = set()
    for session in (await store.list_sessions(org)).sessions:
        texts |= {one.content for one in await store.get_session_messages(org, session.id)}
    assert texts == {f"text {number}" for number in range(len(HOSTILE))}
    assert sorted(one.name for one in below(tmp_path)) == ["deep", "temporary"]
    for row in await store.list_source_files(org):
        for id in row.session_ids:
            there = tmp_path / "deep" / "there"
            for restored in await restore(store, org, id, there):
                assert restored.resolve().is_relative_to(there.resolve())
            assert [one.name for one in (tmp_path / "deep").iterdir() if one.name not in ("there", "temporary")] == []
            shutil.rmtree(there)


# --- writing back -----------------------------------------------------------------------------------------------------


async def test_a_restored_session_has_its_subagents_and_what_lies_beside(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "ada" / ".claude"
    main = claude(here, transcript(f"token {SECRET}"))
    agent = main.with_suffix("") / "subagents" / "agent-a1.jsonl"
    agent.parent.mkdir(parents=True)
    inner = [user("look", 2, uuid="i"), assistant(said("found"), id="msg_sub", output=500)]
    agent.write_bytes(data(*({**record, "isSidechain": True, "agentId": "a1"} for record in inner)))
    agent.with_name("agent-a1.meta.json").write_bytes(b'{"description": "Looks"}')
    claude(here, data(user("another", uuid="x")), "5a6b7c8d-2b64-4e0a-8f35-6a1b2c3d4e5f")
    await took(store, org, here)
    home = tmp_path / "mei"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    for cwd, folder in ((None, "-home-ada-clock"), ("/srv/mei's ☃/clock.git", "-srv-mei-s---clock-git")):
        paths = await restore(store, org, SESSION, cwd=cwd)
        projects = home / ".claude" / "projects" / folder
        mine = projects / f"{SESSION}.jsonl"
        below = projects / SESSION / "subagents"
        assert paths[0] == mine
        assert set(paths) == {mine, below / "agent-a1.jsonl", below / "agent-a1.meta.json"}
        assert mine.read_bytes() == Masker().mask(main.read_bytes())
        assert (below / "agent-a1.jsonl").read_bytes() == agent.read_bytes()
        assert (below / "agent-a1.meta.json").read_bytes() == b'{"description": "Looks"}'
        assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
        assert {one.stat().st_mode & 0o777 for one in home.rglob("*") if one.is_dir()} == {0o700}
        assert not list(home.rglob("*.tmp"))
    lay(next(seed for seed in SEEDS if seed.agent == "codex"), tmp_path / "codex")
    await took(store, org, tmp_path / "codex")
    (codex,) = [id for id in await known(store, org) if id.startswith("codex:")]
    with pytest.raises(InvalidArgumentError):
        await restore(store, org, codex, cwd="/x")


async def test_a_file_that_is_there_is_not_overwritten_unasked(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    path = claude(tmp_path / "a", transcript("one"))
    await took(store, org, tmp_path / "a")
    there = tmp_path / "b" / "projects"
    (restored,) = await restore(store, org, SESSION, there)
    assert restored.relative_to(there).parts == ("-home-ada-clock", f"{SESSION}.jsonl")
    os.utime(restored, (1, 1))
    assert await restore(store, org, SESSION, there) == [restored]
    assert restored.stat().st_mtime == 1, "it is left as it is"
    restored.write_bytes(b"mine")
    with pytest.raises(AlreadyThereError) as caught:
        await restore(store, org, SESSION, there)
    assert caught.value.paths == (os.fspath(restored),)
    assert isinstance(caught.value, FileExistsError)
    assert restored.read_bytes() == b"mine"
    await restore(store, org, SESSION, there, overwrite=True)
    assert restored.read_bytes() == path.read_bytes()
    assert [one.name for one in there.rglob("*") if one.is_file()] == [restored.name]


async def test_a_compressed_rollout_is_restored_as_lines(
    store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    seed = next(seed for seed in SEEDS if seed.path.endswith(".zst"))
    lay(seed, tmp_path / "a")
    await took(store, org, tmp_path / "a")
    (id,) = await known(store, org)
    (restored,) = await restore(store, org, id, tmp_path / "b" / "archived_sessions")
    assert restored.name == codex_lines.NAME
    assert restored.read_bytes() == codex_lines.data(*codex_lines.MODERN)


@pytest.mark.parametrize("text", ["hello", f"token {SECRET}"])
async def test_a_restored_session_is_one_session_where_it_is_ingested(
    text: str, store: AsyncClickHouseStore, org: str, tmp_path: pathlib.Path
) -> None:
    claude(tmp_path / "a", transcript(text, "two"))
    await took(store, org, tmp_path / "a")
    before = await rows(store, org, [SESSION])
    (restored,) = await restore(store, org, SESSION, tmp_path / "b" / "projects", cwd="/srv/clock")
    await took(store, org, tmp_path / "b", machine="desk")
    after = await rows(store, org, [SESSION])
    assert after[SESSION][1:] == before[SESSION][1:]
    assert (await store.list_sessions(org)).total == 1
    with restored.open("ab") as stream:
        stream.write(data(user("it goes on", 30, uuid="u30")))
    await took(store, org, tmp_path / "b", machine="desk")
    assert (await store.list_sessions(org)).total == 1
    assert [one.content for one in await store.get_session_messages(org, SESSION)][-1] == "it goes on"
    # What it was restored from is not read again in its place.
    went_on = await rows(store, org, [SESSION])
    await run(reimport(store, org, importers=NEWER))
    assert await rows(store, org, [SESSION]) == went_on
    assert (await store.list_sessions(org)).total == 1


# --- real ones --------------------------------------------------------------------------------------------------------


async def test_real_snapshots_are_one_file_that_grew(
    store: AsyncClickHouseStore, org: str, transcripts: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folders = below(transcripts / "claude-code" / "entireio-cli" / "growth", "*")
    snapshots = {folder.name: below(folder, "*.jsonl") for folder in folders}
    last: dict[str, bytes] = {}
    for step in range(max(map(len, snapshots.values()))):
        for session, files in snapshots.items():
            last[session] = files[min(step, len(files) - 1)].read_bytes()
            claude(tmp_path / "a", last[session], session)
        await took(store, org, tmp_path / "a")
    before = await tables(store, org)
    assert len(before["messages"]) > 20
    shutil.rmtree(tmp_path / "a")
    events, _ = await run(reimport(store, org))
    assert outcomes(events) == []
    assert await tables(store, org) == before
    for session, content in last.items():
        path, *_ = await restore(store, org, session, tmp_path / "b")
        assert path.read_bytes() == Masker().mask(content)


async def test_real_transcripts_are_read_again_and_written_back(
    store: AsyncClickHouseStore, org: str, transcripts: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copytree(transcripts, tmp_path / "a", ignore=shutil.ignore_patterns("growth", "MANIFEST.tsv"))
    await took(store, org, tmp_path / "a")
    files = await store.list_source_files(org)
    before = await tables(store, org)
    mine = [row for row in files if row.importer == "claude-code" and row.original_id]
    raw = dict(zip(mine, map(content_of, mine), strict=True))
    shutil.rmtree(tmp_path / "a")
    events, _ = await run(reimport(store, org))
    assert {reason for kind, reason in outcomes(events) if kind == "failed"} == set()
    after = await tables(store, org)
    for table, found in before.items():
        assert len(found) > 20, table
        assert [(one, other) for one, other in zip(found, after[table], strict=True) if one != other] == []
    masker = Masker()
    with_sessions = sorted((row for row in mine if row.session_ids), key=lambda row: row.size)
    for row in (*with_sessions[:4], *with_sessions[-4:]):
        path, *_ = await restore(store, org, row.session_ids[-1], tmp_path / "b" / row.original_id)
        assert path.read_bytes() == masker.mask(raw[row])
