"""What of a command is run, and what is only said in it."""

from __future__ import annotations

import pytest

from agentstore.importers.git_links import links_in
from agentstore.importers.shell_text import code_of

LINE = "[main 1a2b3c4] x"
MESSAGE = 'git commit -m "$(cat <<\'EOF\'\nIt\'s "done"\n\nCo-Authored-By: x\nEOF\n)" && git push'


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ('ls \'a b\' "c\\" d" e', 'ls "" "" e'),
        ("cat > x <<EOF\ngit commit\nEOF\nls", "cat > x <<EOF\n\nls"),
        ("cat > x <<-'E_F'\n\tgit commit\n\tE_F\nls", "cat > x <<-'E_F'\n\nls".replace("'E_F'", '""')),
        ("bash <<EOF\nls\nEOF", "bash <<EOF\nls\nEOF"),
        ("cat <<EOF\nno end", "cat <<EOF\nno end"),
        ("cat <<< word\nls", "cat <<< word\nls"),
        ("# don't\nls", "# don't\nls"),
        ("git \\\n  commit", "git    commit"),
    ],
)
def test_quoted_words_and_documents_are_no_code(command: str, code: str) -> None:
    assert code_of(command) == code


@pytest.mark.parametrize(
    "command",
    [
        "git commit -m x", MESSAGE, "git -C '/a b' commit", 'git -c user.name="A B" -c x=y commit -m z',
        "/usr/bin/git commit",
        "cd a && GIT_EDITOR=true git --no-pager commit --amend --no-edit", "git.exe commit", "git \\\n commit -m x",
        "git --git-dir=.git --work-tree . commit", "git add -A; git commit", "if true; then git commit; fi",
        "(git commit)",
        "bash -lc 'git commit -m x'", 'ssh host "cd r && git commit"', "cat > m <<EOF\nIt's\nEOF\ngit commit -F m",
        "# don't\ngit commit -m 'x'", "echo it\\'s && git commit -m 'x'", "ls  # it's \"so\ngit commit -m \"x\"",
        "git commit -F - <<'EOF'\nx\nEOF", "git commit\r\n", 'echo "it\'s" && git commit', "eval \"git commit\"",
    ],
)  # fmt: skip
def test_a_commit_counts_where_it_is_run(command: str) -> None:
    for name in ("Bash", "PowerShell"):
        (link,) = links_in(name, {"command": command}, f"hook\n{LINE}\n 1 file changed", is_error=False)
        assert link[:3] == ("commit", "high", "1a2b3c4")


@pytest.mark.parametrize(
    "command",
    [
        'grep -h "git commit" log', "cat > x <<EOF\ngit commit\nEOF\ncat log", "echo 'git commit'; cat log", "git log",
        "git commit-tree x", "git show commit", "man git-commit", "git log --grep commit", "cat repo.git commit",
        "git status # commit", "git config commit.gpgsign true",
    ],
)  # fmt: skip
def test_a_commit_that_is_only_said_counts_nowhere(command: str) -> None:
    assert list(links_in("Bash", {"command": command}, LINE, is_error=False)) == []


@pytest.mark.parametrize(
    ("line", "sha"),
    [
        ("[detached HEAD ce21745] subject", "ce21745"),
        ("[losgelöster HEAD ce21745] subject", "ce21745"),
        ("[main (root-commit) 6f035fd] subject", "6f035fd"),
        ("[alex/ent-207-fix aa50bdd9] Merge origin/main", "aa50bdd9"),
        ("[main 1a2b3c4] ", "1a2b3c4"),
        ("[main 1a2b3c4] x\r", "1a2b3c4"),
        ("[x: 5%] done", ""),
        ("[main 1a2b3cg] x", ""),
        ("[INFO 1234567]x", ""),
        (" [main 1a2b3c4] x", ""),
    ],
)
def test_what_git_prints_of_a_commit(line: str, sha: str) -> None:
    found = [link.commit_sha for link in links_in("Bash", {"command": "git commit"}, f"a\n{line}\nb", is_error=False)]
    assert found == [sha] * bool(sha)


def test_a_rebase_writes_commits_that_may_be_others() -> None:
    line = "[detached HEAD ce21745] subject"
    for command, confidence in (("git rebase --continue", "medium"), ("git commit && git rebase --continue", "high")):
        (link,) = links_in("Bash", {"command": command}, line, is_error=False)
        assert link.confidence == confidence


@pytest.mark.parametrize(
    ("command", "url"),
    [
        ("gh -R o/r pr create --fill", "https://github.com/o/r/pull/3"),
        ("gh pr -R o/r new", "https://github.com/o/r/pull/3"),
        ("glab mr create -f", "https://gitlab.com/g/s/x/-/merge_requests/5"),
        ('gh pr create --title "x" --body "$(cat <<\'EOF\'\nit\'s\nEOF\n)"', "https://github.com/o/r/pull/3"),
    ],
)
def test_a_request_is_linked_by_its_url(command: str, url: str) -> None:
    (link,) = links_in("Bash", {"command": command}, f"Creating\n{url}\n", is_error=False)
    assert link.pr_url == url
    assert list(links_in("Bash", {"command": "echo 'gh pr create'"}, url, is_error=False)) == []


def test_hostile_commands_take_linear_time() -> None:
    # With the square of their length each of these would take minutes.
    parts = ["'", '"', "<<a\n", "\\", '\\"', "git ", "git -c a ", "sh ", "sh -c 'x' ", "gh --a b ", "$(cat <<E\n", "''"]
    for part in parts:
        command = part * (200_000 // len(part))
        for result in (LINE, "[a " * 100_000, "https://" * 50_000):
            links = list(links_in("Bash", {"command": f"git commit {command}"}, result, is_error=False))
            assert len(links) == (result == LINE)
