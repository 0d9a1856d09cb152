"""``agentstore blame`` as a process: what it names, what it prints, and how it ends where there is nothing to say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, GitLink
from agentstore.blame import Blame
from tests.blame.replaying import git
from tests.blame.repositories import ADDED, PATH, PERSONS, PROMPT, SECOND, made, stored
from tests.builders import at
from tests.cli.conftest import fresh_cli
from tests.cli.running import Cli


class Repository(NamedTuple):
    """Where a repository is, its commit, and the command with the store that knows it."""

    cli: Cli
    top: Path
    sha: str

    def told(self, *arguments: str) -> Blame:
        done = self.cli("blame", "--json", *arguments, cwd=self.top)
        assert done.err == ""
        return msgspec.json.decode(done.out, type=Blame)


@pytest.fixture(scope="module")
def repository() -> Iterator[Repository]:
    for cli in fresh_cli():
        top = cli.home / "tideclock"
        top.mkdir()
        sha = made(top)
        asyncio.run(stored(cli.dsn, "local", top, sha))
        yield Repository(cli, top, sha)


def test_a_file(repository: Repository) -> None:
    found = repository.told(PATH)
    assert (found.path, found.notes) == (PATH, [])
    wrote, added, rest, persons = found.lines
    assert [(one.first, one.last) for one in found.lines] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    for one in (wrote, rest):
        assert (one.confidence, one.commit, one.session_id) == ("high", repository.sha, "tides")
        assert (one.tool_use_id, one.prompt_ordinal, one.prompt) == ("w", 0, PROMPT)
    assert (added.confidence, added.commit, added.tool_use_id) == ("high", "", "e")
    assert (added.prompt_ordinal, added.prompt) == (2, SECOND)
    assert (persons.confidence, persons.session_id, persons.prompt) == ("unknown", "", "")
    assert persons.reason


def test_a_line_and_some_lines(repository: Repository) -> None:
    (one,) = repository.told(f"{PATH}:2").lines
    assert (one.first, one.last, one.tool_use_id) == (2, 2, "e")
    assert [line.first for line in repository.told(f"{PATH}:2-3").lines] == [2, 3]
    # From wherever one stands, and by its whole path.
    (same,) = repository.told(str(repository.top / f"{PATH}:2")).lines
    assert same == one
    # As compilers print it, with a column.
    assert repository.told(f"{PATH}:2:7").lines == [one]
    done = repository.cli("blame", "--json", "tide.py:2", cwd=repository.top / "src")
    assert msgspec.json.decode(done.out, type=Blame).lines == [one]


def test_what_is_printed(repository: Repository) -> None:
    done = repository.cli("blame", PATH, cwd=repository.top)
    assert (done.code, done.err) == (0, "")
    assert done.lines[0].split()[:4] == ["1", "high", "tides", "#1"]
    assert repository.sha[:12] in done.lines[0]
    assert "05:00 Europe/Berlin" in done.out  # the zone of who reads
    assert f"  > {PROMPT}" in done.lines
    assert f"  > {SECOND}" in done.lines
    assert ADDED.strip() not in done.out
    assert done.lines[-2].split() == ["4", "unknown"]


def test_codes_are_those_of_grep(repository: Repository) -> None:
    cli, top = repository.cli, repository.top
    assert cli("blame", f"{PATH}:1", cwd=top).code == 0
    done = cli("blame", f"{PATH}:4", cwd=top)
    assert (done.code, done.err) == (1, "")
    assert "unknown" in done.out
    for named in (f"{PATH}:5", f"{PATH}:0", f"{PATH}:3-2", "nowhere.py", "src", "src/"):
        done = cli("blame", named, cwd=top)
        assert (done.code, done.out) == (2, ""), named
        assert "there are no line " not in done.err
        assert len(done.err.splitlines()) <= 2
        assert "Traceback" not in done.err
    assert cli("blame", cwd=top).code == 2
    assert cli("blame", PATH, "--anywhere", "--project", "x", cwd=top).code == 2


def test_calls_of_another_project_are_asked_for(repository: Repository) -> None:
    assert repository.told(f"{PATH}:2", "--anywhere").lines[0].tool_use_id == "e"
    assert repository.told(f"{PATH}:2", "--project", "tideclock").lines[0].tool_use_id == "e"
    done = repository.cli("blame", PATH, "--project", "no such", cwd=repository.top)
    assert done.code == 2
    assert "no project has the name" in done.err


def test_outside_of_a_repository(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text(f"{PERSONS}\n")
    done = repository.cli("blame", "alone.py:1", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "no file in a repository" in done.err


def test_a_file_that_git_does_not_know(repository: Repository, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "new.py").write_text(f"{PERSONS}\n")
    done = repository.cli("blame", "--json", "new.py", cwd=tmp_path)
    found = msgspec.json.decode(done.out, type=Blame)
    assert (done.code, [one.confidence for one in found.lines]) == (1, ["unknown"])
    assert len(found.notes) == 1
    assert found.notes[0].startswith("git tells nothing of it: ")


def test_a_file_whose_name_looks_like_a_place(repository: Repository, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a:1").write_text(f"{PERSONS}\n{PERSONS}\n")
    done = repository.cli("blame", "--json", "a:1", cwd=tmp_path)
    assert msgspec.json.decode(done.out, type=Blame).path == "a:1"
    (tmp_path / "a").write_text(f"{PERSONS}\n")
    done = repository.cli("blame", "--json", "a:1:2", cwd=tmp_path)
    assert [one.first for one in msgspec.json.decode(done.out, type=Blame).lines] == [2]
    (tmp_path / "b\n c").write_text(f"{PERSONS}\n")
    done = repository.cli("blame", "--json", "b\n c:1", cwd=tmp_path)
    assert msgspec.json.decode(done.out, type=Blame).path == "b\n c"


def test_a_link_is_the_file_that_it_leads_to(repository: Repository) -> None:
    link = repository.top / "link.py"
    link.symlink_to(PATH)
    try:
        found = repository.told("link.py")
        assert (found.path, found.lines) == (PATH, repository.told(PATH).lines)
    finally:
        link.unlink()


def test_a_shallow_clone_names_no_session_by_its_oldest_commit(repository: Repository, tmp_path: Path) -> None:
    """git says that all lines are of the oldest commit that it has; who made that one did not write them."""
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    whole.mkdir()
    git(whole, "init", "-q")
    for number in (1, 2):
        (whole / "file.py").write_text("".join(f"{PERSONS} or {one}\n" for one in range(number)))
        git(whole, "add", "-A")
        git(whole, "commit", "-q", "-m", "as it was", seconds=int(at(number).timestamp()))
    asyncio.run(linked(repository.cli.dsn, git(whole, "rev-parse", "HEAD").strip()))
    assert [one.session_id for one in blamed(repository, whole).lines] == ["", "tides"]
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{whole}", str(shallow))
    found = blamed(repository, shallow)
    assert [(one.session_id, one.commit) for one in found.lines] == [("", "")]
    assert any("shallow" in note for note in found.notes)


async def linked(dsn: str, sha: str) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        await store.write_git_links("local", [GitLink("tides", "commit", "high", commit_sha=sha, message_ordinal=1)])


def blamed(repository: Repository, top: Path) -> Blame:
    return msgspec.json.decode(repository.cli("blame", "--json", "file.py", cwd=top).out, type=Blame)
