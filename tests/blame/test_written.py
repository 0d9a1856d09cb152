"""What an edit call wrote, by its arguments: of each agent's tools, and nothing where it cannot be told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentstore import ToolCall
from agentstore.blame.patched import in_patch, is_same
from agentstore.blame.written import Change, Hunk, Inserted, Replaced, Unknown, Whole, changes_of

PATCH = """*** Begin Patch
*** Update File: src/a.py
@@ def f():
 kept
-old
+new
*** Add File: src/b.py
+one
+
+two
*** Delete File: src/c.py
*** Update File: src/d.py
*** Move to: src/e.py
@@
-x
+y
*** End Patch
"""
DIFF = """diff --git a/src/a.py b/src/a.py
--- a/src/a.py
+++ b/src/a.py
@@ -1,2 +1,2 @@
 kept
--- old
+++ new
@@ -9 +9,2 @@
 last
+more
--- /dev/null
+++ b/src/b.py
@@ -0,0 +1,2 @@
+one
+two
"""


def changes(given: Any, operation: str = "edit", path: str = "src/a.py", **fields: Any) -> list[Change]:
    text = given if isinstance(given, str) else json.dumps(given)
    call = ToolCall(message_ordinal=0, input_json=text, **{"tool_name": "Edit", **fields})
    return changes_of(call, path, operation)


@pytest.mark.parametrize(
    ("given", "operation", "wanted"),
    [
        ({"content": "a\n"}, "write", [Whole("a\n")]),
        ({"file_text": "a"}, "write", [Whole("a")]),
        ({"old_string": "a", "new_string": "b"}, "edit", [Replaced("a", "b")]),
        ({"oldString": "a", "newString": "b", "replaceAll": True}, "edit", [Replaced("a", "b", True)]),
        ({"old_string": "a", "new_string": "b", "replace_all": "yes"}, "edit", [Replaced("a", "b")]),
        ({"old_string": "a", "new_string": ""}, "edit", [Replaced("a", "")]),
        ({"old_string": "", "new_string": "b"}, "edit", [Inserted("b")]),
        (
            {"edits": [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}, "none"]},
            "edit",
            [Replaced("a", "b"), Replaced("c", "d")],
        ),
        ({"insert_line": 3, "new_str": "b\n"}, "edit", [Inserted("b\n")]),
        # What cannot be told is not guessed.
        ({}, "edit", [Unknown()]),
        ({"content": 5}, "write", [Unknown()]),
        ([1], "edit", [Unknown()]),
    ],
)
def test_arguments(given: Any, operation: str, wanted: list[Change]) -> None:
    assert changes(given, operation) == wanted


def test_arguments_that_nobody_can_read() -> None:
    for text in ("", "no json", "[" * 100_000, json.dumps({"content": "x" * 9_000_000})):
        assert changes(text, "write") == [Unknown()]


@pytest.mark.parametrize(
    ("result", "is_new"),
    [("File created successfully at: a", True), ("The file a has been updated.", False),
     ("Wrote new file and overwrote it", False), ("ok", None), ("x" * 200 + "created", None)],
)  # fmt: skip
def test_whether_a_file_is_new(result: str, is_new: bool | None) -> None:
    assert changes({"content": "a"}, "write", result_content=result) == [Whole("a", is_new)]


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("cat > src/a.py <<'EOF'\none $x\nEOF\n", [Whole("one $x\n")]),
        ("cd /r && cat <<EOF > /r/src/a.py\none\nEOF", [Whole("one\n")]),
        ("cat >> src/a.py <<'EOF'\none\nEOF", [Inserted("one\n")]),
        ("cat > src/a.py <<EOF\none $(date)\nEOF", [Unknown()]),  # the shell wrote something else
        ("cat > other.py <<'EOF'\none\nEOF", [Unknown()]),
        ("cat > src/a.py <<'EOF'\nnever ends", [Unknown()]),
        ("sed -i s/a/b/ src/a.py", [Unknown()]),
    ],
)  # fmt: skip
def test_a_shell(command: str, wanted: list[Change]) -> None:
    assert changes({"command": command}, tool_name="Bash") == wanted


def test_a_patch_of_several_files() -> None:
    assert changes({"input": PATCH}, tool_name="apply_patch") == [Hunk(("kept", "old"), ("kept", "new"))]
    assert changes(PATCH, "write", "src/b.py", tool_name="apply_patch") == [Whole("one\n\ntwo")]
    for name in ("src/d.py", "src/e.py"):  # of a move, both names
        assert changes({"command": ["apply_patch", PATCH]}, path=name, tool_name="shell") == [Hunk(("x",), ("y",))]
    assert changes({"input": PATCH}, path="elsewhere.py", tool_name="apply_patch") == [Unknown()]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_diff(ends: str) -> None:
    told = list(in_patch(DIFF.replace("\n", ends), "src/a.py"))
    # Lines of a hunk that look like a file's header are lines of the hunk.
    assert told == [(("kept", "-- old"), ("kept", "++ new")), (("last",), ("last", "more"))]
    assert list(in_patch(DIFF, "src/b.py")) == [(None, ("one", "two"))]
    assert list(in_patch(DIFF, "src/z.py")) == []


@pytest.mark.parametrize(
    ("told", "path", "same"),
    [
        ("src/a.py", "src/a.py", True), ("./src/a.py", "src/a.py", True), ("/r/src/a.py", "src/a.py", True),
        ("C:\\r\\src\\a.py", "src/a.py", True), ("a.py", "src/a.py", True), ("xsrc/a.py", "src/a.py", False),
        ("src/b.py", "src/a.py", False), ("src/a.py.bak", "src/a.py", False),
    ],
)  # fmt: skip
def test_whether_two_paths_may_be_one_file(told: str, path: str, same: bool) -> None:
    assert is_same(told, path) is same
