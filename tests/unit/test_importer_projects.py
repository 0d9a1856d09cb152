"""One repository is one project: remotes in one spelling, worktrees, and what a directory of this machine says."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from agentstore.importers.git_directory import repository_of
from agentstore.importers.git_remotes import Remote, Seen, remote_of, remote_of_request, seen_in
from agentstore.importers.projects import Repositories, project_of, root_of

CLOCK = Remote("github.com/ada/clock", "clock")


@pytest.mark.parametrize(
    "url",
    [
        "git@github.com:ada/clock.git", "git@github.com:ada/clock", "github.com:ada/clock/",
        "git@GitHub.com:Ada/clock.git",
        "ssh://git@github.com/ada/clock.git", "ssh://git@ssh.github.com:443/ada/clock.git", "git://github.com/ada/clock",
        "https://github.com/ada/clock", "https://github.com/ada/clock.git/", "http://www.github.com:80/ada//clock",
        "https://ada:s3cret@github.com/ada/clock.git", "https://x-access-token:ghs_abc@github.com/ada/clock?x=y#z",
        "git@github.com-work:ada/clock.git", "git+ssh://git@github.com/ada/clock", " https://github.com/ada/clock.git\n",
        "ssh://git@github.com:22/ada/clock.GIT", "https://github.com./ada/clock",
    ],
)  # fmt: skip
def test_all_spellings_of_a_remote_are_one(url: str) -> None:
    assert remote_of(url) == CLOCK


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ssh://git@git.corp:2222/team/x.git", "https://git.corp:8443/team/x"),
        ("git@ssh.dev.azure.com:v3/org/proj/repo", "https://ada@dev.azure.com/org/proj/_git/repo"),
        ("https://org.visualstudio.com/proj/_git/repo", "https://dev.azure.com/org/proj/_git/repo"),
        ("ssh://git@stash.corp:7999/team/x.git", "https://stash.corp/scm/team/x.git"),
        ("git@[2001:db8::1]:team/x", "ssh://git@[2001:db8::1]:22/team/x.git"),
    ],
)
def test_servers_that_spell_ssh_and_https_differently(one: str, other: str) -> None:
    assert remote_of(one) == remote_of(other) != Remote()


@pytest.mark.parametrize(
    "url",
    [
        "", "clock", "/srv/git/clock.git", "../clock", "C:\\src\\clock", "C:/src/clock", "file:///srv/clock.git",
        "./a:b",
        "https://", "https://[", "https:///ada", "ssh://host", "ftp://host/x", "x" * 5000, "https://h/a/../b", "git@h:",
        "https://localhost:3000/a/b", "git@127.0.0.1:a/b", "https://user:pa/ss@github.com/ada/clock", "a b:c",
        "https://github.com/tok\x00en/x", "remote: error", "\ud800@h:x/y\ud800", "https://h/a@b/c",
    ],
)  # fmt: skip
def test_what_is_no_remote_of_others(url: str) -> None:
    assert not remote_of(url)


SECRETS = ("s3cret", "ghs_abc")


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:s3cret@host/a/b", "https://s3cret@host/a/b", "s3cret@host:a/b", "ada:s3cret@host:a/b",
        "https://ada:s3/cret@host/a/b", "https://ada:gh/s_abc@host/a", "https://host/a/b?private_token=s3cret",
        "https://host/a/b#s3cret", "ssh://s3cret:ghs_abc@host/a/b", "https://a%40s3cret:x@host/a/b",
    ],
)  # fmt: skip
def test_no_secret_of_a_remote_comes_through(url: str) -> None:
    remote = remote_of(url)
    project = project_of("/home/ada/clock", remote)
    assert not any(part in text for part in ("s3", "cret", "gh", "abc") for text in (*remote, *project) if remote)
    assert remote in (Remote(), Remote("host/a/b", "b"))


def test_a_request_tells_its_repository() -> None:
    assert remote_of_request("https://github.com/Ada/clock/pull/7") == CLOCK
    assert remote_of_request("https://gitlab.com/g/sub/x/-/merge_requests/3") == Remote("gitlab.com/g/sub/x", "x")
    for url in ("", "https://github.com/ada/clock", "https://github.com/pull/7", "x/pull/7"):
        assert not remote_of_request(url)


PUSHED = "To github.com:ada/clock.git\n"
LISTED = "origin\tgit@github.com:ada/clock.git (fetch)\norigin\tgit@github.com:ada/clock.git (push)\nup\tx:y (fetch)\n"


@pytest.mark.parametrize(
    ("command", "result", "expected"),
    [
        ("git remote -v", LISTED, Seen(CLOCK)),
        ("git status && git remote --verbose", f"clean\n{LISTED}", Seen(CLOCK)),
        ("git remote get-url origin", "https://x:y@github.com/ada/clock\n", Seen(CLOCK)),
        ("git config --get remote.origin.url", "git@github.com:ada/clock.git", Seen(CLOCK)),
        ("git add . && git push", f"{PUSHED}   1..2  main -> main", Seen(CLOCK, is_origin=False)),
        ("git fetch -q", "From https://github.com/Ada/clock\n * branch", Seen(CLOCK, is_origin=False)),
        ("git push; git push fork", f"{PUSHED}To github.com:fork/clock.git\n", None),
        ("git push", "To /srv/clock.git\n", None),
        ("cat log", PUSHED, None),
        ("cd ../other && git remote -v", LISTED, None),
        ("git -C ../other remote -v", LISTED, None),
        ("ssh host 'git remote -v'", LISTED, None),
        ("cat remote", LISTED, None),
        ("echo 'git remote -v'", LISTED, None),
        ("git remote get-url origin", "error: No such remote 'origin'", None),
        ("git remote -v", "origin\t/srv/clock.git (fetch)", None),
    ],
)
def test_what_git_prints_about_remotes(command: str, result: str, expected: Seen | None) -> None:
    assert seen_in(command, result) == expected


@pytest.mark.parametrize(
    ("cwd", "root", "name"),
    [
        ("/home/ada/clock", "/home/ada/clock", "clock"),
        ("/home/ada/clock/.worktrees/ada/fix", "/home/ada/clock", "clock"),
        ("/home/ada/clock/.claude/worktrees/fix/src", "/home/ada/clock", "clock"),
        ("/src/clock/.codex/worktrees/fix", "/src/clock", "clock"),
        ("/src/clock/.coddy/worktrees/fix", "/src/clock", "clock"),
        ("/src/clock.worktrees/fix/deep", "/src/clock", "clock"),
        ("C:\\src\\clock\\.worktrees\\fix", "C:/src/clock", "clock"),
        ("c:/src/clock.worktrees/fix", "C:/src/clock", "clock"),
        ("\\\\server\\share\\clock\\.claude\\worktrees\\x", "//server/share/clock", "clock"),
        ("/home/ada/.codex/worktrees/44be/clock", "/home/ada/.codex/worktrees/clock", "clock"),
        ("/Users/ada/.codex/worktrees/9f01/clock/src", "/Users/ada/.codex/worktrees/clock", "clock"),
        ("C:\\Users\\ada\\.codex\\worktrees\\44be\\clock", "C:/Users/ada/.codex/worktrees/clock", "clock"),
        ("/home/ada/.t3/worktrees/clock/t3code-9c1", "/home/ada/.t3/worktrees/clock", "clock"),
        ("/root/.cursor/worktrees/clock/hvm", "/root/.cursor/worktrees/clock", "clock"),
        ("/Users/ada/conductor/workspaces/clock/lima", "/Users/ada/conductor/workspaces/clock", "clock"),
        ("/Users/ada/worktrees/github.com/ada/clock/fix", "/Users/ada/worktrees/github.com/ada/clock", "clock"),
        # No tool's layout, or not enough of one.
        ("/src/clock-worktrees/fix", "/src/clock-worktrees/fix", "fix"),
        ("/src/.worktrees/clock.py", "/src", "src"),
        ("/home/ada/worktrees/x", "/home/ada/worktrees/x", "x"),
        ("/home/ada/conductor/workspaces/clock", "/home/ada/conductor/workspaces/clock", "clock"),
        ("/", "/", "/"),
    ],
)
def test_worktrees_belong_to_their_repository(cwd: str, root: str, name: str) -> None:
    assert root_of(cwd)[:2] == (root, name)
    assert project_of(cwd)[1:] == (name, cwd)


def test_the_path_of_a_project_is_hostile_text() -> None:
    for cwd in ("", "." * 100_000, "/.a/worktrees" * 20_000, "/x" * 200_000, "\ud800", "C:" + "\\a" * 100_000):
        assert project_of(cwd).path == cwd


def test_two_clones_are_one_project_by_their_remote() -> None:
    ada, mei = project_of("/home/ada/clock", CLOCK), project_of("C:\\x\\uhr", remote_of("https://github.com/ada/Clock"))
    assert ada.id == mei.id != project_of("/home/ada/clock").id
    assert (ada.name, ada.path, mei.path) == ("clock", "/home/ada/clock", "C:\\x\\uhr")


def test_what_one_file_tells_counts_for_the_others() -> None:
    known = Repositories()
    known.learn_remote("/home/ada/clock/.worktrees/x", CLOCK)
    known.learn_directory("/home/ada/clock")
    known.learn_directory("/src/uhr")
    known.learn_worktree("/tmp/wt/7", "/home/ada/clock")
    expected = project_of("", CLOCK).id
    for cwd in (
        "/home/ada/clock",
        "/home/ada/clock/.claude/worktrees/y",
        "/home/ada/.t3/worktrees/clock/z",
        "/tmp/wt/7",
    ):
        assert known.project(cwd).id == expected, cwd
    # Called from somewhere in the repository: that is no reason to take the whole repository for it.
    known.learn_worktree("/src/uhr/.claude/worktrees/x", "/src/uhr/packages/a")
    assert known.project("/src/uhr").name == known.project("/src/uhr/.claude/worktrees/x").name == "uhr"
    assert known.project("/src/uhr-worktrees/fix") == project_of("/src/uhr")._replace(path="/src/uhr-worktrees/fix")
    assert known.project("/src/other-worktrees/fix") == project_of("/src/other-worktrees/fix")


def test_nothing_is_guessed_between_two() -> None:
    known = Repositories()
    for cwd in ("/a/clock", "/b/clock"):
        known.learn_directory(cwd)
    assert known.project("/home/ada/.t3/worktrees/clock/z").id == project_of("/home/ada/.t3/worktrees/clock/y").id
    other = Remote("github.com/ada/sand", "sand")
    known.learn_remote("/app", CLOCK, 0)
    known.learn_remote("/app", other, 0)
    assert known.project("/app") == project_of("/app")
    assert known.project("/app", other) == project_of("/app")
    assert known.project("/app", other, is_sure=True).name == "sand"
    assert known.project("/elsewhere", other).name == "sand"
    known.learn_remote("/x", other, 1)
    known.learn_remote("/x", CLOCK, 0)
    assert known.project("/x", other).name == "clock"


# --- directories of this machine -------------------------------------------------------------------------------------


def git(*arguments: str, at: pathlib.Path) -> None:
    quiet = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "HOME": str(at),
        "PATH": os.environ["PATH"],
    }
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=at, env=quiet, check=True, timeout=60
    )


def test_a_repository_its_worktree_and_its_submodule(tmp_path: pathlib.Path) -> None:
    clock, sand = tmp_path / "clock", tmp_path / "sand"
    for repository in (clock, sand):
        repository.mkdir()
        git("init", "-q", at=repository)
        git("commit", "-q", "--allow-empty", "-m", "x", at=repository)
    git("remote", "add", "upstream", "https://github.com/x/clock", at=clock)
    git("remote", "add", "origin", "https://ada:s3cret@github.com/ada/clock.git", at=clock)
    git("worktree", "add", "-q", str(tmp_path / "elsewhere"), at=clock)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(sand), "sand", at=clock)
    (clock / "deep" / "er").mkdir(parents=True)
    for directory in (clock, clock / "deep" / "er", tmp_path / "elsewhere", clock / "gone" / "long ago"):
        assert repository_of(str(directory)) == (str(clock), CLOCK), directory
    assert repository_of(str(clock / "sand")) == (str(clock / "sand"), Remote())
    assert repository_of(str(sand)) == (str(sand), Remote())


def test_a_config_is_read_as_git_reads_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".git").mkdir()
    config = tmp_path / ".git" / "config"
    for text, key in [
        ('[Remote "origin"]\n\tURL = "git@github.com:ada/clock.git" ; mine\n', "github.com/ada/clock"),
        ('[remote "origin"] url = git@h:a/b\n', "h/a/b"),
        ('[remote "mine"]\nurl=git@h:a/b\n[branch "x"]\nurl=git@h:c/d\n', "h/a/b"),
        ('[remote "a"]\nurl=git@h:a/a\n[remote "b"]\nurl=git@h:a/b\n', ""),
        ('[remote "a"]\nurl=git@h:a/a\n[remote "upstream"]\nurl=git@h:a/b\n', "h/a/b"),
        ("[core]\nurl = git@h:a/b\n", ""),
        ('[remote "origin"]\nurl = /srv/git\n', ""),
        ("\x00" * 1000, ""),
        ("[" * 200_000, ""),
    ]:
        config.write_text(text)
        assert repository_of(str(tmp_path)) == (str(tmp_path), Remote(key, key.rpartition("/")[2])), text[:40]


@pytest.mark.parametrize(
    "cwd",
    [
        "",
        "relative",
        "/proc/self/cwd",
        "/dev/fd",
        "//server/share",
        "/tmp/../etc",
        "/nowhere\x00",
        "/" + "x" * 10_000,
        "~",
    ],
)
def test_a_directory_that_is_none_is_not_looked_for(cwd: str) -> None:
    assert repository_of(cwd) == ("", Remote())


def test_a_hostile_repository_is_no_repository(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").mkdir()
    for content in (
        "gitdir: /proc/self",
        f"gitdir: {tmp_path}/pipe",
        "gitdir: \x00",
        "gitdir:",
        "x" * 100_000,
        "gitdir: //h/s",
    ):
        (tmp_path / "a" / ".git").write_text(content)
        assert repository_of(str(tmp_path / "a")).remote == Remote()
    (tmp_path / "a" / ".git").unlink()
    os.mkfifo(tmp_path / "a" / ".git")
    assert repository_of(str(tmp_path / "a")) == ("", Remote())
    (tmp_path / "b" / ".git").mkdir(parents=True)
    os.mkfifo(tmp_path / "b" / ".git" / "config")
    assert repository_of(str(tmp_path / "b")).remote == Remote()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ".git").symlink_to(tmp_path / "c" / ".git")
    assert repository_of(str(tmp_path / "c")) == ("", Remote())
