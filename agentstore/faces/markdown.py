"""A whole session as Markdown, for a note, an issue or another agent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from agentstore.faces.resuming import resume_command
from agentstore.faces.safe import line, lines
from agentstore.faces.talk import first_lines, parts_of
from agentstore.faces.telling import Detail, Spent, Told, spent_lines
from agentstore.faces.times import moment
from agentstore.faces.titles import title_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from agentstore import CostRow, GitLink, Session

_FENCES = re.compile(r"`{3,}")
_MARKUP = re.compile(r"([\\`*_\[\]<>#|])")


class Lines(Protocol):
    """What takes the lines: a screen, or what sends them on."""

    def line(self, *cells: str) -> None:
        """One line. What cannot be shown safely on one is made so."""
        ...


def write_head(out: Lines, zone: ZoneInfo, session: Session, links: Sequence[GitLink]) -> None:
    """A title, and what one has to know about the session."""
    when = f"{moment(session.started_at, zone)} {zone.key.removeprefix('Etc/')}" if session.started_at else ""
    out.line(f"# {_plain(title_of(session)) or 'A session'}")
    out.line()
    facts = [
        ("Session", session.id),
        ("When", when),
        ("Who", " · ".join(filter(None, [session.user_name or session.user_id, session.agent_type]))),
        ("Project", " · ".join(filter(None, [session.project_name, session.git_branch]))),
        ("Resume", resume_command(session)),
        *(
            (link.link_type.title() if link.link_type == "commit" else "PR", link.pr_url or link.commit_sha)
            for link in links
        ),
    ]
    for label, text in facts:
        if text:
            out.line(f"- {label}: {_code(text) if label in ('Session', 'Resume') else _plain(text)}")


def write_message(out: Lines, zone: ZoneInfo, told: Told, detail: Detail) -> None:
    """A message under a heading of its own. What was said stays the Markdown that it is."""
    message = told.message
    parts = [part for part in parts_of(message.content) if detail.thinking or not part.is_thinking]
    if not parts and not told.calls and not told.pins and not told.links:
        return
    out.line()
    said = " · ".join(filter(None, [message.role, moment(message.timestamp, zone), _plain(message.model)]))
    out.line(f"## {message.ordinal} · {said}")
    for note in told.pins:
        out.line()
        out.line(f"Pinned: {_plain(note)}" if note else "Pinned")
    for part in parts:
        out.line()
        for one in lines(part.text):
            out.line(f"> {one}" if part.is_thinking else one)
    for call in told.calls:
        out.line()
        out.line(f"**{_plain(call.tool_name)}**{' failed' if call.is_error else ''}")
        _write_block(out, call.input_json, "json", detail.lines)
        _write_block(out, call.result_content, "", detail.lines)
    for link in told.links:
        out.line()
        out.line(f"→ {'commit' if link.link_type == 'commit' else 'PR'} {_plain(link.pr_url or link.commit_sha)}")


def write_foot(out: Lines, spent: Spent, cost: CostRow | None) -> None:
    """What it took."""
    lines = spent_lines(spent, cost)
    if lines:
        out.line()
        out.line("---")
        out.line()
    for label, text in lines:
        out.line(f"- {label.title()}: {text}")


def _write_block(out: Lines, text: str, language: str, most: int) -> None:
    """A block of code that no line in it can end."""
    if not text:
        return
    shown, left_out = first_lines(text.rstrip("\n"), most)
    fence = "`" * max([3, *(len(found) + 1 for found in _FENCES.findall(shown))])
    out.line()
    out.line(fence + language)
    for one in lines(shown):
        out.line(one)
    out.line(fence)
    if left_out:
        out.line(f"… {left_out:,} more lines")


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", line(text))


def _code(text: str) -> str:
    marks = "`" * (max([0, *(len(found) for found in re.findall(r"`+", text))]) + 1)
    return f"{marks}{line(text)}{marks}" if len(marks) == 1 else f"{marks} {line(text)} {marks}"
