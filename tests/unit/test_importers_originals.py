"""What is kept of the files that an import reads, and what of them is masked: the cases that no small seed has."""

from __future__ import annotations

import json
import pathlib
import random
from collections.abc import Iterable

import msgspec
import pytest

from agentstore.importers import ImportResult, Options, import_tree, jsonl
from agentstore.importers.sqlite_files import open_database
from agentstore.masking import Masker
from tests.unit.databases import opened
from tests.unit.importer_lines import SESSION, assistant, data, result, said, use, user
from tests.unit.importer_rows import union
from tests.unit.masking_examples import fill, key_lines
from tests.unit.test_importer_outputs import EMBEDDED, WHOLE, stub
from tests.unit.test_importers_all import drawn
from tests.unit.test_importers_masked import Kept, holds

SECRET = fill("ghp_{a36}", random.random())
MASK = Masker().mask


def options(piece_bytes: int = 1 << 24) -> Options:
    return Options(mask=MASK, keep_original=True, piece_bytes=piece_bytes)


def written(root: pathlib.Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def kept_of(results: Iterable[ImportResult]) -> dict[str, bytes]:
    all_kept = Kept()
    all_kept.take(results)
    return all_kept.files()


def session_with_files() -> dict[str, bytes]:
    agent = "a0123456789"
    stub_ = stub(f"/home/ada/.claude/projects/p/{SESSION}/tool-results/t1.txt", "18.4KB")
    own = [user("go"), assistant(use("t1", "Grep", pattern="x")), result("t1", stub_), assistant(said("so"), id="m2")]
    sub = [user("look", isSidechain=True, agentId=agent), assistant(said("found"), isSidechain=True, agentId=agent)]
    meta = json.dumps({"description": f"look for {SECRET}", "agentType": "Explore"}).encode()
    return {
        f"projects/p/{SESSION}.jsonl": data(*own),
        f"projects/p/{SESSION}/tool-results/t1.txt": f"{WHOLE}\ntoken {SECRET}\n".encode(),
        f"projects/p/{SESSION}/tool-results/other.txt": b"nobody asks for it",
        f"projects/p/{SESSION}/subagents/agent-{agent}.jsonl": data(*sub),
        f"projects/p/{SESSION}/subagents/agent-{agent}.meta.json": meta,
    }


@pytest.mark.parametrize("piece_bytes", [1, 1 << 24])
def test_claude_code_keeps_what_lies_beside(tmp_path: pathlib.Path, piece_bytes: int) -> None:
    files = session_with_files()
    written(tmp_path / "source", files)
    results = list(import_tree(tmp_path / "source", options(piece_bytes)))
    assert any(WHOLE in call.result_content for one in results for call in one.tool_calls)
    assert any("look for ‹secret:github-token›" in one.display_name for each in results for one in each.sessions)
    assert not holds(SECRET, results)
    kept = {name.removeprefix(f"{tmp_path.as_posix()}/source/"): content for name, content in kept_of(results).items()}
    needed = {name: content for name, content in files.items() if not name.endswith("other.txt")}
    assert kept == {name: MASK(content) for name, content in needed.items()}
    parts = [(part.file, part.offset) for one in results for part in one.originals]
    assert len(parts) == len(set(parts))
    written(tmp_path / "copy", kept)
    assert union(import_tree(tmp_path / "copy"))["rows"] == union(results)["rows"]


@pytest.mark.parametrize("piece_bytes", [1, 700, 1 << 24])
def test_of_a_file_of_several_sessions_nothing_is_lost(tmp_path: pathlib.Path, piece_bytes: int) -> None:
    """Subagents that it embeds have results of their own, and its bytes come with its own session's."""
    path, content = tmp_path / f"{SESSION}.jsonl", data(*EMBEDDED)
    path.write_bytes(content)
    results = list(import_tree(tmp_path, options(piece_bytes)))
    assert len({session.id for one in results for session in one.sessions}) == 2
    assert kept_of(results) == {path.as_posix(): content}
    assert all(one.file == path.as_posix() for one in results if one.originals)


def test_what_is_too_long_is_left_out_and_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 300_000)
    path, first, last = tmp_path / f"{SESSION}.jsonl", data(user("go")), data(user("on", 2))
    long = data(user("x" * 400_000, 1))
    for whole in (first + long + last, first + last + long[:-1]):
        path.write_bytes(whole)
        for piece_bytes in (1, 1 << 24):
            results = list(import_tree(tmp_path, options(piece_bytes)))
            assert any("skipped" in problem.reason for one in results for problem in one.problems)
            assert kept_of(results) == {path.as_posix(): first + last}
            parts = [part for one in results for part in one.originals]
            assert max(part.end for part in parts) == len(whole)
            # What has no end yet comes again, from there.
            state = results[-1].state
            assert state is not None
            assert state.offset in {len(whole), *(part.offset for part in parts if not part.data)}


def test_a_text_is_masked_as_a_whole(tmp_path: pathlib.Path) -> None:
    """What stands in several lines is found only by who sees all of them."""
    key = "\n".join(key_lines())
    text = f"user:\n<user_query>\nhere it is\n{key}\n</user_query>\nassistant:\nThank you.\n"
    name = "projects/p/agent-transcripts/8d4bc1aa-0d3f-4f8e-9d35-0a3f1f9d6c11.txt"
    written(tmp_path, {name: text.encode()})
    results = list(import_tree(tmp_path, options()))
    assert next(row.content for one in results for row in one.messages) == "here it is\n‹secret:private-key›"
    assert not any(line in repr(results) for line in key_lines()[1:-1])
    assert kept_of(results) == {(tmp_path / name).as_posix(): MASK(text.encode())}


def test_a_key_in_one_line_of_json_is_masked(tmp_path: pathlib.Path) -> None:
    written(tmp_path, {f"{SESSION}.jsonl": data(user("\n".join(key_lines())))})
    results = list(import_tree(tmp_path, options(1)))
    assert [row.content for one in results for row in one.messages] == ["‹secret:private-key›"]


def test_what_git_on_this_machine_says_is_masked(tmp_path: pathlib.Path) -> None:
    """Who opens the door to a remote never comes through; its name may be a secret as well."""
    for url, name in (
        (f"https://ada:{SECRET}@github.com/ada/clock.git", "clock"),
        (f"https://{SECRET}@github.com/ada/clock.git", "clock"),
        (f"git@github.com:ada/{SECRET}.git", "‹secret:github-token›"),
    ):
        repository = tmp_path / "clock"
        written(repository, {".git/config": f'[remote "origin"]\n\turl = {url}\n'.encode()})
        written(tmp_path, {f"s/{SESSION}.jsonl": data(user("go", cwd=str(repository)))})
        local = msgspec.structs.replace(options(), local_git=True)
        results = list(import_tree(tmp_path / "s", local))
        assert [row.project_name for one in results for row in one.sessions] == [name]
        assert not holds(SECRET, results)


def test_who_a_remote_is_does_not_depend_on_the_mask(tmp_path: pathlib.Path) -> None:
    """A URL with a token in what a command printed names the repository all the same."""
    listed = f"origin\thttps://ada:{SECRET}@github.com/ada/clock.git (fetch)\n"
    records = [user("go"), assistant(use("t1", command="git remote -v")), result("t1", listed)]
    written(tmp_path, {f"{SESSION}.jsonl": data(*records)})
    plain, masked = (list(import_tree(tmp_path, one)) for one in (Options(), options()))
    assert [row.project_id for one in masked for row in one.sessions] == [
        row.project_id for one in plain for row in one.sessions
    ]
    assert [row.project_name for one in masked for row in one.sessions] == ["clock"]


def test_a_database_is_masked_in_texts_and_in_json_that_is_bytes(tmp_path: pathlib.Path) -> None:
    connection = opened(tmp_path / "x.db")
    connection.execute("CREATE TABLE t (a)")
    # A message of protocol buffers has the lengths of its texts in it: who reads it masks them.
    other = b"\x0a\x2d" + b"\x00" + SECRET.encode()
    for value in (SECRET, b' {"a": "%s"}' % SECRET.encode(), b'["%s"]' % SECRET.encode(), other, 7, None, "short"):
        connection.execute("INSERT INTO t VALUES (?)", (value,))
    connection.commit()
    with open_database(tmp_path / "x.db", lambda _reason: None, MASK) as database:
        values = [value for (value,) in database.rows("SELECT a FROM t ORDER BY rowid")]
    marker = "‹secret:github-token›"
    inside = [f' {{"a": "{marker}"}}'.encode(), f'["{marker}"]'.encode()]
    assert values == [marker, *inside, other, 7, None, "short"]


def test_texts_that_are_masked_together_are_masked_as_each_alone(tmp_path: pathlib.Path) -> None:
    """Also where a key ends nowhere, so that the text after it could be taken for more of it."""
    torn = "\n".join(key_lines()[:5])
    texts = ["plain", "two\nlines", SECRET, "\n".join(key_lines()), "", f"a {SECRET}\nb", torn, "x" * 5000, "A" * 64]
    chance = random.Random(drawn())
    connection = opened(tmp_path / "x.db")
    connection.execute("CREATE TABLE t (a, b)")
    rows = [tuple(chance.choices(texts[: chance.choice([3, 9])], k=2)) for _ in range(500)]
    connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    connection.commit()
    with open_database(tmp_path / "x.db", lambda _reason: None, MASK) as database:
        found = list(database.rows("SELECT a, b FROM t ORDER BY rowid"))
    assert found == [tuple(MASK(text.encode()).decode() for text in row) for row in rows]
