"""Prompts that were typed while the model worked."""

from __future__ import annotations

from typing import Any

import pytest

from agentstore.importers import ImportResult, import_claude_code
from tests.unit.importer_lines import FILE, assistant, at, data, line, said, user
from tests.unit.importer_rows import grown, union


def queue(operation: str, second: int, content: str | None = None, **fields: Any) -> dict[str, Any]:
    said = {} if content is None else {"content": content}
    return line("queue-operation", second, operation=operation, **(said | fields))


def attached(prompt: Any, second: int, **fields: Any) -> dict[str, Any]:
    return line(
        "attachment", second, uuid=f"att-{second}", attachment={"type": "queued_command", "prompt": prompt} | fields
    )


def imported(*records: Any) -> ImportResult:
    return import_claude_code(data(*records), file=FILE)


def prompts(*records: Any) -> list[str]:
    return [message.content for message in imported(*records).messages if message.role == "user"]


WORK = assistant(said("working"), second=1)


def test_a_removed_prompt_is_one_at_the_time_of_its_removal() -> None:
    read = imported(WORK, queue("enqueue", 2, "and this"), queue("remove", 5), assistant(said("ok"), id="m2", second=6))
    assert [(m.role, m.content) for m in read.messages] == [
        ("assistant", "working"), ("user", "and this"), ("assistant", "ok"),
    ]  # fmt: skip
    prompt = read.messages[1]
    assert prompt.timestamp is not None
    assert prompt.timestamp.isoformat(timespec="milliseconds") == at(5).replace("Z", "+00:00")
    assert prompt.source_id == ""
    assert (read.sessions[0].user_message_count, read.sessions[0].first_message) == (1, "and this")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([queue("enqueue", 2, "a")], []),
        ([queue("enqueue", 2, "a"), queue("popAll", 3)], []),
        ([queue("enqueue", 2, "a"), queue("popAll", 3), user("a b", 4)], ["a b"]),
        ([queue("remove", 2), queue("dequeue", 3), queue("popAll", 3)], []),
        ([queue("enqueue", 2, "a"), queue("enqueue", 3, "b"), queue("remove", 4), queue("remove", 4)], ["a", "b"]),
        # By what it says, where it says it.
        ([queue("enqueue", 2, "a"), queue("enqueue", 3, "b"), queue("remove", 4, "b")], ["b"]),
        ([queue("enqueue", 2, "a"), queue("remove", 3, reason="absorbed_mid_turn")], ["a"]),
        # What the program queues is no prompt, and takes its turn all the same.
        ([queue("enqueue", 2, "<task-notification>x"), queue("enqueue", 3, "a"), queue("dequeue", 4)], []),
        ([queue("enqueue", 2, "<agent-notification>x"), queue("remove", 4)], []),
        ([queue("enqueue", 2, "<bash-notification>x"), queue("remove", 4)], []),
        # A dequeued prompt comes as a line of its own at once; one that is far from it is another.
        ([queue("enqueue", 2, "a"), queue("dequeue", 3), user("a", 4)], ["a"]),
        ([queue("enqueue", 2, "a"), queue("dequeue", 3)], ["a"]),
        ([queue("enqueue", 2, "a"), queue("dequeue", 3), user("a", 4), user("a", 90)], ["a", "a"]),
        ([queue("enqueue", 2, "a"), queue("dequeue", 3), user("a", 90)], ["a", "a"]),
        ([queue("enqueue", 2, "a"), queue("remove", 3), user("a", 50)], ["a", "a"]),
        # The order of lines is not that of time.
        ([queue("enqueue", 2, "a"), user("a", 4), queue("dequeue", 3)], ["a"]),
        ([queue("enqueue", 2, "a"), attached("a", 4), queue("remove", 3)], ["a"]),
        ([queue("enqueue", 2, "a"), queue("remove", 3), attached("a", 4)], ["a"]),
        ([queue("enqueue", 2, " a\n"), queue("remove", 3), attached("a", 900)], ["a"]),
        ([queue("enqueue", 2, "a"), queue("remove", 3), queue("enqueue", 4, "a"), queue("remove", 5)], ["a", "a"]),
        # Commands: the model got what was removed; the program carries out what was dequeued.
        ([queue("enqueue", 2, "/model"), queue("remove", 3)], ["/model"]),
        ([queue("enqueue", 2, "/model"), queue("dequeue", 3)], []),
        ([queue("enqueue", 2, "/review 17"), queue("dequeue", 3)], ["/review 17"]),
        (
            [
                queue("enqueue", 2, "/review 17"), queue("dequeue", 3),
                user("<command-name>/review</command-name><command-args>17</command-args>", 4),
            ],
            ["/review 17"],
        ),
        ([queue("enqueue", 2), queue("remove", 3), queue("enqueue", 4, ""), queue("remove", 5), queue("x", 6)], []),
    ],
)  # fmt: skip
def test_what_a_queue_makes_of_prompts(records: list[dict[str, Any]], expected: list[str]) -> None:
    found = [text.strip() for text in prompts(WORK, *records)]
    assert found == expected
    assert imported(WORK, *records).sessions[0].user_message_count == len(expected)


def test_the_line_that_repeats_a_prompt_completes_it() -> None:
    image = {"type": "image", "source": {"media_type": "image/png", "data": "AAAA"}}
    read = imported(WORK, queue("enqueue", 2, "look"), queue("remove", 3), attached([said("look"), image], 4))
    assert [(m.content, m.source_id) for m in read.messages[1:]] == [("look\n[Image: image/png]", "att-4")]
    assert read.skipped_records == {"queue-operation": 2, "user/queued before": 1}


def test_a_queue_that_is_written_again_with_its_file_doubles_nothing() -> None:
    once = [WORK, queue("enqueue", 2, "a"), queue("remove", 3), user("b", 9)]
    assert prompts(*once, *once) == ["a", "b"]


def test_ordinals_do_not_move_while_the_file_grows() -> None:
    records = [
        WORK, queue("enqueue", 2, "a"), queue("enqueue", 3, "b"), queue("remove", 4), attached("a", 4),
        assistant(said("x"), id="m2", second=5), queue("dequeue", 6), user("b", 6),
        assistant(said("y"), id="m3", second=7),
    ]  # fmt: skip
    whole = data(*records)
    expected = [(m.ordinal, m.role, m.content) for m in imported(*records).messages]
    assert [content for _, _, content in expected] == ["working", "a", "x", "b", "y"]
    ends = [len(data(*records[:end])) for end in range(1, len(records) + 1)]
    for end in range(1, len(records)):
        part = [(m.ordinal, m.role, m.content) for m in imported(*records[:end]).messages]
        assert part == expected[: len(part)]
    assert union(grown(whole, ends, 1, file=FILE)) == union([imported(*records)])


def test_a_queue_is_bounded() -> None:
    many = [queue("enqueue", 2, f"p{number}") for number in range(1000)]
    assert prompts(WORK, *many, queue("remove", 3)) == ["p800"]
