"""What importers remember of files between two surveys, and what they say depends on other files."""

from __future__ import annotations

import pathlib
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.unit.fact_trees import AGENTS, Tree, changed, drawn, facts_of, read, seeds_of, told
from tests.unit.mutation_seed import mutation_seed

TREES = 12
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
