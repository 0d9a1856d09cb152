"""Tool calls as data for a template. Pure.

A call is one line, folded; opened it has what it was given and what came of it, of each 20 lines or 4,000 characters,
and how much was left out (``Block.more``). The rest is what ``input_block`` and ``result_block`` give with ``WHOLE``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from agentstore.models import ToolCall
from agentstore.web.rendering.ansi import without_ansi
from agentstore.web.rendering.arguments import arguments_html, input_summary
from agentstore.web.rendering.blocks import FIRST, Block, Limits, Room
from agentstore.web.rendering.code import code_html, language_of
from agentstore.web.rendering.diffs import diff_html, lines_of_diff
from agentstore.web.rendering.inputs import Given, read_input
from agentstore.web.rendering.marks import Find, nothing
from agentstore.web.rendering.summaries import path_of
from agentstore.web.rendering.text import line_html, text_html

_SUMMARY = 160
_NAME = 80
# Numbers of lines as Read tools write them: "  12→", "12\t", "12: ", "12|".
_NUMBERED = re.compile(r"[ \t]*(\d{1,9})(?:→|\t|: ?|\|)(.*)")
_REMINDER = "\n\n<system-reminder>"

State = Literal["done", "failed", "waiting"]


@dataclass(frozen=True, slots=True)
class ToldCall:
    """A call. ``name`` and ``summary`` are one line each; ``kind`` is its category, a word of ours.

    ``body`` is what the tool was given, ``result`` what came of it: None while nothing has come. ``state`` says which
    of the three it is in a word.
    """

    name: Markup
    kind: str
    summary: Markup
    state: State
    body: Block
    result: Block | None
    skill: Markup
    has_subagent: bool

    @property
    def is_error(self) -> bool:
        return self.state == "failed"


def told_call(call: ToolCall, project_path: str = "", find: Find = nothing, limits: Limits = FIRST) -> ToldCall:
    """A call as it is first shown. ``project_path``: where the session ran; paths below it are shown without it."""
    given = read_input(call.input_json)
    return ToldCall(
        name=line_html(call.tool_name, _NAME, find),
        kind=_KINDS.get(call.tool_category, "other"),
        summary=line_html(input_summary(call.tool_category, given, project_path), _SUMMARY, find),
        state=_state(call),
        body=_input(call, given, limits, find),
        result=result_block(call, limits, find),
        skill=line_html(call.skill_name, _NAME),
        has_subagent=bool(call.subagent_session_id),
    )


def input_block(call: ToolCall, limits: Limits = FIRST, find: Find = nothing) -> Block:
    """What a tool was given."""
    return _input(call, read_input(call.input_json), limits, find)


def result_block(call: ToolCall, limits: Limits = FIRST, find: Find = nothing) -> Block | None:
    """What came of a call; None where nothing has come yet, empty where there was nothing to say."""
    if call.result_content_length is None and not call.result_content:
        return None
    room = Room(limits)
    html = _result_html(call, without_ansi(call.result_content).rstrip("\n"), room, find)
    return room.block(html, is_cut=(call.result_content_length or 0) > len(call.result_content))


_KINDS = {name: name.lower() for name in ("Read", "Edit", "Write", "Bash", "Grep", "Glob", "Task", "Tool")}


def _state(call: ToolCall) -> State:
    if call.is_error:
        return "failed"
    return "done" if call.result_content_length is not None or call.result_content else "waiting"


def _input(call: ToolCall, given: Given, limits: Limits, find: Find) -> Block:
    room = Room(limits)
    html = arguments_html(call.tool_category, given, room, find)
    return room.block(html, is_cut=given.is_cut)


def _result_html(call: ToolCall, text: str, room: Room, find: Find) -> Markup:
    if not text:
        return Markup("")
    if (lines := lines_of_diff(text)) is not None:
        return diff_html(room.cut_lines(lines), find)
    if call.tool_category == "Read" and not call.is_error and (language := _language(call)):
        return _file_html(text, language, room, find)
    return Markup('<pre class="output">{}</pre>').format(text_html(room.cut(text), find))


def _language(call: ToolCall) -> str:
    arguments = read_input(call.input_json).arguments
    return language_of(path_of(arguments)) if arguments else ""


def _file_html(text: str, language: str, room: Room, find: Find) -> Markup:
    """A file's lines; their numbers, where each has one, are not a part of it."""
    text, mark, reminder = text.partition(_REMINDER)
    shown = room.cut(text)
    numbered = [_NUMBERED.fullmatch(line) for line in shown.split("\n")]
    found = [line for line in numbered if line is not None]
    start = Markup("")
    if len(found) == len(numbered):
        shown = "\n".join(line[2] for line in found)
        start = Markup(' data-start="{}"').format(found[0][1])
    code = Markup('<pre class="code"{}><code>{}</code></pre>').format(start, code_html(shown, language, find))
    left = room.cut((mark + reminder).strip("\n"))
    return code + Markup('<pre class="output">{}</pre>').format(text_html(left, find)) if left else code
