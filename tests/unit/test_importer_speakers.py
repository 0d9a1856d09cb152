"""Who speaks, where a line says it itself, and where only its text does."""

from __future__ import annotations

import pytest

from agentstore.importers.claude_code.prompts import Speaker, is_message_of_others, read_prompt, speaker_of


@pytest.mark.parametrize(
    ("kind", "source", "expected"),
    [
        ("human", "", "person"), ("human", "sdk", "person"), ("human", "system", "person"),
        ("peer", "typed", "other"), ("coordinator", "", "other"), ("channel", "", "other"),
        ("task-notification", "queued", "other"), ("teammate", "", "other"),
        ("auto-continuation", "", "program"), ("hook", "system", "program"), ("a-kind-of-tomorrow", "", "program"),
        ("a-kind-of-tomorrow", "typed", "person"),
        ("", "typed", "person"), ("", "suggestion", "person"), ("", "queued", "relayed"), ("", "sdk", "relayed"),
        ("", "system", "program"), ("", "", "unknown"), ("", "of tomorrow", "unknown"),
        ("[trimmed for fixture]", "[trimmed for fixture]", "unknown"), ("x" * 99, "", "unknown"),
    ],
)  # fmt: skip
def test_what_a_line_says_of_itself_decides(kind: str, source: str, expected: Speaker) -> None:
    assert speaker_of(kind, source) == expected


PEER = 'Another Claude session sent a message:\n<cross-session-message from="x">\nhi\n</cross-session-message>'


@pytest.mark.parametrize(
    ("text", "speaker", "role"),
    [
        ("Caveat: The messages below are odd", "person", "user"),
        ("Caveat: The messages below are odd", "relayed", "user"),
        ("Caveat: The messages below are odd", "unknown", "system"),
        ("[Request interrupted by user]", "unknown", "system"),
        ("go on", "other", "system"),
        ("go on", "program", "system"),
        ("go on", "relayed", "user"),
        ("<command-name>/clear</command-name>", "person", "system"),
        ("<command-name>/mine</command-name>", "person", "user"),
        (PEER, "unknown", "system"),
        (PEER, "relayed", "system"),
        (PEER, "person", "user"),  # who pasted it is a person all the same
        ('<agent-message from="a1">done</agent-message>', "unknown", "system"),
        ("<agent-notification>done</agent-notification>", "unknown", "system"),
        ("<teammate-message teammate_id='x'>hi</teammate-message>", "unknown", "system"),
        ("<task-notification>\n<task-id>a</task-id>", "relayed", "system"),
        ("<agent-messages are fine?", "unknown", "user"),
        ("<system-reminder>x</system-reminder>", "person", "system"),
    ],
)
def test_the_role_of_a_line(text: str, speaker: Speaker, role: str) -> None:
    assert read_prompt(text, speaker=speaker).role == role
    assert read_prompt(text, speaker=speaker, injected=True).role == "system"


def test_messages_of_others_are_told_from_what_the_program_injects() -> None:
    assert is_message_of_others("go on", "other")
    assert is_message_of_others(f"\n {PEER}", "unknown")
    assert is_message_of_others("<agent-notification>x", "relayed")
    assert not is_message_of_others(PEER, "program")
    assert not is_message_of_others(PEER, "person")
    assert not is_message_of_others("Base directory for this skill: /x", "unknown")
