"""Git links of every agent's shell tool, of quiet commits, of any branch and of every forge."""

from __future__ import annotations

import json
import pathlib
import subprocess
from typing import Any

import pytest

from agentstore.importers import import_claude_code
from agentstore.importers.conversation import Conversation
from agentstore.importers.git_links import links_in
from tests.unit.importer_lines import FILE, assistant, data, result, use, user

SHA = "9f1c2d3e4b5a69788796a5b4c3d2e1f001234567"
LINE = "[main 1a2b3c4] x\n 1 file changed"
GH = "https://github.com/o/r/pull/12"


def found(command: str, result: str, *, is_error: bool = False) -> list[tuple[str, str]]:
    links = links_in("Bash", {"command": command}, result, is_error=is_error)
    return [(link.commit_sha or link.pr_url, link.confidence) for link in links]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Bash", {"command": "git commit -m x"}),
        ("PowerShell", {"command": "git commit -m x"}),
        ("shell", {"command": ["bash", "-lc", "git commit -m x"], "workdir": "/r"}),
        ("shell", {"command": ["/bin/zsh", "-l", "-c", "git commit -m x"]}),
        ("shell", {"command": ["git", "commit", "-m", "say `git log`"]}),
        ("shell", {"command": ["git commit -m x"]}),
        ("exec_command", {"cmd": "git commit -m x", "workdir": "/r"}),
        ("exec", 'const r = await tools.exec_command({"cmd": "git commit -m \\"x\\"", "workdir": "/r"});'),
        ("exec", {"input": "await tools.exec_command({cmd: 'git commit -m x'})"}),
        ("run_shell_command", {"command": "git commit -m x", "directory": "r"}),
        ("run_terminal_cmd", {"command": "git commit -m x", "is_background": False}),
        ("run_in_terminal", {"command": "git commit -m x", "explanation": "why"}),
        ("run_command", {"CommandLine": "git commit -m x", "Cwd": "/r"}),
        ("execute_bash", {"command": "git commit -m x"}),
        ("mcp__desktop-commander__execute_command", {"command": "git commit -m x"}),
        ("terminal", {"command": "git", "args": ["commit", "-m", "x"]}),
        ("bash", "git commit -m x"),
    ],
)  # fmt: skip
def test_the_shells_of_all_agents(name: str, arguments: Any) -> None:
    (link,) = links_in(name, arguments, LINE, is_error=False)
    assert link[:3] == ("commit", "high", "1a2b3c4")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("shell", {"command": ["grep", "-rn", "git commit", "."]}),
        ("shell", {"command": ["bash", "-lc", "grep 'git commit' log"]}),
        ("exec", "text('git commit')"),
        ("exec", {"input": "tools.exec_command({cmd: 'cat log'})  // git commit"}),
        ("shell", {"command": [5, None]}),
        ("shell", {"command": {"git": "commit"}}),
        ("Grep", {"pattern": "git commit"}),
    ],
)
def test_what_no_shell_runs(name: str, arguments: Any) -> None:
    assert not list(links_in(name, arguments, LINE, is_error=False))


@pytest.mark.parametrize(
    "wrapped",
    [
        json.dumps({"output": f"{LINE}\n", "metadata": {"exit_code": 0}}),
        json.dumps([{"type": "text", "text": LINE}]),
        f"Exit code: 0\nWall time: 0.1 seconds\nOutput:\n{LINE}\n",
        f"Command: git commit\nDirectory: (root)\nStdout: {LINE}\nStderr: (empty)",
        f"Output: {LINE}\nProcess Group PGID: 5",
        f"<output>{LINE}</output>",
        f"{LINE}\n<exited with exit code 0>",
    ],
)
def test_what_agents_put_around_an_output(wrapped: str) -> None:
    assert found("git commit -m x", wrapped) == [("1a2b3c4", "high")]


@pytest.mark.parametrize(
    ("line", "sha"),
    [
        ("[a]b(c)é 1dc3c29] x [y 1234567] z", "1dc3c29"),
        ("[特性/日本語 1a2b3c4] 直す", "1a2b3c4"),
        ("[main（根提交） 1a2b3c4] x", "1a2b3c4"),
        ("[分离头指针 1a2b3c4] x", "1a2b3c4"),
        (f"[main {SHA}] x", SHA),
        (f"[main {'ab' * 32}] x", "ab" * 32),
        ("[main 1a2b3c] six", ""),
        ("[" + "b" * 240 + "/" + "c" * 240 + " 1a2b3c4] x", "1a2b3c4"),
        ("[fix_\"quoted\"_'x' 1a2b3c4] x", "1a2b3c4"),
    ],
)
def test_any_branch(line: str, sha: str) -> None:
    assert [one for one, _ in found("git commit", line)] == [sha] * bool(sha)


def test_several_in_one_call() -> None:
    command = "git add a && git commit -m a && git commit -m b && git push -u origin x && gh pr create --fill"
    result = (
        "[x 1111111] a\n 1 file changed\n[x 2222222] b\nremote: Create a pull request for 'x' on GitHub by visiting:\n"
        f"remote:      https://github.com/o/r/pull/new/x\n * [new branch]      x -> x\n{GH}\n"
    )
    assert found(command, result) == [("1111111", "high"), ("2222222", "high"), (GH, "high")]


@pytest.mark.parametrize(
    ("command", "result", "expected"),
    [
        ("git commit -qm x && git rev-parse HEAD", f"{SHA}\n", [(SHA, "high")]),
        ("git commit --quiet -m x && git rev-parse --short HEAD", "9f1c2d3\n", [("9f1c2d3", "high")]),
        ("git commit -q -m x && git log -1 --format=%H", f"{SHA}\n", [(SHA, "high")]),
        ('git commit -q -m x && git log -1 --pretty=format:"%h %s"', "9f1c2d3 x", [("9f1c2d3", "high")]),
        ('git commit -q -m x && git log -n 1 --format="%an: %h (%s)"', "Ada L.: 9f1c2d3 (x)", [("9f1c2d3", "high")]),
        ("git commit -q -m x && git log --oneline -1", "9f1c2d3 (HEAD -> main) x\n", [("9f1c2d3", "high")]),
        ("git commit -q -m x && git log --oneline -3", "9f1c2d3 x\n1111111 w\n2222222 v\n", [("9f1c2d3", "high")]),
        ("git commit -q -m x && git log --oneline | head -2", "9f1c2d3 x\n1111111 w\n", [("9f1c2d3", "high")]),
        ("git commit -q -m x && git log --graph --oneline -2", "* 9f1c2d3 x\n* 1111111 w", [("9f1c2d3", "high")]),
        ("git commit -q -m x && git log -1", f"commit {SHA} (HEAD -> m)\nAuthor: x", [(SHA, "high")]),
        ("git commit -q -m x && git show --stat HEAD", f"commit {SHA}\nAuthor: x", [(SHA, "high")]),
        ("git commit -q -m x && git --no-pager log -1 --format=%H", SHA, [(SHA, "high")]),
        ("git -C a commit -q -m x && git -C a rev-parse HEAD", SHA, [(SHA, "high")]),
        ("git commit -q -m a && git commit -q -m b && git log --oneline -2", "2222222 b\n1111111 a\n",
         [("2222222", "high"), ("1111111", "high")]),
        ("git commit -q -m x && git push -q && git rev-parse HEAD", SHA, [(SHA, "high")]),
        ("git commit -m x | tail -1 && git rev-parse HEAD", f" 1 file changed\n{SHA}", [(SHA, "high")]),
        ("git commit -m x >/dev/null && git rev-parse HEAD", SHA, [(SHA, "high")]),
        ('git commit -qm x && echo "made $(git rev-parse --short HEAD)"', "made 9f1c2d3", [("9f1c2d3", "high")]),
        ("set -e\ngit commit -q -m x\ngit rev-parse HEAD", SHA, [(SHA, "high")]),
        ("git rev-parse HEAD && git commit -q -m x && git rev-parse HEAD", f"{'0' * 40}\n{SHA}", [(SHA, "high")]),
        ("git commit -q --amend --no-edit && git rev-parse HEAD", SHA, [(SHA, "high")]),
        ("git commit -q -m \"$(cat <<'EOF'\nIt's (done\nEOF\n)\" && git rev-parse HEAD", SHA, [(SHA, "high")]),
        # It may have failed, and HEAD be another's.
        ("git commit -q -m x; git rev-parse HEAD", SHA, [(SHA, "medium")]),
        ("git commit -q -m x || true\ngit log --oneline -1", "9f1c2d3 x", [("9f1c2d3", "medium")]),
        ("git commit -q -m x\ngit rev-parse HEAD", f"nothing to commit, working tree clean\n{SHA}", []),
        ("git merge --no-ff -m x y && git rev-parse HEAD", f"Merge made by the 'ort' strategy.\n{SHA}",
         [(SHA, "medium")]),
        ("git am -q x.patch && git rev-parse HEAD", SHA, [(SHA, "medium")]),
        # What is no new commit.
        ("git merge x && git rev-parse HEAD", f"Updating 1a2b3c4..5d6e7f8\nFast-forward\n{SHA}", []),
        ("git rev-parse HEAD && git commit -q -m x", SHA, []),
        ("git commit -q -m x && git rev-parse HEAD~1", SHA, []),
        ("git commit -q -m x && git rev-parse origin/main HEAD~2", f"{SHA}\n{SHA}", []),
        ("git commit -q -m x && git log -1 --format=%H -- a.py", SHA, []),
        ("git -C a commit -q -m x && git -C b rev-parse HEAD", SHA, []),
        ("git commit -q -m x && git log -1 --format=%s", "deadbeef", []),
        ("git commit -q -m x && git rev-parse --abbrev-ref HEAD", "deadbeef", []),
        # HEAD is another one meanwhile.
        ("git commit -q -m x && git checkout -q main && git rev-parse HEAD", SHA, []),
        ("git commit -q -m x && git switch main && git log -1 --format=%H", SHA, []),
        ("git commit -q -m x && git reset --hard HEAD~1 && git rev-parse HEAD", SHA, []),
        ("git commit -q -m x && cd ../other && git rev-parse HEAD", SHA, []),
        ("git commit -q -m x && git checkout -q -b y && git rev-parse HEAD", SHA, [(SHA, "high")]),
        ("git commit -q -m x && git checkout -- a.py && git rev-parse HEAD", SHA, [(SHA, "high")]),
        ("git commit -q -m x && git pull -q --rebase && git rev-parse HEAD", SHA, [(SHA, "high")]),
        # Others are told first.
        ("git commit -q -m x && git log --reverse --oneline -5", "9f1c2d3 a\n1111111 x", []),
        ("git commit -q -m x && git log --author=bob -1 --format=%H", SHA, []),
        ("git commit -q -m x && git log --all --skip=1 -1 --format=%H", SHA, []),
        ("git commit -q -m x && git show HEAD:a.py && git rev-parse HEAD", f"text\n{SHA}", [(SHA, "high")]),
        ('git commit -q -m x && git log -1 --format="%s %an (%h)"', "Say (x) Ada (9f1c2d3)", [("9f1c2d3", "high")]),
        # A line says it already.
        ("git commit -m x && git rev-parse HEAD", f"{LINE}\n{SHA}", [("1a2b3c4", "high")]),
    ],
)  # fmt: skip
def test_a_quiet_commit_is_told_by_what_is_asked_of_head(
    command: str, result: str, expected: list[tuple[str, str]]
) -> None:
    assert found(command, result) == expected


def test_a_request_that_was_there_before() -> None:
    told = f'a pull request for branch "x" into branch "main" already exists:\n{GH}\n'
    assert found("gh pr create --fill || true", told) == [(GH, "medium")]
    assert found("gh pr create --fill", told, is_error=True) == [(GH, "medium")]


def test_a_request_that_is_asked_for_beside() -> None:
    other = "https://github.com/o/r/pull/11"
    assert found("gh pr create --fill && gh pr list", f"{GH}\n{other}") == [(GH, "medium")]
    assert found("gh pr create --fill && gh pr view 11 --json url", f'{GH}\n{{"url":"{other}"}}') == [(GH, "medium")]
    assert found("gh pr view --json url || gh pr create --fill", f'{{"url":"{other}"}}') == [(other, "medium")]


def test_hostile_commands_take_linear_time() -> None:
    # With a power of their length each of these would take hours.
    for part in ("git -c -c -c", "git -cx -Cx ", "gh --a --a --a --a --a pr --a --a --a --a --a x ", "gh -a b pr -c d ",
                 "git --git-dir --git-dir ", "\\", "#'", "# '", "\\'"):  # fmt: skip
        found(part * (50_000 // len(part)) + " -cx" * 1000, "x")
    for format in ("%s " * 99, "%s%an" * 50, "(%s)" * 70):
        found(f"git commit -q -m x && git log --format='{format}%H'", ("a (b) " * 300 + "\n") * 1000)


def test_real_git(tmp_path: pathlib.Path) -> None:
    def run(script: str) -> str:
        where = {"cwd": tmp_path, "capture_output": True, "text": True, "check": True, "encoding": "utf-8"}
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_EDITOR": "true"}
        identity = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; "
        return str(subprocess.run(["bash", "-c", identity + script], env=environment, **where).stdout)  # type: ignore[call-overload]

    def head() -> str:
        return run("git rev-parse HEAD").strip()

    try:
        run("git init -q -b main")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git on this machine")
    for command, confidence in (
        ("touch a && git add a && git commit -m first", "high"),
        ("git checkout -q -b 'x]/ü(1)' && touch b && git add b && git commit -m 'x [y 1234567] z'", "high"),
        ("git commit -q --allow-empty -m quiet && git log --oneline -2", "high"),
        ("git commit -q --allow-empty -m quiet && git log -1 --format='%an %H'", "high"),
        ("git commit --amend --allow-empty -m 'amended' --date=now", "high"),
        ("git checkout -q --detach && git commit --allow-empty -m detached", "high"),
        ("git rm -q b && git commit -m gone", "high"),
        ("git revert --no-edit HEAD", "medium"),
        ("git -c core.abbrev=40 commit --allow-empty -m long", "high"),
    ):
        ((sha, confident),) = found(command, run(command))
        assert (head().startswith(sha), confident) == (True, confidence), command
    printed = run("git checkout -q main && git merge --ff-only -")
    assert found("git checkout -q main && git merge --ff-only -", printed) == [], printed


@pytest.mark.parametrize(
    ("command", "result", "url"),
    [
        ("glab mr create -f -y", "!5 x\n https://gitlab.com/g/s/x/-/merge_requests/5\n",
         "https://gitlab.com/g/s/x/-/merge_requests/5"),
        ("tea pr create --title x", "#7 x\nhttps://codeberg.org/o/r/pulls/7", "https://codeberg.org/o/r/pulls/7"),
        ("tea pulls create -t x", "https://gitea.example:3000/o/r/pulls/7", "https://gitea.example:3000/o/r/pulls/7"),
        ("hub pull-request -m x", GH, GH),
        ("git push -o merge_request.create -u origin x",
         "remote: View merge request for x:\nremote:   https://gitlab.com/g/x/-/merge_requests/6",
         "https://gitlab.com/g/x/-/merge_requests/6"),
        ("az repos pr create --title x", json.dumps({
            "pullRequestId": 22, "url": "https://dev.azure.com/o/1f/_apis/git/repositories/2e/pullRequests/22",
            "repository": {"webUrl": "https://dev.azure.com/o/p/_git/r", "url": "https://dev.azure.com/o/_apis/x"},
        }, indent=2), "https://dev.azure.com/o/p/_git/r/pullrequest/22"),
        ("az repos pr create", '{"url": "https://dev.azure.com/o/p/_git/r/pullrequest/3"}',
         "https://dev.azure.com/o/p/_git/r/pullrequest/3"),
        ("git push -u origin x", "remote: Create a pull request for 'x' on GitHub by visiting:\n"
         "remote:      https://github.com/o/r/pull/new/x", ""),
        ("git push", "remote: Visit the existing pull request:\nremote:   https://codeberg.org/o/r/pulls/7", ""),
        ("gh pr create --web", "Opening https://github.com/o/r/compare/main...x?expand=1 in your browser.", ""),
        ("glab mr list", "https://gitlab.com/g/x/-/merge_requests/6", ""),
        ("az repos pr list", '{"url": "https://dev.azure.com/o/p/_git/r/pullrequest/3"}', ""),
    ],
)  # fmt: skip
def test_requests_of_every_forge(command: str, result: str, url: str) -> None:
    assert found(command, result) == [(url, "high")] * bool(url)


@pytest.mark.parametrize(
    ("name", "result", "url"),
    [
        ("mcp__github__create_pull_request", json.dumps({"url": GH, "id": "5"}), GH),
        ("github-mcp-server-create_pull_request", json.dumps({
            "url": "https://api.github.com/repos/o/r/pulls/12", "html_url": GH, "diff_url": f"{GH}.diff",
            "body": "after https://github.com/o/r/pull/11", "head": {"repo": {"url": "https://api.github.com/x"}},
        }), GH),
        ("gitlab.create_merge_request", json.dumps([{"type": "text", "text": json.dumps({
            "iid": 5, "web_url": "https://gitlab.example/g/x/-/merge_requests/5"})}]),
         "https://gitlab.example/g/x/-/merge_requests/5"),
        ("mcp__bitbucket__createPullRequest", json.dumps({
            "id": 5, "links": {"self": {"href": "https://api.bitbucket.org/2.0/repositories/w/r/pullrequests/5"},
                               "html": {"href": "https://bitbucket.org/w/r/pull-requests/5"}}}),
         "https://bitbucket.org/w/r/pull-requests/5"),
        ("mcp__azure__repo_create_pull_request", json.dumps({
            "pullRequestId": 4, "repository": {"webUrl": "https://dev.azure.com/o/p/_git/r"}}),
         "https://dev.azure.com/o/p/_git/r/pullrequest/4"),
        ("mcp__gitea__create-pull-request", f"Created {GH}", GH),
        ("mcp__github__create_pull_request_review", json.dumps({"html_url": GH}), ""),
        ("mcp__github__get_pull_request", json.dumps({"html_url": GH}), ""),
        ("mcp__github__create_pull_request", "Validation Failed", ""),
    ],
)  # fmt: skip
def test_requests_of_tools(name: str, result: str, url: str) -> None:
    assert [link.pr_url for link in links_in(name, {}, result, is_error=False)] == [url] * bool(url)


def test_a_command_that_goes_on_is_told_about_later() -> None:
    conversation = Conversation()

    def ran(id: str, name: str, arguments: Any, answer: str) -> None:
        message = conversation.add("assistant", "x")
        conversation.answer_of(conversation.call(message, id, name, arguments), answer)

    ran("a", "exec_command", {"cmd": "git commit -m x"}, "Process running with session ID 4711\nOutput:\nhook …")
    ran("b", "exec_command", {"cmd": "make"}, "Process running with session ID 4712\nOutput:\n")
    ran("c", "write_stdin", {"session_id": 4712, "chars": ""}, LINE)
    assert conversation.rows("s", "u")[2] == []
    conversation = Conversation(conversation.held())
    ran("d", "write_stdin", {"session_id": 4711, "chars": ""}, f"Output:\n{LINE}")
    (link,) = conversation.rows("s", "u")[2]
    assert (link.commit_sha, link.confidence, link.message_ordinal) == ("1a2b3c4", "high", 3)


def test_a_command_in_the_background_of_claude_code() -> None:
    started = "Command running in background with ID: b5\nOutput is being written to: /tmp/b5"
    read = import_claude_code(
        data(
            user("go"),
            assistant(use("t1", command="git commit -m x && gh pr create --fill", run_in_background=True)),
            result("t1", started, 3),
            assistant(use("t2", "TaskOutput", task_id="b5", block=True), id="msg_2", second=4),
            result("t2", f"<output>\n{LINE}\n{GH}\n</output>", 5),
        ),
        file=FILE,
    )
    assert [(link.commit_sha or link.pr_url, link.message_ordinal) for link in read.git_links] == [
        ("1a2b3c4", 2),
        (GH, 2),
    ]
