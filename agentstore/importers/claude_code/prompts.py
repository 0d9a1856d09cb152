"""Who speaks in a line of type ``user``: a person, or the machinery around the model.

Where the line says it itself, that decides (``speaker_of``); else the leading text does.

==============================================================  ========  ===========================================
what the line says                                              speaker   role
==============================================================  ========  ===========================================
``origin.kind`` "human"                                         person    user, also where the text looks injected
``origin.kind`` of another session or agent (``peer``,          other     system, also where ``isMeta`` is set: that is
``coordinator``, ``channel``, ``task-notification`` …)                    how they come
``origin.kind`` of the program (``auto-continuation``,          program   system; kept out with ``isMeta``
``hook``, ``cron`` …) or any other kind
``promptSource`` "typed", "suggestion"                          person    user
``promptSource`` "queued", "sdk"                                relayed   user, but for messages of other agents: they
                                                                          queue, too. A script's prompts
                                                                          (``claude -p``) are all that its session has
``promptSource`` "system"                                       program   system
no such field, or no value that a program would write           unknown   the text decides, as below
==============================================================  ========  ===========================================

==============================================================  ========  ===========================================
leading text of the line                                        role      content
==============================================================  ========  ===========================================
anything else (text, images, documents)                         user      as written
``<command-name>/x`` of a command that prompts the model        user      ``/x args``
``<command-name>/clear`` and other commands of the program      system    ``/clear args``
``<bash-input>ls</bash-input>``                                 system    ``! ls``
``<local-command-stdout>``, ``<bash-stdout>``, caveats          system    as written
``<task-notification>``, ``<teammate-message>``,                system    as written, also where ``isMeta`` is set
``<agent-message>``, ``<agent-notification>``,
``<cross-session-message>``
``[Request interrupted by user…]``, ``Stop hook feedback:``     system    as written
a compaction's summary (``This session is being continued``)    system    as written
only ``<system-reminder>``, ``<ide_opened_file>``, ``<ide_…>``  system    as written
==============================================================  ========  ===========================================

Commands are read as commands whoever sent them: a person typed ``/clear``, and no model saw it. Only role "user" counts
as a user message. Reminders and IDE notices beside a prompt stay in its content, where search finds them, and are left
out of ``first_message``.

Lines with ``isMeta`` that come from nobody else are kept out (bodies of skills, caveats, notes on images), also where
``origin`` says "human": the program wrote them beside what the person wrote.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

FIRST_MESSAGE_LENGTH = 300

_INJECTED = ("system-reminder", "ide_opened_file", "ide_selection", "ide_diagnostics")
# Other agents and sessions. The sentence is what the program writes above the element.
_FROM_OTHERS = re.compile(
    r"(?:Another Claude session sent a message:\s{0,9})?"
    r"<(?:task-notification|teammate-message|agent-message|agent-notification|cross-session-message)[\s>]"
)
_FROM_THE_PROGRAM = (
    "<local-command-",
    "<bash-stdout>",
    "<bash-stderr>",
    "[Request interrupted by user",
    "Caveat: The messages below",
    "Stop hook feedback:",
    "This session is being continued from a previous conversation",
)
# Commands that the program answers itself: no model sees them. All others are prompts in short.
_LOCAL_COMMANDS = frozenset({
    "add-dir", "agents", "bashes", "bug", "clear", "color", "compact", "config", "context", "copy",
    "cost", "diff", "doctor", "effort", "exit", "export", "extra-usage", "fast", "feedback", "help",
    "hooks", "ide", "install-github-app", "install-slack-app", "keybindings", "login", "logout", "mcp",
    "memory", "migrate-installer", "mobile", "model", "output-style", "passes", "permissions", "plugin",
    "plugins", "privacy-settings", "quit", "rate-limit-options", "release-notes", "reload-plugins",
    "remote-control", "remote-env", "rename", "resume", "rewind", "sandbox", "skills", "stats", "status",
    "statusline", "stickers", "tasks", "terminal-setup", "theme", "todos", "upgrade", "usage", "vim",
    "voice",
})  # fmt: skip


Speaker = Literal["person", "relayed", "other", "program", "unknown"]
_OTHERS = frozenset({"agent", "channel", "coordinator", "peer", "subagent", "task-notification", "teammate"})
_BY_TEXT = frozenset({"relayed", "unknown"})
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,40}", re.IGNORECASE)
_SOURCES: dict[str, Speaker] = {
    "typed": "person",
    "suggestion": "person",
    "queued": "relayed",
    "sdk": "relayed",
    "system": "program",
}


def speaker_of(origin_kind: str, prompt_source: str) -> Speaker:
    """Who wrote a line, by the fields that say so (``origin.kind``, ``promptSource``; "" where one is missing)."""
    if origin_kind == "human":
        return "person"
    if origin_kind in _OTHERS:
        return "other"
    source = _SOURCES.get(prompt_source, "unknown")
    # A kind that this version does not know is no person's, unless a person is known to have typed the line.
    return "program" if source != "person" and _KIND.fullmatch(origin_kind) else source


def is_message_of_others(text: str, speaker: Speaker) -> bool:
    """Whether an ``isMeta`` line is what another agent or session said: a message, and not to be kept out."""
    return speaker == "other" or (speaker in _BY_TEXT and _FROM_OTHERS.match(text.lstrip()) is not None)


class Prompt(NamedTuple):
    """A line as a message: its role, its content, and what a person wrote of it ("" if nobody did)."""

    role: str
    content: str
    typed: str


def read_prompt(text: str, *, injected: bool = False, speaker: Speaker = "unknown") -> Prompt:
    """Classify the text of a line; ``injected`` says that its record is known not to come from a person."""
    start = text.lstrip()
    # Before all that looks at the text: what is injected may quote a command or a prompt.
    if injected or speaker in ("other", "program") or _looks_injected(start, speaker):
        return Prompt("system", text, "")
    if start.startswith(("<command-name>", "<command-message>")):
        return _command(text)
    if start.startswith("<bash-input>"):
        return Prompt("system", f"! {_text_in_element(text, 'bash-input')}", "")
    typed = _without_injected(text).strip()
    return Prompt("user" if typed else "system", text, typed)


def _looks_injected(start: str, speaker: Speaker) -> bool:
    if speaker == "unknown" and start.startswith(_FROM_THE_PROGRAM):
        return True
    return speaker in _BY_TEXT and _FROM_OTHERS.match(start) is not None


def _command(text: str) -> Prompt:
    name = (_text_in_element(text, "command-name") or _text_in_element(text, "command-message")).removeprefix("/")
    if not name:
        return Prompt("system", text, "")
    content = f"/{name} {_text_in_element(text, 'command-args')}".rstrip()
    return Prompt("system", content, "") if name in _LOCAL_COMMANDS else Prompt("user", content, content)


def _text_in_element(text: str, tag: str) -> str:
    """What stands in the first element of this name. Searched by hand: a regular expression backtracks here."""
    _, opened, rest = text.partition(f"<{tag}>")
    inside, closed, _ = rest.partition(f"</{tag}>")
    return inside.strip() if opened and closed else ""


def _without_injected(text: str) -> str:
    if "<" not in text:
        return text
    for tag in _INJECTED:
        pieces, opening, closing = [], f"<{tag}>", f"</{tag}>"
        # Up to the last closing tag: each opening one before it has an end, and what is never closed stays as it is.
        # One pass for each tag: a text of nothing but opening tags takes no longer than another.
        end, position = text.rfind(closing), 0
        while 0 <= (start := text.find(opening, position)) < end:
            pieces.append(text[position:start])
            position = text.find(closing, start) + len(closing)
        text = "".join(pieces) + text[position:]
    return text


def first_line(typed: str) -> str:
    """A prompt as the name of its session: one line, at most 300 code points and "..."."""
    line = re.sub(r"\r\n|\r|\n", " ", typed.strip())
    return line if len(line) <= FIRST_MESSAGE_LENGTH else line[:FIRST_MESSAGE_LENGTH] + "..."
