"""Which tool call did what with which file: tools, patches and commands of all agents, and where a file is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentstore.importers import import_claude_code
from agentstore.importers.conversation import Conversation
from agentstore.importers.file_paths import placed
from agentstore.importers.file_touches import TouchingCall, may_touch, touches_in
from tests.unit.importer_lines import FILE, assistant, data, result, use, user

ROOT = "/home/ada/clock"
Found = set[tuple[str, ...]]


def told(name: str, arguments: Any, answer: str = "", *, cwd: str = ROOT, root: str = ROOT) -> Found:
    touched = touches_in(name, json.dumps(arguments), answer)
    rows = TouchingCall(0, 0, "t", None, touched, cwd, root).rows("s")
    return {tuple(filter(None, (row.operation, row.path, row.moved_from, row.moved_to))) for row in rows}


def run(command: str, answer: str = "", **where: str) -> Found:
    return told("Bash", {"command": command}, answer, **where)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("Read", {"file_path": f"{ROOT}/a.py", "offset": 5}, {("read", "a.py")}),
        ("Read", {"file_path": "/etc/hosts"}, {("read", "/etc/hosts")}),
        ("Edit", {"file_path": f"{ROOT}/src/a.py", "old_string": "x"}, {("edit", "src/a.py")}),
        ("MultiEdit", {"file_path": f"{ROOT}/a.py", "edits": [{"old_string": "x"}]}, {("edit", "a.py")}),
        ("Write", {"file_path": f"{ROOT}/a.py", "content": "x" * 9}, {("write", "a.py")}),
        ("NotebookEdit", {"notebook_path": f"{ROOT}/n.ipynb"}, {("edit", "n.ipynb")}),
        ("read", {"filePath": f"{ROOT}/a.py"}, {("read", "a.py")}),
        ("edit", {"filePath": f"{ROOT}/a.py", "oldString": "x"}, {("edit", "a.py")}),
        ("read_file", {"target_file": "src/a.py", "should_read_entire_file": True}, {("read", "src/a.py")}),
        ("edit_file", {"target_file": "./src/../a.py"}, {("edit", "a.py")}),
        ("search_replace", {"file_path": "a.py", "old_string": "x"}, {("edit", "a.py")}),
        ("delete_file", {"target_file": "a.py"}, {("delete", "a.py")}),
        ("StrReplace", {"path": "a.py"}, {("edit", "a.py")}),
        ("write_file", {"file_path": "a.py", "content": ""}, {("write", "a.py")}),
        ("replace", {"file_path": "a.py", "old_string": "x"}, {("edit", "a.py")}),
        ("read_many_files", {"paths": ["a.py", "src/*.py", "b.py"]}, {("read", "a.py"), ("read", "b.py")}),
        ("view", {"path": f"{ROOT}/a.py"}, {("read", "a.py")}),
        ("create", {"path": f"{ROOT}/a.py", "file_text": "x"}, {("write", "a.py")}),
        ("str_replace_editor", {"command": "view", "path": f"{ROOT}/a.py"}, {("read", "a.py")}),
        ("str_replace_editor", {"command": "str_replace", "path": f"{ROOT}/a.py"}, {("edit", "a.py")}),
        ("str_replace_editor", {"command": "create", "path": f"{ROOT}/a.py"}, {("write", "a.py")}),
        ("str_replace_based_edit_tool", {"command": "insert", "path": f"{ROOT}/a.py"}, {("edit", "a.py")}),
        ("str_replace_editor", {"command": ["view"], "path": f"{ROOT}/a.py"}, set()),
        ("fs_write", {"command": "append", "path": "a.py"}, {("edit", "a.py")}),
        ("replace_string_in_file", {"filePath": f"{ROOT}/a.py"}, {("edit", "a.py")}),
        ("multi_replace_string_in_file", {"replacements": [{"filePath": "a.py"}, {"filePath": "b.py"}]},
         {("edit", "a.py"), ("edit", "b.py")}),
        ("view_file", {"AbsolutePath": f"{ROOT}/a.py"}, {("read", "a.py")}),
        ("write_to_file", {"TargetFile": f"{ROOT}/a.py"}, {("write", "a.py")}),
        ("read_file", {"args": {"file": [{"path": "a.py"}, {"path": "b.py"}]}}, {("read", "a.py"), ("read", "b.py")}),
        ("mcp__filesystem__read_text_file", {"path": f"{ROOT}/a.py"}, {("read", "a.py")}),
        ("mcp__filesystem__read_multiple_files", {"paths": ["a.py"]}, {("read", "a.py")}),
        ("mcp__filesystem__move_file", {"source": "a.py", "destination": "b.py"},
         {("move", "a.py", "b.py"), ("move", "b.py", "a.py")}),
        ("mcp__github__delete_file", {"owner": "o", "repo": "r", "path": "a.py"}, set()),
        ("mcp__github__create_or_update_file", {"owner": "o", "repo": "r", "path": "a.py"}, set()),
        ("open", {"path": "a.py", "line_number": 5}, {("read", "a.py")}),
        ("create", {"filename": "a.py"}, {("write", "a.py")}),
        ("LS", {"path": ROOT}, set()),
        ("Grep", {"pattern": "x", "path": f"{ROOT}/a.py"}, set()),
        ("WebFetch", {"url": "https://x/a.py"}, set()),
        ("Read", {"file_path": ["a.py"]}, set()),
        ("Read", {"file_path": {"path": 5}}, set()),
        ("Read", "a.py", set()),
        ("Read", None, set()),
        ("read_file", {"uri": "file:///home/ada/clock/a.py"}, {("read", "a.py")}),
        ("read_file", {"path": "https://x/a.py"}, set()),
        ("Read", {"file_path": "a\nb"}, set()),
        ("Read", {"file_path": "x" * 5000}, set()),
    ],
)  # fmt: skip
def test_tools_of_all_agents(name: str, arguments: Any, expected: Found) -> None:
    assert told(name, arguments) == expected
    assert may_touch(name) or not expected


PATCH = """*** Begin Patch
*** Add File: new.py
+*** Update File: no.py
+x
*** Update File: src/a.py
@@ def f():
- old
+ new
*** Update File: b.py
*** Move to: c/b.py
@@
+x
*** Delete File: gone.py
*** End Patch"""
PATCHED = {("write", "new.py"), ("edit", "src/a.py"), ("move", "b.py", "c/b.py"), ("move", "c/b.py", "b.py"),
           ("delete", "gone.py")}  # fmt: skip
DIFF = """diff --git a/src/a.py b/src/a.py
index 1..2 100644
--- a/src/a.py
+++ b/src/a.py
@@ -1,3 +1,3 @@
---- x
++++ y
diff --git a/o.py b/n.py
similarity index 90%
rename from o.py
rename to n.py
--- a/o.py
+++ b/n.py
@@ -1 +1 @@
--- /dev/null
+++ b/new.py
@@ -0,0 +1 @@
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
"""
DIFFED = {("edit", "src/a.py"), ("move", "o.py", "n.py"), ("move", "n.py", "o.py"), ("write", "new.py"),
          ("delete", "gone.py")}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("apply_patch", {"input": PATCH}, PATCHED),
        ("apply_patch", PATCH, PATCHED),
        ("apply_patch", {"patchText": PATCH.replace("\n", "\r\n")}, PATCHED),
        ("ApplyPatch", {"patch": PATCH}, PATCHED),
        ("shell", {"command": ["apply_patch", PATCH]}, PATCHED),
        ("shell", {"command": ["bash", "-lc", f"apply_patch <<'EOF'\n{PATCH}\nEOF"]}, PATCHED),
        ("shell", {"command": ["bash", "-lc", f"cd sub && apply_patch <<'EOF'\n{PATCH}\nEOF\n"]},
         {tuple(f"sub/{part}" if number else part for number, part in enumerate(one)) for one in PATCHED}),
        ("exec_command", {"cmd": f"apply_patch <<'PATCH'\n{PATCH}\nPATCH", "workdir": f"{ROOT}/sub"},
         {tuple(f"sub/{part}" if number else part for number, part in enumerate(one)) for one in PATCHED}),
        ("patch", {"diff": DIFF}, DIFFED),
        ("Bash", {"command": f"git apply <<'EOF'\n{DIFF}EOF"}, DIFFED),
        ("Bash", {"command": f"patch -p1 <<EOF\n{DIFF}EOF\n"}, DIFFED),
        ("apply_patch", {"input": "no patch"}, set()),
        ("apply_patch", {"input": 5}, set()),
        ("Bash", {"command": f"cat <<'EOF'\n{PATCH}\nEOF"}, set()),
    ],
)  # fmt: skip
def test_patches(name: str, arguments: Any, expected: Found) -> None:
    assert told(name, arguments) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cat a.py", {("read", "a.py")}),
        ("cat a.py 'b c.py' | grep x | head -5", {("read", "a.py"), ("read", "b c.py")}),
        ("sed -n '1,200p' src/a.py", {("read", "src/a.py")}),
        ("nl -ba src/a.py | sed -n '1,20p'", {("read", "src/a.py")}),
        ("head -n 20 a.py; tail -5 b.py", {("read", "a.py"), ("read", "b.py")}),
        ("tail -f /var/log/x.log", {("read", "/var/log/x.log")}),
        ("sed -i 's/a/b/' a.py b.py", {("edit", "a.py"), ("edit", "b.py")}),
        ("sed -i '' -e 's/a/b/' a.py", {("edit", "a.py")}),
        ("sed -i.bak 's/a/b/' a.py", {("edit", "a.py")}),
        ("perl -pi -e 's/a/b/' a.py", {("edit", "a.py")}),
        ("perl -0pi -e 's/a/b/' a.py", {("edit", "a.py")}),
        ("perl -e 'print 1' a.py", set()),
        ("rm a.py && rm -f b.py", {("delete", "a.py"), ("delete", "b.py")}),
        ("rm -rf build c.py", {("delete", "c.py")}),
        ("git rm -q a.py", {("delete", "a.py")}),
        ("git rm --cached a.py", set()),
        ("mv a.py b.py", {("move", "a.py", "b.py"), ("move", "b.py", "a.py")}),
        ("mv a.py src/", {("move", "a.py", "src/a.py"), ("move", "src/a.py", "a.py")}),
        ("git mv -f a.py b.py", {("move", "a.py", "b.py"), ("move", "b.py", "a.py")}),
        ("git -C sub mv a.py b.py", {("move", "sub/a.py", "sub/b.py"), ("move", "sub/b.py", "sub/a.py")}),
        ("mv a.py src", set()),
        ("cp a.py b.py", {("read", "a.py"), ("write", "b.py")}),
        ("cp a.py src", {("read", "a.py")}),
        ("cp a.py b.py src", {("read", "a.py"), ("read", "b.py"), ("write", "src/a.py"), ("write", "src/b.py")}),
        ("cp -r a b", set()),
        ("echo x > a.txt", {("write", "a.txt")}),
        ("echo x >> a.txt", {("edit", "a.txt")}),
        ("cat > a.py <<'EOF'\nrm b.py > c\nEOF", {("write", "a.py")}),
        ("cat <<EOF >a.py\n$x\nEOF\ncat b.py", {("write", "a.py"), ("read", "b.py")}),
        ("make 2>&1 | tee -a log.txt", {("edit", "log.txt")}),
        ("make > log.txt 2>&1", {("write", "log.txt")}),
        ("make >/dev/null 2>/dev/null", set()),
        ("wc -l < a.py", {("read", "a.py")}),
        ("cd src && cat a.py", {("read", "src/a.py")}),
        ("cd src; cd ..; cat a.py", {("read", "a.py")}),
        ("(cd src && cat a.py) && cat b.py", {("read", "src/a.py"), ("read", "b.py")}),
        ("cd src || exit 1; cat a.py", {("read", "src/a.py")}),
        ("bash -lc 'cd src && cat a.py'", {("read", "src/a.py")}),
        ("FOO=1 sudo cat /etc/x", {("read", "/etc/x")}),
        ("cat ~/x", {("read", "/home/ada/x")}),
        ("cat ../other/x", {("read", "/home/ada/other/x")}),
        ("mv a.py b.py && sed -i s/x/y/ b.py", {("move", "a.py", "b.py"), ("move", "b.py", "a.py")}),
        ("cat a.py; echo x > a.py", {("write", "a.py")}),
        ("rm a.py; touch b", {("delete", "a.py")}),
        # What is not certain.
        ("cat *.py $FILE $(ls) x{1,2}", set()),
        ("cat a.py || cat b.py", set()),
        ("test -f a.py && cat a.py || true", set()),
        ("if [ -f a.py ]; then rm a.py; fi", set()),
        ("for f in a b; do rm $f x.py; done", set()),
        ("cd $DIR && cat a.py", set()),
        ("cd - && cat a.py", set()),
        ("find . -name a.py -exec rm {} ;", set()),
        ("ls | xargs rm", set()),
        ("ssh host 'rm a.py'", set()),
        ("docker exec c cat a.py", set()),
        ("echo 'rm a.py > b'", set()),
        ("grep -n x a.py", set()),
        ("python - <<EOF\nopen('a.py', 'w') > 5\nEOF", set()),
        ("f() { rm a.py; }", set()),
        ("rm", set()),
        ("mv a.py", set()),
        ("cat -", set()),
        ("cat <(ls) > >(wc)", set()),
        # What may not have been run, though the whole succeeded.
        ("[ -f a.py ] && cat a.py; ls", set()),
        ("[ -f a.py ] && cat a.py", {("read", "a.py")}),
        ("mkdir -p src && echo x > src/a.py; ls", {("write", "src/a.py")}),
        ("make || { echo no; cat log.txt; }; ls", set()),
        ("make || (echo no; cat log.txt)", set()),
        ("make && { echo yes; cat a.py; }; ls", set()),
        ("{ cat a.py; }; cat b.py", {("read", "a.py"), ("read", "b.py")}),
        ("cat a.py; exit 0; cat b.py", {("read", "a.py")}),
        ("cat a.py 2>/dev/null; ls", set()),
        ("cat a.py 2>/dev/null | head", set()),
        ("cat a.py 2>/dev/null", {("read", "a.py")}),
        ("make > log.txt 2>/dev/null; ls", {("write", "log.txt")}),
        # What looks as if it wrote.
        ("((n > 5)) && cat a.py", {("read", "a.py")}),
        ("[[ $a > b ]] && cat a.py", {("read", "a.py")}),
        ("for ((i=0; i<5; i++)); do cat a.py; done; cat b.py", {("read", "b.py")}),
        ("tail +5 a.py; less +G b.py", {("read", "a.py"), ("read", "b.py")}),
        ("perl -i -pe 's/a/b/' a.py", {("edit", "a.py")}),
        ("perl -i.bak -ne 'print' a.py", {("edit", "a.py")}),
        (f"git apply --check <<'EOF'\n{DIFF}EOF", set()),
        (f"patch -p1 --dry-run <<'EOF'\n{DIFF}EOF", set()),
        ("git rm -n a.py", set()),
        ("mv parts pieces", set()),
        ("cp Makefile build", {("read", "Makefile")}),
    ],
)  # fmt: skip
def test_commands_tell_what_is_certain(command: str, expected: Found) -> None:
    assert run(command) == expected


def test_powershell() -> None:
    def ran(command: str) -> Found:
        return told("PowerShell", {"command": command}, cwd="C:\\clock", root="C:\\clock")

    assert ran("Get-Content src\\a.py") == {("read", "src/a.py")}
    assert ran("Get-Content -Path 'C:\\clock\\a b.py' -TotalCount 5") == {("read", "a b.py")}
    assert ran("Set-Content -Path a.py -Value 'x'; Remove-Item b.py") == {("write", "a.py"), ("delete", "b.py")}
    assert ran("Move-Item a.py b.py") == {("move", "a.py", "b.py"), ("move", "b.py", "a.py")}
    assert ran("Copy-Item a.py -Destination b.py") == {("read", "a.py"), ("write", "b.py")}
    assert ran('"x" | Out-File out.txt') == {("write", "out.txt")}
    assert ran("cat a.py -TotalCount 5; rm b.py -Force; sc.exe query x") == {("read", "a.py"), ("delete", "b.py")}
    assert ran("Set-Content a.py @'\nit's\nrm b.py\n'@; rm c.py") == {("write", "a.py"), ("delete", "c.py")}
    assert ran('@"\nrm b.py; say "x" $n\n"@ > a.py; rm c.py') == {("write", "a.py"), ("delete", "c.py")}


def test_what_the_output_says_is_missing_was_not_touched() -> None:
    assert run("cat a.py; cat b.py", "x\ncat: b.py: No such file or directory") == {("read", "a.py")}
    assert run("cat a.py && cat b.py; ls", "cat: a.py: No such file or directory") == set()
    assert run("cat a.py", "No such file here: b.py\nNo such file or directory: c") == {("read", "a.py")}


def test_an_edit_of_the_file_that_is_open() -> None:
    shown = "[File: /home/ada/clock/src/a.py (9 lines total)]\n(1 more lines above)\n2:x"
    assert told("edit", {"search": "x", "replace": "y"}, f"Text replaced.\n{shown}") == {("edit", "src/a.py")}
    assert told("insert", {"text": "y"}, shown) == {("edit", "src/a.py")}
    assert told("edit", {"search": "x"}, f"Your changes have NOT been applied.\n{shown}") == set()
    assert told("edit", {"search": "x"}, "nothing") == set()


def test_a_folder_that_is_listed_is_no_file() -> None:
    listed = "Here's the files and directories up to 2 levels deep in /home/ada/clock"
    assert told("str_replace_editor", {"command": "view", "path": "/home/ada/clock/src"}, listed) == set()
    assert told("read", {"filePath": f"{ROOT}/src"}, f"<path>{ROOT}/src</path>\n<type>directory</type>") == set()
    assert told("view", {"path": ROOT}) == set()


@pytest.mark.parametrize(
    ("path", "cwd", "root", "expected"),
    [
        ("a.py", ROOT, ROOT, "a.py"),
        ("a.py", f"{ROOT}/src", ROOT, "src/a.py"),
        ("../a.py", f"{ROOT}/src", ROOT, "a.py"),
        (f"{ROOT}//src/./x/../a.py", "", ROOT, "src/a.py"),
        ("/home/ada/clocks/a.py", ROOT, ROOT, "/home/ada/clocks/a.py"),
        (ROOT, ROOT, ROOT, ""),
        ("a.py", "", "", "a.py"),
        ("/x/a.py", "", "", "/x/a.py"),
        ("../a.py", "", "", ""),
        ("a.py", "/elsewhere", ROOT, "/elsewhere/a.py"),
        # Worktrees, of any tool: the path within the repository.
        (f"{ROOT}/.worktrees/x/src/a.py", "", f"{ROOT}/.worktrees/x", "src/a.py"),
        (f"{ROOT}/.worktrees/x/src/a.py", "", f"{ROOT}/.worktrees/x/src", "src/a.py"),
        (f"{ROOT}/.claude/worktrees/x/src/a.py", "", ROOT, "src/a.py"),
        (f"{ROOT}/src/a.py", "", f"{ROOT}/.worktrees/x", "src/a.py"),
        ("src/a.py", f"{ROOT}/.claude/worktrees/x", f"{ROOT}/.claude/worktrees/x", "src/a.py"),
        ("/home/ada/.codex/worktrees/12ab/clock/src/a.py", "", "/home/ada/.codex/worktrees/12ab/clock", "src/a.py"),
        ("/home/ada/conductor/workspaces/clock/rome/a.py", "", "/home/ada/conductor/workspaces/clock/rome", "a.py"),
        ("/w/clock.worktrees/x/src/a.py", "", "/w/clock.worktrees/x", "src/a.py"),
        # Windows: one spelling.
        ("c:\\Clock\\src\\a.py", "", "C:\\Clock", "src/a.py"),
        ("C:/clock/src/a.py", "", "c:\\Clock", "src/a.py"),
        ("src\\a.py", "C:\\Clock", "C:\\Clock", "src/a.py"),
        ("/c/Clock/a.py", "C:\\Clock", "C:\\Clock", "a.py"),
        ("D:\\x\\a.py", "C:\\Clock", "C:\\Clock", "D:/x/a.py"),
        ("a\\b.py", ROOT, ROOT, "a\\b.py"),
        ("a.py", "/", "/", "a.py"),
        ("/etc/a", "/", "/", "etc/a"),
        ("/dev/null", ROOT, ROOT, ""),
        ("a\ud800.py", ROOT, ROOT, "a\ufffd.py"),
        ("a.py", "/é\ud800", "", "a.py"),
        ("/x/a.py", "/é\ud800", "/é\ud800", "/x/a.py"),
    ],
)  # fmt: skip
def test_where_a_file_is(path: str, cwd: str, root: str, expected: str) -> None:
    assert placed(path, cwd, root) == expected


def test_calls_that_failed_or_have_no_result_touched_nothing() -> None:
    read = import_claude_code(
        data(
            user("go", cwd=ROOT),
            assistant(use("t1", "Edit", file_path=f"{ROOT}/a.py"), cwd=ROOT),
            result("t1", "done", 3),
            assistant(use("t2", "Edit", file_path=f"{ROOT}/b.py"), id="msg_2", second=4),
            result("t2", "<tool_use_error>no</tool_use_error>", 5, error=True),
            assistant(use("t3", "Read", file_path=f"{ROOT}/c.py"), id="msg_3", second=6),
            assistant(use("t4", command="cat d.py"), id="msg_4", second=7, cwd=f"{ROOT}/src"),
            result("t4", "x", 8),
        ),
        file=FILE,
    )
    (session,) = read.sessions
    first, second = read.file_touches
    assert (first.session_id, first.path, first.operation) == (session.id, "a.py", "edit")
    assert (first.tool_use_id, first.call_index, first.message_ordinal) == ("t1", 0, 1)
    assert first.touched_at == read.messages[0].timestamp.replace(second=3)  # type: ignore[union-attr]
    assert (second.path, second.operation, second.message_ordinal) == ("src/d.py", "read", 4)


def test_conversations_of_other_agents() -> None:
    conversation = Conversation()
    message = conversation.add("assistant", "x")
    for number, name in enumerate(("write_file", "read_file", "run_shell_command")):
        arguments = {"file_path": f"{ROOT}/{name}.py", "command": "cat a.py"}
        conversation.answer_of(conversation.call(message, f"t{number}", name, arguments), "ok", is_error=number == 1)
    held = conversation.held()
    assert [(one.path, one.operation) for one in conversation.file_touches("s", ROOT)] == [
        ("write_file.py", "write"),
        ("a.py", "read"),
    ]
    assert conversation.file_touches("s", ROOT) == []
    again = Conversation(held)
    again.be_in(ROOT)
    again.be_in(f"{ROOT}/src")
    again.answer_of(again.call(message, "t9", "shell", {"command": ["cat", "b.py"]}), "ok")
    assert [one.path for one in again.file_touches("s")] == ["src/b.py"]


def test_hostile_commands_take_linear_time() -> None:
    # With the square of their length each of these would take minutes.
    parts = ["'", '"', "<<a\n", "\\", "$(", "`", "${", "(", ")", "if ", "a;", "cd a;", "cat a;", "> a ", "{a,", "~",
             "\n", "$(cat <<E\n", "a=1 ", "sudo ", "bash -c 'cat a' ", "cat a && ", "mv a b;", "../", "a/",
             "@'\n", "((", "{ ", "a && { "]  # fmt: skip
    for part in parts:
        run(f"cat {part * (100_000 // len(part))}", "No such file " * 10_000)
        told("PowerShell", {"command": f"cat {part * (100_000 // len(part))}"})
    many = "".join(f"*** Add File: {n}\n" for n in range(10_000))
    assert len(told("apply_patch", {"input": f"*** Begin Patch\n{many}"})) == 500
