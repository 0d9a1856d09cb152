"""A whole session on the terminal."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentstore.cli.resolving import short_ids
from agentstore.cli.terminal.screen import Cell, Piece, Screen
from agentstore.cli.terminal.width import cut
from agentstore.faces import safe
from agentstore.faces.money import count
from agentstore.faces.resuming import resume_command
from agentstore.faces.talk import first_lines, input_text, parts_of
from agentstore.faces.telling import Detail, Spent, Told, spent_lines
from agentstore.faces.times import clock, moment, span
from agentstore.faces.titles import title_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agentstore import CostRow, GitLink, Session, ToolCall

_INDENT = "  "
_LABEL = 10
_ROLES = {"user": "green", "assistant": "cyan", "system": "magenta"}


def show_head(
    screen: Screen, zone: ZoneInfo, session: Session, links: Sequence[GitLink], subagents: Sequence[Session]
) -> None:
    """What a session is, where it was, what came of it, and how to go on with it."""
    screen.fold(title_of(session) or "(no title)", style="bold")
    took = span(session.started_at, session.ended_at)
    when = f"{moment(session.started_at, zone)} {zone.key.removeprefix('Etc/')}" if session.started_at else ""
    counts = [
        f"{count(session.message_count)} messages",
        f"{count(session.tool_call_count)} tool calls" if session.tool_call_count else "",
        f"{count(session.total_output_tokens)} tokens of output" if session.total_output_tokens else "",
    ]
    whose = [session.user_name or session.user_id, session.agent_type, session.machine]
    _fact(screen, "id", session.id)
    _fact(screen, "when", " · ".join(filter(None, [when, took])))
    _fact(screen, "who", " · ".join(filter(None, whose)))
    _fact(screen, "project", " · ".join(filter(None, [session.project_name, session.git_branch, session.project_path])))
    _fact(screen, "size", " · ".join(filter(None, counts)))
    for link in links:
        _fact(screen, link.link_type, link.pr_url or link.commit_sha)
    if session.parent_session_id:
        _fact(screen, session.relationship_type or "parent", f"of {session.parent_session_id}")
    if session.copied_message_count:
        _fact(screen, "copied", f"{count(session.copied_message_count)} messages of {session.origin_session_id}")
    ids = short_ids([session.id, *(one.id for one in subagents)])
    for one in subagents:
        title = cut(safe.line(title_of(one)), screen.width - _LABEL - len(ids[one.id]) - 2)
        _fact(screen, one.relationship_type or "child", f"{ids[one.id]}  {title}")
    if command := resume_command(session):
        elsewhere = session.machine not in ("", platform.node())
        _fact(screen, "resume", f"{command}  # on {session.machine}" if elsewhere else command)


def _fact(screen: Screen, label: str, text: str) -> None:
    # As it is, however long: an id, a path and a command are there to be copied.
    if text:
        screen.line(Piece(label.ljust(_LABEL), "dim"), text)


def show_message(screen: Screen, zone: ZoneInfo, told: Told, detail: Detail) -> None:
    """One message, with its calls and what came of them. Nothing, where nothing of it is to be seen."""
    message = told.message
    parts = [part for part in parts_of(message.content) if detail.thinking or not part.is_thinking]
    if not parts and not told.calls and not told.pins and not told.links:
        return
    head: list[Cell] = [Piece(f"#{message.ordinal}", "dim"), " ", Piece(message.role, _ROLES.get(message.role, "bold"))]
    if message.timestamp:
        head += [" ", Piece(clock(message.timestamp, zone), "dim")]
    if message.model:
        head += [" ", Piece(message.model, "dim")]
    screen.line()
    screen.line(*head)
    for note in told.pins:
        screen.fold(f"pinned: {note}" if note else "pinned", indent=_INDENT, style="note")
    for part in parts:
        screen.block(part.text, indent=_INDENT, style="dim" if part.is_thinking else "")
    for call in told.calls:
        _show_call(screen, call, detail)
    for link in told.links:
        screen.line(_INDENT, Piece(f"● {link.link_type} {link.pr_url or link.commit_sha}", "note"))


def show_foot(screen: Screen, spent: Spent, cost: CostRow | None) -> None:
    """What it took."""
    lines = spent_lines(spent, cost)
    if lines:
        screen.line()
    for label, text in lines:
        _fact(screen, label, text)


def _show_call(screen: Screen, call: ToolCall, detail: Detail) -> None:
    state = " failed" if call.is_error else "" if call.result_content_length is not None else " (no result)"
    screen.line(_INDENT, Piece(f"▸ {call.tool_name}", "yellow"), Piece(state, "red"))
    deeper = _INDENT * 2
    if call.input_json and call.input_json != "{}":
        _cut_block(screen, input_text(call.input_json), deeper, detail.lines, "")
    if call.subagent_session_id:
        screen.line(deeper, Piece(f"subagent {call.subagent_session_id}", "dim"))
    if call.result_content:
        _cut_block(screen, call.result_content, deeper, detail.lines, "dim")


def _cut_block(screen: Screen, text: str, indent: str, most: int, style: str) -> None:
    shown, left_out = first_lines(text.rstrip("\n"), most)
    screen.block(shown, indent=indent, style=style)
    if left_out:
        screen.line(indent, Piece(f"… {count(left_out)} more lines: --full", "dim"))
