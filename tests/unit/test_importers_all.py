"""What holds for every importer of the registry, whatever its files hold.

``AGENTSTORE_MUTATIONS`` says how many mutated transcripts are read, of all agents together;
``AGENTSTORE_MUTATION_SEED`` repeats the ones of a run that printed it.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest

from agentstore.importers import (
    IMPORTERS,
    ImportResult,
    Options,
    StaleStateError,
    import_tree,
    importer_named,
    importer_of,
)
from agentstore.write.encoded_rows import encode_rows
from agentstore.write.rows import GIT_LINKS, MESSAGES, SESSIONS, TOOL_CALLS
from tests.unit.importer_mutations import mutated
from tests.unit.importer_rows import kept, union
from tests.unit.importer_seeds import SEEDS, Seed
from tests.unit.mutation_seed import mutation_seed

CUTS = 200
each_seed = pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name.replace(" ", "-"))


def drawn() -> int:
    seed = mutation_seed()
    print(f"seed {seed} (AGENTSTORE_MUTATION_SEED)")
    return seed


def laid(seed: Seed, root: pathlib.Path, data: bytes | None = None) -> pathlib.Path:
    """The transcript, with what belongs to it, on disk."""
    for name, beside in {**seed.beside, seed.path: seed.data if data is None else data}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(beside)
    return root / seed.path


def imported(seed: Seed, path: pathlib.Path, piece_bytes: int = 1 << 24) -> list[ImportResult]:
    importer = importer_named(seed.agent)
    history = importer.survey([path], Options(user_id="ada", machine="m", piece_bytes=piece_bytes))
    return [result for file in history.files for result in history.read(file)]


def check(results: Sequence[ImportResult]) -> None:
    """The rows are consistent, can be written, and are text that has UTF-8; what is wrong is told with its place."""
    owners: dict[str, set[str]] = {}
    for result in results:
        msgspec.json.encode(result)  # refuses lone surrogates
        assert result.file
        for problem in result.problems:
            assert problem.file
            assert problem.reason
            assert type(problem.line) is int
            assert problem.line >= 0
        assert len(result.sessions) <= 1, "a result has rows of one session"
        ids = {session.id for session in result.sessions}
        for rows in (result.messages, result.tool_calls, result.git_links):
            assert {row.session_id for row in rows} <= ids
        for id in ids:
            owners.setdefault(id, set()).add(result.file)
            # Of copies the store takes the fullest.
            assert len(owners[id]) == 1 or any(one.copied_by for one in result.sessions), "two files claim one session"
        for table, records in (
            (SESSIONS, result.sessions),
            (MESSAGES, result.messages),
            (TOOL_CALLS, result.tool_calls),
            (GIT_LINKS, result.git_links),
        ):
            encode_rows(table, "", records, name="rows")
    for id, files in owners.items():
        for file in files:
            check_session(id, [result for result in results if result.file == file])


def check_session(id: str, results: Iterable[ImportResult]) -> None:
    own = [result for result in results if any(session.id == id for session in result.sessions)]
    (session,) = own[-1].sessions
    messages = {message.ordinal: message for result in own for message in result.messages}
    assert sorted(messages) == list(range(session.message_count))
    assert session.user_message_count == sum(message.role == "user" for message in messages.values())
    assert session.user_message_count == 0 or session.first_message or session.message_count
    for message in messages.values():
        assert message.role in ("user", "assistant", "system")
        assert message.content_length == len(message.content)
        context = message.input_tokens + message.cache_read_tokens + message.cache_write_tokens
        assert message.context_tokens in (context, 0)  # 0: of several requests together nobody knows it
    for result in own:
        keys = [(call.message_ordinal, call.tool_use_id, call.call_index) for call in result.tool_calls]
        assert len(keys) == len(set(keys))
        assert all(call.message_ordinal in messages for call in result.tool_calls)
        assert all(link.message_ordinal in messages for link in result.git_links)


def test_every_importer_has_a_seed() -> None:
    assert {seed.agent for seed in SEEDS} == {importer.name for importer in IMPORTERS}
    assert len({seed.name for seed in SEEDS}) == len(SEEDS)


@each_seed
def test_a_seed_is_its_agents_and_has_rows(seed: Seed, tmp_path: pathlib.Path) -> None:
    path = laid(seed, tmp_path)
    importer = importer_of(path)
    assert importer is not None
    assert importer.name == seed.agent
    results = imported(seed, path)
    check(results)
    assert not any(result.problems for result in results)
    assert any(result.messages for result in results)
    assert any(result.tool_calls for result in results)
    assert [plain(result) for result in imported(seed, path)] == [plain(result) for result in results]


def plain(result: ImportResult) -> Any:
    return msgspec.to_builtins(result)


@each_seed
def test_every_cut_keeps_the_rows_before(seed: Seed, tmp_path: pathlib.Path) -> None:
    """At every record's end, and at random: the rows of a part are the first rows of the whole."""
    chance = random.Random(drawn())
    expected = imported(seed, laid(seed, tmp_path))
    whole, calls = starts(expected), call_keys(expected)
    ends = [place + 1 for place, byte in enumerate(seed.data) if byte == 10] if seed.shape != "database" else []
    for cut in ends + [chance.randrange(len(seed.data) + 1) for _ in range(CUTS)]:
        results = imported(seed, laid(seed, tmp_path, seed.data[:cut]))
        check(results)
        found = starts(results)
        # Of a torn database any rows may be missing.
        for id, roles in found.items() if seed.shape != "database" else ():
            assert id not in whole or whole[id][: len(roles)] == roles
        if seed.shape == "lines":
            assert found.keys() <= whole.keys()
            assert call_keys(results) <= calls


def call_keys(results: Iterable[ImportResult]) -> set[tuple[str, int, str, int]]:
    calls = [call for result in results for call in result.tool_calls]
    return {(call.session_id, call.message_ordinal, call.tool_use_id, call.call_index) for call in calls}


def starts(results: Iterable[ImportResult]) -> dict[str, list[str]]:
    """The roles of each session's messages, in order."""
    messages = {(one.session_id, one.ordinal): one.role for result in results for one in result.messages}
    roles: dict[str, list[str]] = {}
    for (id, _), role in sorted(messages.items()):
        roles.setdefault(id, []).append(role)
    return roles


@each_seed
def test_pieces_and_continued_imports_come_to_the_whole(seed: Seed, tmp_path: pathlib.Path) -> None:
    """A file that grows is imported each time from where the time before stopped, or anew where that cannot be."""
    chance = random.Random(drawn())
    whole = imported(seed, laid(seed, tmp_path))
    assert union(imported(seed, tmp_path / seed.path, 1))["rows"] == union(whole)["rows"]
    for _ in range(20):
        ends = [place + 1 for place, byte in enumerate(seed.data) if byte == 10] if seed.shape == "lines" else []
        steps = sorted(chance.sample(ends, min(len(ends), chance.randrange(1, 4))))
        results: list[ImportResult] = []
        for end in [*steps, len(seed.data), len(seed.data)]:
            results = continued(seed, laid(seed, tmp_path, seed.data[:end]), results, chance.choice([1, 400, 1 << 20]))
        assert union(results)["rows"] == union(whole)["rows"]


def continued(seed: Seed, path: pathlib.Path, before: list[ImportResult], piece_bytes: int) -> list[ImportResult]:
    """All results of a file after it may have changed."""
    state = before[-1].state if before else None
    if state is None:
        return imported(seed, path, piece_bytes)
    options = Options(user_id="ada", machine="m", piece_bytes=piece_bytes)
    history = importer_named(seed.agent).survey([path], options)
    try:
        return before + [result for file in history.files for result in history.read(file, kept(state))]
    except StaleStateError:
        return imported(seed, path, piece_bytes)


@each_seed
def test_mutated_transcripts_are_read(seed: Seed, tmp_path: pathlib.Path) -> None:
    number = max(int(os.environ.get("AGENTSTORE_MUTATIONS", "600")) // len(SEEDS), 1)
    drawn_seed = drawn()
    for one in range(number):
        data = mutated(seed, random.Random(f"{drawn_seed} {seed.name} {one}"))
        path = laid(seed, tmp_path, data)
        importer_of(path)
        results = imported(seed, path, 1 << 24 if one % 4 else 100)
        check(results)
        if seed.shape == "document" and data.strip() and not is_json(data):
            assert any(result.problems for result in results), f"input {one}: it is broken, and nothing is told"


def is_json(data: bytes) -> bool:
    """Whether these are JSON values, one or several, for a reader as forgiving as importers are: a mark in front,
    control characters in texts, numbers of any size."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip(" \t\r\n\x00")
    decoder = json.JSONDecoder(strict=False, parse_int=len)
    try:
        while text:
            _, end = decoder.raw_decode(text)
            text = text[end:].lstrip(" \t\r\n\x00")
    except RecursionError:
        return True  # what is nested too deeply may be skipped without being looked at
    except ValueError:
        return False
    return True


@each_seed
def test_mutated_neighbours_are_read(seed: Seed, tmp_path: pathlib.Path) -> None:
    """Several files that claim to be one session, each with something else wrong."""
    drawn_seed = drawn()
    importer = importer_named(seed.agent)
    for one in range(10):
        chance = random.Random(f"{drawn_seed} {seed.name} {one}")
        paths = [laid(seed, tmp_path / f"{copy}", mutated(seed, chance)) for copy in range(3)]
        history = importer.survey(paths, Options())
        check([result for file in history.files for result in history.read(file)])


def test_a_folder_that_cannot_be_listed_is_a_problem(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser can list every folder, so that this one is said to be forbidden."""
    forbidden = tmp_path / "sessions"
    forbidden.mkdir()
    scandir = os.scandir

    def forbid(path: str) -> object:
        if pathlib.Path(path) == forbidden:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbid)
    (result,) = import_tree(tmp_path)
    assert [(problem.file, problem.line) for problem in result.problems] == [(forbidden.as_posix(), 0)]
