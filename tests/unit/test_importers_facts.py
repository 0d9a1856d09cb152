"""What importers remember of files between two surveys, and what they say depends on other files."""

from __future__ import annotations

import os
import pathlib
import random
import re
import sys
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from agentstore.importers import Options
from agentstore.importers.registry import importer_named, importer_of
from tests.unit import importer_lines
from tests.unit.fact_trees import AGENTS, Tree, changed, drawn, facts_of, read, seeds_of, told
from tests.unit.mutation_seed import mutation_seed

TREES = 8
each_agent = pytest.mark.parametrize("agent", AGENTS)


def chances(number: int = TREES) -> Iterator[random.Random]:
    seed = mutation_seed()
    print(f"seed {seed} (AGENTSTORE_MUTATION_SEED)")
    for one in range(number):
        yield random.Random(f"{seed} {one}")


_opened: list[str] | None = None


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is not None and event in ("open", "sqlite3.connect") and isinstance(arguments[0], str):
        _opened.append(arguments[0].partition("?")[0].removeprefix("file://"))


@contextmanager
def opening(root: pathlib.Path) -> Iterator[list[str]]:
    """The files below a folder that are opened meanwhile."""
    global _opened
    if not getattr(sys, "_listens_to_facts", False):
        sys.addaudithook(_listen)  # it stays: there is no way to take it back
        sys._listens_to_facts = True  # type: ignore[attr-defined]
    _opened, found = [], list[str]()
    try:
        yield found
    finally:
        found += [name for name in _opened if name.startswith(root.as_posix())]
        _opened = None


@each_agent
def test_a_survey_with_facts_of_an_earlier_one_is_the_same(agent: str, tmp_path: pathlib.Path) -> None:
    for number, chance in enumerate(chances()):
        tree = Tree(agent, tmp_path / str(number), drawn(agent, chance))
        first = tree.survey()
        facts, whole = facts_of(first), told(first)
        again = tree.survey(facts)
        assert told(again) == whole
        assert facts_of(again) == facts
        half = {path: packed for path, packed in facts.items() if chance.random() < 0.5}
        assert told(tree.survey(half)) == whole
        assert told(tree.survey(half, facts)) == whole


@each_agent
def test_facts_that_cannot_be_read_are_made_again(agent: str, tmp_path: pathlib.Path) -> None:
    for chance in chances(3):
        tree = Tree(agent, tmp_path / str(chance.random()), drawn(agent, chance))
        whole = told(tree.survey())
        for noise in (b"", b"\x93\x7f\xc0\xc0", b"\x00", b"\xff" * 20):
            broken = dict.fromkeys(tree.files(), noise)
            assert told(tree.survey(broken)) == whole
            assert told(tree.survey({}, broken)) == whole


@each_agent
def test_facts_of_shorter_files_are_continued(agent: str, tmp_path: pathlib.Path) -> None:
    for number, chance in enumerate(chances()):
        files = drawn(agent, chance)
        cut: dict[str, bytes] = {}
        for name, data in files.items():
            lines = data.splitlines(keepends=True)
            end = len(b"".join(lines[: chance.randint(0, len(lines))])) - chance.choice([0, 0, 0, 1, 7])
            cut[name] = data[: max(0, end)] if chance.random() < 0.7 else data
        tree = Tree(agent, tmp_path / str(number), cut)
        before = facts_of(tree.survey())
        looks = {path: tree.bytes_of(path) for path in tree.files()}
        for name, data in files.items():
            tree.write(name, data)
        fresh = tree.survey()
        grown = tree.survey({}, before)
        assert told(grown) == told(fresh)
        same = {path: packed for path, packed in before.items() if looks[path] == tree.bytes_of(path)}
        rest = {path: packed for path, packed in before.items() if path not in same}
        assert told(tree.survey(same, rest)) == told(fresh)
        assert facts_of(tree.survey({}, facts_of(grown))) == facts_of(grown)


@each_agent
def test_what_changes_elsewhere_and_matters_changes_the_context(agent: str, tmp_path: pathlib.Path) -> None:
    equal = other = needless = 0
    for number, chance in enumerate(chances(3 * TREES)):
        tree = Tree(agent, tmp_path / str(number), drawn(agent, chance))
        for _ in range(3):
            history = tree.survey()
            before = {path: (tree.bytes_of(path), history.context(path), read(history, path)) for path in history.files}
            changed(tree, chance)
            history = tree.survey()
            for path in history.files:
                if path not in before or before[path][0] != tree.bytes_of(path):
                    continue
                _, context, results = before[path]
                if history.context(path) == context:
                    assert read(history, path) == results, f"{path} is read otherwise"
                    equal += 1
                else:
                    other += 1
                    needless += read(history, path) == results
    print(f"{agent}: {equal} contexts stayed, {other} changed, {needless} of these needlessly")


@each_agent
def test_what_is_opened_lies_beside(agent: str, tmp_path: pathlib.Path) -> None:
    for number, chance in enumerate(chances(4)):
        tree = Tree(agent, tmp_path / str(number), drawn(agent, chance) if number else seeds_of(agent))
        files = tree.files()
        with opening(tree.root) as opened:
            known = {path: {path.as_posix(), *(one.as_posix() for one in tree.importer.beside(path))} for path in files}
        assert not opened
        for path in files:
            with opening(tree.root) as opened:
                read(tree.importer.survey([path], tree.options), path)
            assert set(opened) <= known[path]


@each_agent
def test_files_that_are_known_are_not_opened(agent: str, tmp_path: pathlib.Path) -> None:
    for number, chance in enumerate(chances(4)):
        tree = Tree(agent, tmp_path / str(number), drawn(agent, chance))
        facts, files = facts_of(tree.survey()), tree.files()
        with opening(tree.root) as opened:
            history = tree.importer.survey(files, tree.options, facts)
            for path in files:
                history.context(path)
                history.facts(path)
        # What could not be read is tried again.
        assert not {path.as_posix() for path in files if facts[path]}.intersection(opened)


@each_agent
def test_a_session_in_another_project_changes_no_context(agent: str, tmp_path: pathlib.Path) -> None:
    """The agent's transcripts as they are, and once more: of other sessions, in other directories."""
    files = {name: data for name, data in seeds_of(agent).items() if name.rpartition(".")[2] not in ("db", "vscdb")}
    tree = Tree(agent, tmp_path, files)
    history = tree.survey()
    before = {path: history.context(path) for path in history.files}
    for name, data in files.items():
        if not data.startswith(b"\x28\xb5\x2f\xfd"):  # compressed
            tree.write(*(_elsewhere(one) for one in (f"more/{name}", data)))
    history = tree.survey()
    assert len(history.files) > len(before) or not before
    assert {path: history.context(path) for path in before} == before


_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|ses_\w+|pi-\w+")


def _elsewhere(text: Any) -> Any:
    """The same with other ids, and in a directory of another name."""
    data = text.encode() if isinstance(text, str) else text

    def other(found: re.Match[bytes]) -> bytes:
        return found.group()[:-6] + bytes(f"{zlib.crc32(found.group()) % 1_000_000:06d}", "ascii")

    for word in (b"/home/", b"/w/", b"/src/", b"/Users/", b"/testbed"):
        data = data.replace(word, b"/away" + word)
    data = _ID.sub(other, data).replace(b"ada", b"bob")
    return data.decode() if isinstance(text, str) else data


def test_git_on_this_machine_is_part_of_the_context(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "clock"
    config = home / ".git" / "config"
    config.parent.mkdir(parents=True)
    one, two = f"{uuid.UUID(int=1, version=4)}.jsonl", f"{uuid.UUID(int=2, version=4)}.jsonl"
    inside, outside = (importer_lines.data(importer_lines.user("why?", cwd=cwd)) for cwd in (str(home), "/elsewhere"))
    tree = Tree("claude-code", tmp_path / "projects", {f"-a/{one}": inside, f"-b/{two}": outside})
    tree.options = msgspec.structs.replace(tree.options, local_git=True)
    contexts = []
    for name in ("ada", "ada", "eve"):
        config.write_text(f'[remote "origin"]\n\turl = git@github.com:{name}/clock.git\n')
        history = tree.survey()
        contexts.append([history.context(path) for path in history.files])
    first, again, other = contexts
    assert first == again
    assert first[0] != other[0]
    assert first[1] == other[1]


@each_agent
def test_facts_have_no_secrets(agent: str, tmp_path: pathlib.Path) -> None:
    """Whatever stands in a title, a directory or a command."""
    secret = b"sw0rdfish-" + b"7Qz" * 4
    words = (b"clock", b"About", b"app", b"Named", b"tide")
    for number, chance in enumerate(chances(3)):
        files = {name: _with(secret, one, words) for name, one in drawn(agent, chance).items()}
        tree = Tree(agent, tmp_path / str(number), files)
        tree.options = msgspec.structs.replace(tree.options, mask=lambda found: found.replace(secret, b"*" * 22))
        plain = Tree(agent, tmp_path / str(number), {})
        facts = facts_of(tree.survey())
        assert not [path for path, packed in facts.items() if secret in packed]
        # Nor does it take those that were made without a mask.
        assert facts_of(tree.survey(facts_of(plain.survey()))) == facts


def _with(secret: bytes, content: bytes, words: tuple[bytes, ...]) -> bytes:
    if content.startswith((b"SQLite", b"\x28\xb5\x2f\xfd")):
        return content
    for word in words:
        content = content.replace(word, secret)
    return content


REAL = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)
needs_transcripts = pytest.mark.skipif(not REAL.exists(), reason=f"no real transcripts in {REAL}")


@needs_transcripts
@each_agent
def test_real_transcripts_are_remembered(agent: str) -> None:
    importer = importer_named(agent)
    found = (path for path in sorted(REAL.rglob("*")) if path.is_file() and path.name != "MANIFEST.tsv")
    files = [path for path in found if importer_of(path, [importer]) is not None]
    if not files:
        pytest.skip("there are none")
    (chance,) = chances(1)
    options = Options(piece_bytes=1 << 24)
    first = importer.survey(files, options)
    facts, contexts = facts_of(first), {path: first.context(path) for path in files}
    half = {path: packed for path, packed in facts.items() if chance.random() < 0.5}
    for history in (importer.survey(files, options, facts), importer.survey(files, options, half, facts)):
        assert facts_of(history) == facts
        assert {path: history.context(path) for path in files} == contexts
        assert history.files == first.files
    for path in chance.sample(files, min(len(files), 3)):
        assert read(history, path) == read(first, path)


@needs_transcripts
@pytest.mark.parametrize("agent", ["claude-code", "codex"])
def test_real_transcripts_that_grow_keep_their_contexts(agent: str, tmp_path: pathlib.Path) -> None:
    """Else each new record would have all of its file read again."""
    importer = importer_named(agent)
    found = (path for path in sorted((REAL / agent).rglob("*.jsonl")) if importer_of(path, [importer]) is not None)
    changes = steps = 0
    for path in [one for one in found if one.stat().st_size < 2_000_000][:12]:
        lines = path.read_bytes().splitlines(keepends=True)
        grown = tmp_path / path.relative_to(REAL)
        grown.parent.mkdir(parents=True, exist_ok=True)
        facts, context = b"", b""
        for part in range(8):
            end = len(lines) * (part + 1) // 8
            grown.write_bytes(b"".join(lines[:end]))
            history = importer.survey([grown], Options(), {}, {grown: facts} if facts else {})
            fresh = importer.survey([grown], Options())
            assert history.context(grown) == fresh.context(grown)
            changes += bool(part) and history.context(grown) != context
            steps += bool(part)
            facts, context = history.facts(grown), history.context(grown)
    print(f"{agent}: {changes} of {steps} parts changed the context of their own file")
    assert changes <= steps // 10
