"""A session as ``open`` shows it by its own handle: what it was, and its prompts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from agentstore.faces.times import moment, span
from agentstore.faces.titles import title_of
from agentstore.mcp.handles import of_session
from agentstore.mcp.quoting import ABOUT, Quotation, answer
from agentstore.mcp.scope import pointing

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, Session
    from agentstore.mcp.holding import Holder

_PROMPT = 160
_LINE = 240  # of an answer, for a prompt
UTC = ZoneInfo("UTC")


async def overview(holder: Holder, store: AsyncClickHouseStore, session: Session, characters: int) -> str:
    """The facts of a session, and a line of each of its prompts, as many as there is room for."""
    outline, prompts = await asyncio.gather(
        store.session_outline(holder.org, session.id),
        store.session_prompts(holder.org, session.id, max_characters=_PROMPT),
    )
    chosen = prompts[: max(1, characters // _LINE)]
    handles = await pointing(holder, store, [(session.id, one.ordinal) for one in chosen])
    quotation = Quotation(f"session {of_session(session.id)} {moment(session.started_at, UTC)} UTC")
    quotation.quoted_line(f"{session.agent_type}, {session.project_name}: {title_of(session)}", 2 * _PROMPT)
    for one in chosen:
        quotation.own(f"{handles.at(session.id, one.ordinal)} {moment(one.timestamp, UTC)}")
        quotation.quoted_line(one.content.strip(), _PROMPT)
    calls, errors = sum(one.call_count for one in outline), sum(one.error_count for one in outline)
    took = span(session.started_at, session.ended_at)
    facts = (
        f"{len(outline)} messages, {len(prompts)} prompts, {calls} tool calls ({errors} failed),"
        f" {session.commit_count} commits{', ' + took if took else ''}."
    )
    left = len(prompts) - len(chosen)
    more = f"{left} more prompts: characters={min(20_000, len(prompts) * _LINE)}." if left > 0 else ""
    return answer(facts, ABOUT, quotation, more)
