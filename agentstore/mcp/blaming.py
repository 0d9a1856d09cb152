"""``blame``: which prompt led to a line."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from agentstore.errors import InvalidArgumentError
from agentstore.faces.placing import placed
from agentstore.faces.times import moment
from agentstore.mcp.asking import Blame
from agentstore.mcp.quoting import ABOUT, Quotation, answer
from agentstore.mcp.scope import pointing

if TYPE_CHECKING:
    from agentstore.blame import BlamedLines
    from agentstore.mcp.holding import Holder

_PROMPT = 160
_MOST = 25
UTC = ZoneInfo("UTC")


async def blame(holder: Holder, asked: Blame) -> str:
    """The origins of a file's lines."""
    from agentstore.blame import blame as blamed

    if asked.last and not asked.line:
        raise InvalidArgumentError("last: line says where to begin", field="last")
    top, path = await asyncio.to_thread(_file, asked.path, holder.here)
    store = await holder.store()
    wanted = (asked.line, asked.last or asked.line) if asked.line else None
    result = await blamed(store, holder.org, top, path, wanted=wanted, project_id=await holder.project_id(store))
    known = [one for one in result.lines if one.session_id]
    shown = known[:_MOST]
    places = [(one.session_id, at) for one in shown for at in (one.message_ordinal, one.prompt_ordinal) if at >= 0]
    handles = await pointing(holder, store, places)
    quotation = Quotation()
    for one in shown:
        quotation.own(f"{_lines(one)} {one.confidence}: {one.reason}{_commit(one)}; {moment(one.touched_at, UTC)} UTC")
        quotation.own(f"call {handles.at(one.session_id, one.message_ordinal)}")
        if one.prompt_ordinal >= 0:
            quotation.own(f"prompt {handles.at(one.session_id, one.prompt_ordinal)}")
            quotation.quoted_line(one.prompt.strip(), _PROMPT)
    unknown = [one for one in result.lines if not one.session_id]
    for note in result.notes:
        quotation.quoted_line(note, _PROMPT)
    notes = [_left_out(len(known) - len(shown))]
    for reason in dict.fromkeys(one.reason for one in unknown):
        lines = [one for one in unknown if one.reason == reason]
        notes.append(
            f"unknown, {reason}: {', '.join(_lines(one) for one in lines[:12])}{' …' if len(lines) > 12 else ''}"
        )
    return answer(ABOUT if shown else "", quotation, *filter(None, notes))


def _file(path: str, here: str) -> tuple[str, str]:
    """The top of the working tree, and the path below it of a file that lies in it."""
    found, top = placed(path, here), placed(".", here).inside
    try:
        real = os.path.realpath(top)  # the way to it may lead over links
        full = os.path.realpath(os.path.join(top, found.path))
        is_ours = bool(top) and os.path.realpath(found.inside) == real and full.startswith(real + os.sep)
    except ValueError:  # no path has a NUL
        is_ours = False
    if not is_ours:
        raise InvalidArgumentError("path: expected a file of the repository that the server runs in", field="path")
    return top, found.path


def _lines(one: BlamedLines) -> str:
    return f"line {one.first}" if one.first == one.last else f"lines {one.first}-{one.last}"


def _commit(one: BlamedLines) -> str:
    return f"; commit {one.commit[:10]}" if one.commit else "; no commit is known"


def _left_out(number: int) -> str:
    return f"{number} more stretches: ask for lines (line, last)." if number else ""
