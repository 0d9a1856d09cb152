"""A repository that names programs wherever git lets it: none of them runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentstore.blame.committed import commits_of, is_shallow, lines_at_head, lines_of
from agentstore.blame.git import GitError
from agentstore.blame.git import git as asked
from tests.blame.replaying import git


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    top = tmp_path / "hostile"
    top.mkdir()
    git(top, "init", "-q")
    (top / "file").write_text("one\ntwo\n")
    (top / ".gitattributes").write_text("* diff=evil filter=evil merge=evil\n")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "as it was")
    ran = f"sh -c 'touch {tmp_path}/ran; cat'"
    for key in (
        "diff.evil.textconv", "diff.evil.command", "diff.external", "filter.evil.clean", "filter.evil.smudge",
        "core.fsmonitor", "core.pager", "pager.blame", "core.sshCommand", "core.editor", "core.askPass",
        "credential.helper", "gpg.program",
    ):  # fmt: skip
        git(top, "config", key, ran)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    git(top, "config", "core.hooksPath", str(hooks))
    (top / "file").write_text("one\ntwo\nthree\n")
    return top


async def test_nothing_that_a_repository_names_is_run(hostile: Path) -> None:
    assert await lines_at_head(str(hostile), "file") == ["one", "two"]
    found = await commits_of(str(hostile), "file", [1, 2], 2)
    assert sorted(found) == [1, 2]
    assert not (hostile.parent / "ran").exists()


async def test_the_environment_does_not_lead_elsewhere(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {hostile.parent}/ran")
    monkeypatch.setenv("GIT_TRACE", f"{hostile.parent}/ran")
    assert await lines_at_head(str(hostile), "file") == ["one", "two"]
    assert not (hostile.parent / "ran").exists()


@pytest.mark.parametrize("name", ["-n", "--help", "a b", "ä\n.txt", ":(top)file", "*"])
async def test_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / name).write_text("its line\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "as it was")
    assert await lines_at_head(str(tmp_path), name) == ["its line"]
    found = await commits_of(str(tmp_path), name, [1], 1)
    assert found[1].path == name
    assert found[1].sha == git(tmp_path, "rev-parse", "HEAD").strip()


async def test_what_git_cannot_tell_is_an_error_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not a git repository"):
        await asked(str(tmp_path), "cat-file", "-s", "HEAD:file")
    git(tmp_path, "init", "-q")
    with pytest.raises(GitError, match="HEAD"):
        await asked(str(tmp_path), "cat-file", "-s", "HEAD:file")
    with pytest.raises(GitError):
        await asked(str(tmp_path), "cat-file", "-s", "HEAD:\0")


async def test_a_git_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(GitError, match="longer"):
        await asked(str(tmp_path), "status", seconds=1.0)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_ends_of_lines_are_no_part_of_them() -> None:
    assert lines_of(b"a\r\nb\n\nc") == ["a", "b", "", "c"]
    assert lines_of(b"") == []


async def test_commits_to_skip_are_not_skipped(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    for text in ("one thing", "one  thing"):
        (tmp_path / "file").write_text(f"{text}\n")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", text)
    sha = git(tmp_path, "rev-parse", "HEAD").strip()
    (tmp_path / "skipped").write_text(f"{sha}\n")
    git(tmp_path, "config", "blame.ignoreRevsFile", str(tmp_path / "skipped"))
    assert git(tmp_path, "blame", "-s", "--abbrev=40", "file")[:40] != f"{sha}"
    assert (await commits_of(str(tmp_path), "file", [1], 1))[1].sha == sha


async def test_the_oldest_commit_of_a_shallow_clone_is_told_as_such(tmp_path: Path) -> None:
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    whole.mkdir()
    git(whole, "init", "-q")
    for text in ("one\n", "one\ntwo\n", "one\ntwo\nthree\n"):
        (whole / "file").write_text(text)
        git(whole, "add", "-A")
        git(whole, "commit", "-q", "-m", text)
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{whole}", str(shallow))
    assert (await is_shallow(str(shallow)), await is_shallow(str(whole))) == (True, False)
    found = await commits_of(str(shallow), "file", [1, 2, 3], 3)
    assert [found[number].is_oldest for number in (1, 2, 3)] == [True, True, False]
