"""Where agents keep their history, and reading it from several places at once."""

from __future__ import annotations

import pathlib
from typing import Any, get_args

import pytest

from agentstore.importers import IMPORTERS, Home, find_history, import_tree, importer_named, importer_of, known_places
from agentstore.importers.importer import System
from agentstore.importers.registry import this_home
from tests.unit import codex_lines, importer_lines


@pytest.mark.parametrize("system", get_args(System))
@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda one: one.name)
def test_every_importer_has_a_place_in_the_home(importer: Any, system: System) -> None:
    home = pathlib.PureWindowsPath("C:/Users/ada") if system == "windows" else pathlib.PurePosixPath("/home/ada")
    places = importer.places(Home(home, system))
    assert places
    assert all(place.is_relative_to(home) for place in places)
    assert len(set(places)) == len(places)


def test_importers_are_known_by_their_names() -> None:
    assert [importer_named(one.name) for one in IMPORTERS] == list(IMPORTERS)
    with pytest.raises(LookupError, match=r"'nobody'; there are: .*claude-code"):
        importer_named("nobody")
    assert this_home().path == pathlib.Path.home()


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Home:
    """Of somebody who has sessions of two agents, one of them in two places."""
    claude = tmp_path / ".claude" / "projects" / "-w" / f"{importer_lines.SESSION}.jsonl"
    claude.parent.mkdir(parents=True)
    claude.write_bytes(importer_lines.data(importer_lines.user("hello", 1)))
    for folder in ("sessions/2026/02/03", "archived_sessions"):
        rollout = tmp_path / ".codex" / folder / codex_lines.NAME
        rollout.parent.mkdir(parents=True)
        rollout.write_bytes(codex_lines.data(*codex_lines.MODERN))
    (tmp_path / ".codex" / "sessions" / "notes.txt").write_text("not a session")
    return Home(tmp_path, "linux")


def test_what_is_there_is_found_and_read_together(home: Home) -> None:
    places = known_places(home)
    assert [place.relative_to(home.path).as_posix() for place in places] == [
        ".claude/projects",
        ".codex/archived_sessions",
        ".codex/sessions",
    ]
    found = [(importer.name if importer else "", path.name) for importer, path in find_history(places)]
    assert sorted(found) == [("claude-code", f"{importer_lines.SESSION}.jsonl"), *[("codex", codex_lines.NAME)] * 2]
    results = list(import_tree(places))
    # The archived copy is the same session: it is told once, since both places are read together.
    sessions = [session.id for result in results for session in result.sessions]
    assert len(sessions) == len(set(sessions)) == 2
    assert sum(result.skipped_records.get("file/held by another", 0) for result in results) == 1


def test_a_place_that_is_missing_is_told_and_nobodys_file_is_nobodys(home: Home) -> None:
    with pytest.raises(FileNotFoundError, match="no such file or directory"):
        list(import_tree([home.path, home.path / "missing"]))
    assert importer_of(home.path / ".codex" / "sessions" / "notes.txt") is None
