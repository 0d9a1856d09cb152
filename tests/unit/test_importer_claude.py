"""What the records of a Claude Code transcript become, one test for each trap of the format."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from agentstore.importers import ImportProblem, ImportResult, import_claude_code
from agentstore.models import Session
from tests.unit.importer_lines import FILE, SESSION, assistant, data, line, result, said, use, user


def imported(*records: Any, file: str = FILE, **arguments: Any) -> ImportResult:
    return import_claude_code(data(*records), file=file, **arguments)


def session(*records: Any, **arguments: Any) -> Session:
    (only,) = imported(*records, **arguments).sessions
    return only


def said_by(result: ImportResult) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in result.messages]


# --- responses and their tokens ------------------------------------------------------------------------------------


def test_the_lines_of_a_response_are_one_message_with_the_greatest_output() -> None:
    read = imported(
        user("go"),
        assistant({"type": "thinking", "thinking": "hm", "signature": "s"}, second=1, output=2),
        assistant(said("I look."), second=2, output=90),
        assistant(use("t1", command="ls"), second=3, output=88),
    )
    assert said_by(read) == [("user", "go"), ("assistant", "[Thinking]\nhm\n[/Thinking]\nI look.\n[Bash]\n$ ls")]
    message = read.messages[1]
    assert (message.output_tokens, message.input_tokens, message.cache_read_tokens) == (90, 3, 50)
    assert (message.cache_write_tokens, message.context_tokens) == (7, 60)
    assert json.loads(message.token_usage)["output_tokens"] == 90
    assert (message.source_id, message.model, message.has_thinking, message.has_tool_use) == (
        "msg_1", "claude-x", True, True,
    )  # fmt: skip
    assert message.content_length == len(message.content)
    assert (read.sessions[0].total_output_tokens, read.sessions[0].peak_context_tokens) == (90, 60)


def test_lines_of_a_response_need_not_be_adjacent_and_results_may_come_between() -> None:
    read = imported(
        assistant(use("t1", command="a"), second=1),
        result("t1", "one", second=2),
        user("[Request interrupted by user]", second=3),
        assistant(use("t2", command="b"), second=4),
        result("t2", "two", second=5),
    )
    assert [message.role for message in read.messages] == ["assistant", "system"]
    calls = [(c.message_ordinal, c.call_index, c.tool_use_id, c.result_content) for c in read.tool_calls]
    assert calls == [(0, 0, "t1", "one"), (0, 1, "t2", "two")]


def test_a_response_without_an_id_is_known_by_its_line() -> None:
    read = imported(
        assistant(said("a"), id=None, uuid="u1", second=1), assistant(said("b"), id=None, uuid="u2", second=2)
    )
    assert [message.source_id for message in read.messages] == ["u1", "u2"]


def test_messages_of_the_program_itself_cost_nothing() -> None:
    record = assistant(said("API Error"), output=55)
    record["message"]["model"] = "<synthetic>"
    (message,) = imported(record).messages
    assert (message.output_tokens, message.context_tokens, message.token_usage) == (0, 0, "")


def test_cache_writes_are_summed_where_only_their_parts_are_given() -> None:
    record = assistant(said("x"))
    record["message"]["usage"] = {
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5}, "output_tokens": 1,
    }  # fmt: skip
    assert imported(record).messages[0].cache_write_tokens == 9


def test_a_thinking_block_whose_text_was_withheld_still_counts() -> None:
    (message,) = imported(assistant({"type": "thinking", "thinking": "", "signature": "s"})).messages
    assert (message.has_thinking, message.content) == (True, "")


# --- files that were written again into themselves -----------------------------------------------------------------


def test_a_replay_under_new_uuids_doubles_nothing() -> None:
    first = [
        user([{"type": "text", "text": "<ide_opened_file>x</ide_opened_file>"}, said("fix it")], 0, uuid="a"),
        assistant(said("yes"), second=1, output=5, uuid="b"),
        assistant(use("t1", command="ls"), second=2, output=9, uuid="c"),
        result("t1", "ok", second=3, uuid="d"),
    ]
    replay = [
        user([{"type": "text", "text": "<ide_opened_file>x</ide_opened_file>"}], 0, uuid="e"),
        user([said("fix it")], 0, uuid="f"),
        assistant(said("yes"), second=1, output=5, uuid="g"),
        assistant(use("t1", command="ls"), second=2, output=9, uuid="h"),
        result("t1", "ok", second=3, uuid="i"),
    ]
    once, twice = imported(*first), imported(*first, *replay)
    assert twice.messages == once.messages
    assert twice.tool_calls == once.tool_calls
    assert twice.sessions == once.sessions


def test_a_record_appended_again_with_other_metadata_is_the_same_record() -> None:
    last = user("go", 0, uuid="a")
    read = imported(last, last | {"cwd": "/elsewhere", "version": "9", "gitBranch": "other"})
    assert len(read.messages) == 1
    assert (read.sessions[0].project_path, read.sessions[0].git_branch) == ("/home/ada/clock", "other")


def test_the_same_uuid_or_the_same_text_alone_is_no_replay() -> None:
    assert len(imported(user("yes", 0, uuid="a"), user("yes", 60, uuid="a"), user("no", 60, uuid="a")).messages) == 3


def test_without_times_only_a_whole_copy_is_a_replay() -> None:
    placeholder = line("user", None, uuid="[trimmed]", message={"content": "[trimmed]"})
    assert len(imported(placeholder, placeholder | {"version": "2"}, placeholder | {"isMeta": False}).messages) == 2


def test_a_line_may_say_the_same_thing_twice() -> None:
    assert imported(assistant(said("ho"), said("ho"))).messages[0].content == "ho\nho"


# --- who speaks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "fields", "role", "shown"),
    [
        ("Grüße, 世界", {}, "user", "Grüße, 世界"),
        ([said("a"), said("b")], {}, "user", "a\nb"),
        ([{"type": "image", "source": {"media_type": "image/png", "data": "AAAA"}}], {}, "user", "[Image: image/png]"),
        ([{"type": "document", "source": None}, said("read it")], {}, "user", "[Document]\nread it"),
        (["bare", {"type": "text", "text": "block"}], {}, "user", "bare\nblock"),
        ("<ide_selection>x</ide_selection>", {}, "system", "<ide_selection>x</ide_selection>"),
        ("<system-reminder>a</system-reminder> do it", {}, "user", "<system-reminder>a</system-reminder> do it"),
        ("<command-name>/review</command-name>\n<command-args>17</command-args>", {}, "user", "/review 17"),
        ("<command-message>wf:go</command-message>\n<command-name>/wf:go</command-name>", {}, "user", "/wf:go"),
        ("<command-name>/clear</command-name><command-args></command-args>", {}, "system", "/clear"),
        ("<bash-input>ls -l</bash-input>", {}, "system", "! ls -l"),
        ("<bash-stdout>x</bash-stdout>", {}, "system", "<bash-stdout>x</bash-stdout>"),
        ("<local-command-stdout>", {}, "system", "<local-command-stdout>"),
        ("<task-notification>x</task-notification>", {}, "system", "<task-notification>x</task-notification>"),
        ("[Request interrupted by user for tool use]", {}, "system", "[Request interrupted by user for tool use]"),
        ("Stop hook feedback:\nno", {}, "system", "Stop hook feedback:\nno"),
        ("what was said", {"isCompactSummary": True}, "system", "what was said"),
    ],
)  # fmt: skip
def test_who_speaks_in_a_user_line(content: Any, fields: dict[str, Any], role: str, shown: str) -> None:
    read = imported(user(content, **fields))
    assert said_by(read) == [(role, shown)]
    assert read.sessions[0].user_message_count == (role == "user")


def test_injected_lines_are_kept_out_and_counted_but_their_results_are_not() -> None:
    read = imported(
        assistant(use("t1")), user("body of a skill", isMeta=True), result("t1", "fine", isMeta=True), user("", 9)
    )
    assert [message.role for message in read.messages] == ["assistant"]
    assert read.tool_calls[0].result_content == "fine"
    assert read.skipped_records == {"user/meta": 2, "user/replayed or empty": 1}


def test_the_first_message_is_the_first_thing_a_person_wrote() -> None:
    read = session(
        user("<command-name>/model</command-name>", 0),
        user("This session is being continued from a previous conversation that ran out", 1),
        user("<system-reminder>be kind</system-reminder>\n one\r\ntwo\n" + "ä" * 400, 2),
        user("later", 3),
    )
    assert read.first_message == ("one two " + "ä" * 400)[:300] + "..."
    assert (read.message_count, read.user_message_count) == (4, 2)


def test_prompts_queued_while_the_model_worked_are_prompts() -> None:
    queued = {"type": "queued_command", "prompt": "and the tests", "commandMode": "prompt"}
    other = {"type": "queued_command", "prompt": "x", "commandMode": "task-notification"}
    read = imported(user("go"), line("attachment", 4, attachment=queued), line("attachment", 5, attachment=other))
    assert said_by(read) == [("user", "go"), ("user", "and the tests")]
    assert read.skipped_records == {"attachment/queued_command": 1}


def test_local_commands_and_recaps_of_the_program_are_shown_as_system() -> None:
    read = imported(
        line("system", 1, subtype="local_command", content="<command-name>/skills</command-name>"),
        line("system", 2, subtype="away_summary", content="You were fixing the clock."),
        line("system", 3, subtype="turn_duration", durationMs=5),
    )
    assert said_by(read) == [("system", "/skills"), ("system", "You were fixing the clock.")]


# --- calls and results ---------------------------------------------------------------------------------------------


def test_results_are_text_with_length_and_error() -> None:
    blocks = [
        said("zwölf"),
        {"type": "image", "source": {"media_type": "image/png"}},
        {"type": "tool_reference", "tool_name": "X"},
    ]
    read = imported(
        assistant(use("t1"), use("t2"), use("t3"), use("t4")),
        result("t1", blocks, 2),
        result("t2", "Exit code 1", 3, error=True),
        result("t3", "", 4, error=False),
        result("t9", "whose?", 5),
    )  # fmt: skip
    shown = "zwölf\n[Image: image/png]\n[Tool reference: X]"
    assert [(c.result_content, c.result_content_length, c.is_error) for c in read.tool_calls] == [
        (shown, len(shown), False), ("Exit code 1", 11, True), ("", 0, False), ("", None, False),
    ]  # fmt: skip
    assert read.skipped_records == {"tool_result/orphan": 1}


def test_a_result_may_precede_its_call_and_come_twice() -> None:
    read = imported(result("t1", "first"), assistant(use("t1"), second=7), result("t1", "second", second=9))
    assert [call.result_content for call in read.tool_calls] == ["first"]


def test_calls_without_ids_are_numbered_and_paired_through_their_line() -> None:
    idless = {"type": "tool_use", "name": "bash", "input": {"command": "ls"}}
    answer = user([{"type": "tool_result", "content": "ok"}], 2, uuid="r", sourceToolAssistantUUID="a")
    read = imported(assistant(idless, idless, uuid="a"), answer, answer | {"uuid": "s"}, answer | {"uuid": "t"})
    calls = [(c.tool_use_id, c.call_index, c.tool_category, c.result_content_length) for c in read.tool_calls]
    assert calls == [("", 0, "Bash", 2), ("", 1, "Bash", 2)]
    assert read.skipped_records == {"tool_result/orphan": 1}


def test_input_is_kept_as_compact_json() -> None:
    (call,) = imported(assistant(use("t1", "Weird", b="ü", a=[1, None]))).tool_calls
    assert call.input_json == '{"b":"ü","a":[1,null]}'
    assert (call.tool_category, imported(assistant(use("t", "X"))).messages[0].content) == ("Other", "[Tool: X]")


@pytest.mark.parametrize(
    "link",
    [
        [result("t1", "done", toolUseResult={"agentId": "a77", "status": "completed"})],
        [result("t1", [said("done"), said("agentId: a77 (for resuming)")])],
        [line("progress", 2, parentToolUseID="t1", data={"type": "agent_progress", "agentId": "a77", "message": {}})],
        [line("queue-operation", 2, content="<task-id>a77</task-id>\n<tool-use-id>t1</tool-use-id>")],
        [user("<task-notification>\n<task-id>a77</task-id>\n<tool-use-id>t1</tool-use-id>", 2)],
    ],
)
def test_a_task_is_linked_with_its_subagent(link: list[dict[str, Any]]) -> None:
    read = imported(assistant(use("t1", "Task", prompt="look"), use("t2", "Bash", command="x")), *link)
    assert [call.subagent_session_id for call in read.tool_calls] == [f"{SESSION}:agent-a77", ""]


# --- what is no message --------------------------------------------------------------------------------------------


def test_a_file_in_which_nobody_speaks_has_no_session() -> None:
    read = imported(line("mode", mode="normal"), line("file-history-snapshot", snapshot={}))
    assert (read.sessions, read.skipped_records) == ([], {"mode": 1, "file-history-snapshot": 1})


def test_unknown_records_are_counted_not_refused() -> None:
    read = imported(line("brand-new"), line("brand-new"), {"no": "type"}, assistant({"type": "hologram"}))
    assert read.unknown_records == {"brand-new": 2, "(no type)": 1, "block/hologram": 1}


@pytest.mark.parametrize("message", [None, 5, "text", [], {}, {"content": 7}, {"content": None}])
def test_a_user_record_of_the_wrong_shape_is_a_problem(message: Any) -> None:
    read = imported(line("user", message=message), user("next", 9))
    assert read.problems == [ImportProblem(FILE, 1, "user record without message content")]
    assert len(read.messages) == 1


def test_an_assistant_record_of_the_wrong_shape_is_a_problem() -> None:
    read = imported(line("assistant", message="no"), line("assistant", message={"content": 5, "usage": [1]}))
    assert [problem.line for problem in read.problems] == [1, 2]


def test_what_is_nested_almost_too_deeply_is_read_or_reported() -> None:
    for depth in range(100, 1500, 50):
        deep = b'{"type":"assistant","message":{"id":"m","content":[{"type":"tool_use","id":"t","name":"n","input":'
        read = import_claude_code(deep + b"[" * depth + b"]" * depth + b"}]}}\n", file=FILE)
        assert len(read.tool_calls) + len(read.problems) == 1


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "x", 7, None, {}])
def test_times_that_no_column_holds_are_no_times(stamp: Any) -> None:
    assert imported(user("hi", timestamp=stamp)).messages[0].timestamp is None


@pytest.mark.parametrize(
    ("stamp", "hour"),
    [("2026-03-02T08:00:00", 8), ("2026-03-02 08:00:00.123456789Z", 8), ("2026-03-02T08:00:00+02:00", 6)],
)
def test_the_shapes_of_time(stamp: str, hour: int) -> None:
    moment = imported(user("hi", timestamp=stamp)).messages[0].timestamp
    assert moment is not None
    assert (moment.tzinfo, moment.hour) == (dt.UTC, hour)


@pytest.mark.parametrize("count", [-1, 2**70, 1.5, True, "7", None, []])
def test_numbers_that_are_no_token_counts_are_zero(count: Any) -> None:
    record = assistant(said("x"))
    record["message"]["usage"] = {"output_tokens": count, "input_tokens": 4}
    (message,) = imported(record).messages
    assert (message.output_tokens, message.input_tokens) == (0, 4)


# --- import twice, and import what grew ------------------------------------------------------------------------------


def test_import_of_one_file_twice_is_identical_and_of_a_prefix_a_prefix() -> None:
    records = [
        user("one", 0), assistant(said("a"), second=1), assistant(use("t1"), second=2), result("t1", second=3),
        user("<task-notification>", 4), user("two", 5), assistant(said("b"), id="msg_2", second=6),
    ]  # fmt: skip
    whole = imported(*records)
    assert imported(*records) == whole
    for end in range(1, len(records)):
        part = imported(*records[:end])
        keys = [(m.ordinal, m.role, m.source_id, m.timestamp) for m in part.messages]
        assert keys == [(m.ordinal, m.role, m.source_id, m.timestamp) for m in whole.messages][: len(keys)]
