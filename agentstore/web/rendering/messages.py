"""A message as the parts that a page shows: what was said, what was thought, what machines put in. Pure.

Calls stand in a message's content as lines ("[Read: path]"), so that search finds them there. A page shows the calls
themselves: lines that are exactly those of the calls that are given are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from markupsafe import Markup

from agentstore.faces.talk import parts_of
from agentstore.importers.tools import describe_call
from agentstore.models import ToolCall
from agentstore.web.rendering.ansi import without_ansi
from agentstore.web.rendering.inputs import read_input
from agentstore.web.rendering.markdown import markdown_html, plain_html
from agentstore.web.rendering.marks import Find, nothing
from agentstore.web.rendering.text import line_html, text_html

Kind = Literal["text", "thinking", "machine"]

_TAG = re.compile(r"<([A-Za-z][A-Za-z_-]{2,40})(?: [^<>\n]{0,300})?>")
# What programs write around, before and after what people write; names of Claude Code and of Codex.
_CLAUDE_CODE = """
    system-reminder command-name command-message command-args command-contents local-command-stdout
    local-command-stderr local-command-caveat bash-input bash-stdout bash-stderr ide_opened_file ide_selection
    ide_diagnostics task-notification teammate-message agent-message agent-notification cross-session-message
    persisted-output
"""
_CODEX = """
    INSTRUCTIONS user_instructions environment_context environments_context turn_aborted skill skills
    subagent_notification codex_internal_context recommended_plugins permissions collaboration_mode model_switch
    personality_spec hook_prompt apps_instructions plugins_instructions skills_instructions goal_context
    realtime_conversation user_action user_shell_command environments_instructions token_budget context_window
    agent_message inter_agent_communication system_reminder multi_agent_mode memory memories
"""
_MACHINES = frozenset(f"{_CLAUDE_CODE} {_CODEX}".split())
_IMAGE = re.compile(r"^\[(Image|File|Attachment)(?:: ([^\]\n]{1,300}))?\][ \t]*$", re.MULTILINE)
MOST = 200_000
_NAME = 60
_TITLE = 120


@dataclass(frozen=True, slots=True)
class MessagePart:
    """A stretch of a message. ``title`` is what is shown of a folded one: of thinking, and of machines.

    ``more_characters`` of it are left out: more than anybody reads in one message.
    """

    kind: Kind
    html: Markup
    title: Markup
    more_characters: int = 0

    @property
    def is_folded(self) -> bool:
        return self.kind != "text"

    @property
    def is_marked(self) -> bool:
        """Whether a hit is seen in it."""
        return "<mark>" in self.html


def message_parts(
    content: str, calls: Sequence[ToolCall] = (), find: Find = nothing, most: int = MOST
) -> list[MessagePart]:
    """The parts of a message, in order, none of them empty; ``most`` characters of each are shown.

    A hit that the rendered text does not show, because it is in the markup itself, makes its part plain.
    """
    return [
        replace(_part(kind, name, text[:most], find), more_characters=max(len(text) - most, 0))
        for kind, name, text in _stretches_of(content, calls)
    ]


def said_line(content: str, most: int) -> Markup:
    """What people said in it, on a line: without thinking, and without what programs put in. "" where that is all."""
    said = [text for kind, _, text in _stretches_of(content, ()) if kind == "text"]
    return line_html("\n".join(said), most)


def _stretches_of(content: str, calls: Sequence[ToolCall]) -> Iterator[tuple[Kind, str, str]]:
    for part in parts_of(content):
        if part.is_thinking:
            yield "thinking", "", part.text
            continue
        for name, text in _stretches(without_calls(part.text, calls)):
            yield ("machine" if name else "text"), name, text


def _part(kind: Kind, name: str, text: str, find: Find) -> MessagePart:
    if kind == "machine":
        html = Markup('<pre class="machine">{}</pre>').format(text_html(without_ansi(text), find))
        return MessagePart(kind, html, line_html(name.replace("_", " ").replace("-", " "), _NAME))
    title = line_html(text, _TITLE, find) if kind == "thinking" else Markup("")
    return MessagePart(kind, _said(text, find), title)


def without_calls(text: str, calls: Sequence[ToolCall]) -> str:
    """The text without the lines that tell of these calls, each once."""
    for call in calls:
        given = read_input(call.input_json)
        line = describe_call(call.tool_name, given.arguments or {})
        at = -1 if given.is_cut else _whole_lines(text, line)
        if at >= 0:
            text = (text[:at].rstrip("\n") + "\n" + text[at + len(line) :].lstrip("\n")).strip("\n")
    return text


def _whole_lines(text: str, line: str) -> int:
    """Where it stands as lines of its own; -1 for nowhere."""
    at = text.find(line)
    while at >= 0:
        if (at == 0 or text[at - 1] == "\n") and text[at + len(line) : at + len(line) + 1] in ("", "\n"):
            return at
        at = text.find(line, at + 1)
    return -1


def _said(text: str, find: Find) -> Markup:
    html = markdown_html(_images_named(text), find)
    if find is not nothing and "<mark>" not in html and find(text):
        return plain_html(text, find)
    return html


def _images_named(text: str) -> str:
    """ "[Image: image/png]" is what importers write for one: as code, it is no reference of Markdown."""
    return _IMAGE.sub(lambda found: f"`{found.group().strip()}`" if "`" not in found.group() else found.group(), text)


def _stretches(text: str) -> Iterator[tuple[str, str]]:
    """What people said ("" first), and what stands in a machine's element, with the element's name."""
    said, position = 0, 0
    missing: set[str] = set()
    while (tag := _TAG.search(text, position)) is not None:
        name, position = tag[1], tag.end()
        if name not in _MACHINES or name in missing or not _begins_line(text, tag.start()):
            continue
        end = text.find(f"</{name}>", tag.end())
        if end < 0:
            missing.add(name)  # looked for once
            continue
        if text[said : tag.start()].strip():
            yield "", text[said : tag.start()].strip("\n")
        if text[tag.end() : end].strip():
            yield name, text[tag.end() : end].strip("\n")
        said = position = end + len(name) + 3
    if text[said:].strip():
        yield "", text[said:].strip("\n")


def _begins_line(text: str, at: int) -> bool:
    """In the middle of a line somebody writes about it; right behind another one it is one more."""
    before = text[:at].rstrip(" \t")[-1:] if at < 400 else text[at - 400 : at].rstrip(" \t")[-1:]
    return before in ("", "\n", ">")
