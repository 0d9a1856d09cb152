"""What is told of a tool call: its line, what it was given, what came of it, and how much was left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentstore.importers.tools import category
from agentstore.models import ToolCall
from agentstore.web.rendering import WHOLE, ToldCall, finder, input_block, message_parts, result_block, told_call
from agentstore.web.rendering.inputs import read_input
from tests.web.pages import Page

ROOT = "/home/u/shop"


def call(name: str, result: str | None = "done", is_error: bool = False, **arguments: Any) -> ToolCall:
    return ToolCall(
        0,
        tool_name=name,
        tool_category=category(name),
        input_json=json.dumps(arguments),
        result_content=result or "",
        result_content_length=None if result is None else len(result),
        is_error=is_error,
    )


def told(name: str, **arguments: Any) -> ToldCall:
    return told_call(call(name, **arguments), ROOT)


PATCH = "*** Begin Patch\n*** Update File: src/a.py\n@@ def f\n-old\n+new\n*** Add File: b.md\n+x\n*** End Patch"


@pytest.mark.parametrize(
    ("name", "arguments", "summary"),
    [
        ("Bash", {"command": "ls -la\ncd x", "description": "List"}, "ls -la cd x"),
        ("shell", {"command": ["bash", "-lc", "git status"], "timeout_ms": 1}, "git status"),
        ("exec_command", {"cmd": "make", "yield_time_ms": 5}, "make"),
        ("write_stdin", {"session_id": 7, "chars": ""}, "(waits for 7)"),
        ("write_stdin", {"session_id": 7, "chars": "y\n"}, "y"),
        ("run_shell_command", {"command": f"cat {ROOT}/a.py"}, "cat a.py"),
        ("run_terminal_cmd", {"command": "ls", "is_background": False}, "ls"),
        ("Read", {"file_path": f"{ROOT}/src/a.py"}, "src/a.py"),
        ("Read", {"file_path": f"{ROOT}/a.py", "offset": 10, "limit": 5}, "a.py:10-14"),
        ("read", {"filePath": "/etc/hosts"}, "/etc/hosts"),
        ("read_file", {"absolute_path": f"{ROOT}/a"}, "a"),
        ("copilot_readFile", {"filePath": f"{ROOT}/a", "startLine": 1, "endLine": 9}, "a:1-9"),
        ("Edit", {"file_path": f"{ROOT}/a.py", "old_string": "a", "new_string": "b"}, "a.py"),
        ("MultiEdit", {"file_path": f"{ROOT}/a.py", "edits": [{"old_string": "a", "new_string": "b"}]}, "a.py"),
        ("NotebookEdit", {"notebook_path": f"{ROOT}/n.ipynb", "new_source": "x"}, "n.ipynb"),
        ("apply_patch", {"input": PATCH}, "src/a.py, b.md"),
        ("apply_patch", {"patchText": PATCH}, "src/a.py, b.md"),
        ("Grep", {"pattern": "a|b", "path": f"{ROOT}/src"}, "a|b in src"),
        ("Grep", {"pattern": "a|b", "path": ROOT}, "a|b"),
        ("grep_search", {"query": "a"}, "a"),
        ("Glob", {"pattern": "**/*.py"}, "**/*.py"),
        ("Task", {"description": "Look", "prompt": "Find it", "subagent_type": "Explore"}, "Explore: Look"),
        ("spawn_agent", {"message": "Find it"}, "Find it"),
        ("TodoWrite", {"todos": [{"content": "a", "status": "completed"}, {"content": "b"}]}, "1 of 2 done"),
        ("update_plan", {"plan": [{"step": "a", "status": "in_progress"}]}, "0 of 1 done"),
        ("WebFetch", {"url": "https://a.b", "prompt": "what"}, "https://a.b"),
        ("WebSearch", {"query": "how"}, "how"),
        ("Skill", {"skill": "pdf", "args": "x"}, "pdf"),
        ("AskUserQuestion", {"questions": [{"question": "Why?"}]}, "Why?"),
        ("mcp__db__run", {"n": 3, "statement": "SELECT 1"}, "3"),
        ("mcp__db__run", {}, ""),
        ("str_replace_editor", {"command": "view", "path": f"{ROOT}/a.py"}, "view a.py"),
        ("anything", {"nested": {"a": [1]}}, '{ "a": [ 1 ] }'),
    ],
)
def test_the_line(name: str, arguments: dict[str, Any], summary: str) -> None:
    assert Page(told(name, **arguments).summary).text == summary


def test_the_line_is_cut() -> None:
    assert Page(told("Bash", command="x" * 500).summary).text == "x" * 159 + "…"


def test_a_command_as_in_a_shell() -> None:
    html = told("shell", command=["bash", "-lc", "echo $HOME"], workdir="/x").body.html
    assert html.startswith('<pre class="code shell"><span class="prompt">$ </span><code>')
    assert Page(html).text == "$ echo $HOMEworkdir/x"


def test_an_edit_as_a_diff() -> None:
    body = told("Edit", file_path="a.py", old_string="a\nb\nc", new_string="a\nx\nc", replace_all=False).body
    assert Page(body.html).text == " a\n-b\n+x\n c\nfile_patha.pyreplace_allfalse"
    assert '<span class="line removed"><span class="sign">-</span>b\n</span>' in body.html


def test_edits_as_diffs_one_after_the_other() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "", "new_string": "c"}, "odd"]
    assert Page(told("MultiEdit", edits=edits).body.html).text == "@@ 1 of 3\n-a\n+b\n@@ 2 of 3\n+c\n@@ 3 of 3\n odd\n"


def test_a_patch_as_a_diff_also_where_a_shell_was_given_it() -> None:
    text = "Update src/a.py\n@@ def f\n-old\n+new\nAdd b.md\n+x\n"
    assert Page(told("apply_patch", input=PATCH).body.html).text == text
    assert Page(told("shell", command=["apply_patch", PATCH]).body.html).text.count("+new\n") == 1


def test_a_written_file_by_its_name() -> None:
    html = told("write_file", file_path="a.py", content="if 1:\n    pass\n").body.html
    assert html.startswith('<pre class="code"><code><span class="k">if</span>')


def test_todos() -> None:
    todos = [{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}, {"content": "c"}]
    assert told("TodoWrite", todos=todos).body.html == (
        '<ul class="todos"><li class="done">✓ a</li><li class="open">→ b</li><li class="open">○ c</li></ul>'
    )


def test_other_arguments_by_name() -> None:
    html = told("mcp__a__b", flag=True, text="one\ntwo", path="p", deep={"a": 1}).body.html
    assert html == (
        '<dl class="arguments"><dt>path</dt><dd>p</dd><dt>flag</dt><dd>true</dd>'
        '<dt>text</dt><dd><pre class="value">one\ntwo</pre></dd>'
        '<dt>deep</dt><dd><pre class="value">{\n  &#34;a&#34;: 1\n}</pre></dd></dl>'
    )


def test_results() -> None:
    assert result_block(call("Bash", result=None)) is None
    assert told_call(call("Bash", result=None)).state == "waiting"
    assert told_call(call("Bash", result="")).state == "done"
    failed = told_call(call("Bash", result="\x1b[31mno\x1b[0m\n", is_error=True))
    assert failed.is_error
    assert failed.result
    assert failed.result.html == '<pre class="output">no</pre>'


def test_a_result_that_is_a_diff_is_shown_as_one_with_its_numbers() -> None:
    diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -7,2 +7,2 @@ f\n a\n-b\n+c\n"
    block = result_block(call("Bash", result=f"commit 1\n\n{diff}"))
    assert block
    assert '<span class="line kept" data-old="7" data-new="7"><span class="sign"> </span>a' in block.html
    assert '<span class="line removed" data-old="8"><span class="sign">-</span>b' in block.html
    assert '<span class="line added" data-new="8"><span class="sign">+</span>c' in block.html
    assert Page(block.html).text == f"commit 1\n\n{diff}"


def test_a_file_that_was_read_is_code_without_its_numbers() -> None:
    result = "     9→if 1:\n    10→    pass\n\n<system-reminder>\nx\n</system-reminder>"
    block = result_block(call("Read", result=result, file_path="a.py"))
    assert block
    assert block.html.startswith('<pre class="code" data-start="9"><code><span class="k">if</span>')
    assert Page(block.html).text == "if 1:\n    pass<system-reminder>\nx\n</system-reminder>"
    plain = result_block(call("Read", result="no such file", is_error=True, file_path="a.py"))
    assert plain
    assert plain.html == '<pre class="output">no such file</pre>'


@pytest.mark.parametrize(("lines", "shown", "more"), [(20, 20, 0), (21, 21, 0), (22, 20, 2), (1_000, 20, 980)])
def test_twenty_lines_and_the_rest_on_demand(lines: int, shown: int, more: int) -> None:
    text = "\n".join(map(str, range(lines)))
    one = call("Bash", result=text, command=text)
    block, body = result_block(one), input_block(one)
    assert block
    for told in (block, body):
        assert (told.lines, told.more, told.is_whole) == (lines, more, not more)
    assert Page(block.html).text.splitlines() == [str(number) for number in range(shown)]
    whole = result_block(one, WHOLE)
    assert whole
    assert Page(whole.html).text == text
    assert whole.is_whole


def test_a_line_of_a_megabyte_is_cut_everywhere() -> None:
    text = "x" * 1_100_000
    one = call("Bash", result=text, command="ls")
    block = result_block(one)
    assert block
    assert (len(Page(block.html).text), block.more, block.more_characters) == (4_000, 0, 1_096_000)
    whole = result_block(one, WHOLE)
    assert whole
    assert (len(Page(whole.html).text), whole.more_characters, whole.is_whole) == (1_000_000, 100_000, False)
    assert len(told("Edit", old_string=text, new_string=text + "y").body.html) < 10_000


def test_what_the_store_cut_is_said_to_be_cut() -> None:
    one = ToolCall(0, tool_name="Bash", input_json="{}", result_content="ab", result_content_length=5)
    block = result_block(one)
    assert block
    assert block.is_cut
    assert not block.is_whole


@given(st.integers(0, 400))
@settings(deadline=None)
def test_an_input_that_was_cut_anywhere_is_read_as_far_as_it_goes(size: int) -> None:
    full = {
        "file_path": '/a/\u00e9\n\\"b.py',
        "old_string": "x, {y} [\\\\",
        "n": [1, {"m": None}],
        "new_string": "z" * 100,
    }
    text = json.dumps(full)
    given = read_input(text[:size])
    if size >= len(text):
        assert given.arguments == full
        assert not given.is_cut
    elif given.arguments is not None:
        assert given.is_cut
        for name, value in given.arguments.items():
            whole = full.get(name)
            assert value == whole or isinstance(value, list) or str(whole).startswith(str(value))
    if len('{"file_path": "/a/') < size:
        assert given.arguments


@pytest.mark.parametrize("text", ["", "null", "[1, 2]", '"text"', "not json", "{", '{"a"', '{"a": 1e999}', "9" * 5_000])
def test_an_input_that_is_no_object_is_text(text: str) -> None:
    told = told_call(ToolCall(0, tool_name="x", input_json=text))
    assert Page(told.body.html).wrong == []
    if text not in ("", "null", '{"a": 1e999}'):
        assert text[:100] in Page(told.body.html).text


def test_a_hit_is_marked_in_every_part_of_a_call() -> None:
    one = told_call(call("Bash", result="a Needle", command="echo needle", x="NEEDLE"), find=finder("needle"))
    assert one.result
    assert Page(one.summary).marked == ["needle"]
    assert Page(one.body.html).marked == ["needle", "NEEDLE"]
    assert Page(one.result.html).marked == ["Needle"]
    assert one.result.is_marked


def test_a_message_has_no_lines_of_the_calls_that_are_shown() -> None:
    content = "Look:\n[Bash: List]\n$ ls\n[Read: a.py]\n[Read: b.py]\nand [Read: a.py] too"
    calls = [call("Bash", command="ls", description="List"), call("Read", file_path="a.py")]
    (part,) = message_parts(content, calls)
    assert Page(part.html).text.strip() == "Look:\n[Read: b.py]\nand [Read: a.py] too"


def test_what_was_thought_and_what_machines_put_in_are_folded() -> None:
    content = (
        "[Thinking]\nhm **x**\n[/Thinking]\nhello\n<system-reminder>\n\x1b[1mbe nice\x1b[0m\n</system-reminder>\n"
        "what about <system-reminder> in a line\n<environment_context>x</environment_context>"
    )
    parts = [(part.kind, str(part.title), Page(part.html).text.strip()) for part in message_parts(content)]
    assert parts == [
        ("thinking", "hm **x**", "hm x"),
        ("text", "", "hello"),
        ("machine", "system reminder", "be nice"),
        ("text", "", "what about <system-reminder> in a line"),
        ("machine", "environment context", "x"),
    ]
    assert [part.is_folded for part in message_parts(content)] == [True, False, True, False, True]


def test_a_hit_in_the_markup_itself_is_seen() -> None:
    (part,) = message_parts("a **b**", find=finder("**b"))
    assert part.html == '<div class="plain">a <mark>**b</mark>**</div>'
    assert part.is_marked


def test_a_message_is_bounded() -> None:
    (part,) = message_parts("x" * 300_000)
    assert (len(Page(part.html).text), part.more_characters) == (200_000, 100_000)
    (part,) = message_parts("x" * 30, most=10)
    assert (Page(part.html).text.strip(), part.more_characters) == ("x" * 10, 20)
