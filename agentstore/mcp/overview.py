"""A session as ``open`` shows it by its own handle: what it was, and its prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from agentstore.faces.times import moment, span
from agentstore.faces.titles import title_of
from agentstore.mcp.handles import of_message, of_session, version_at
from agentstore.mcp.quoting import ABOUT, Quotation, answer

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, Session
    from agentstore.mcp.holding import Holder

_PROMPT = 160
_LINE = 240  # of an answer, for a prompt
UTC = ZoneInfo("UTC")


async def overview(
    holder: Holder, store: AsyncClickHouseStore, id: str, found: Awaitable[Session], characters: int
) -> str:
    """The facts of a session, which is ``found``, and a line of each of its prompts, as many as there is room for."""
    session, outline, prompts = await asyncio.gather(
        found,
        store.session_outline(holder.org, id),
        store.session_prompts(holder.org, id, max_characters=_PROMPT),
    )
    chosen = prompts[: max(1, characters // _LINE)]
    quotation = Quotation(f"session {of_session(session.id)} {moment(session.started_at, UTC)} UTC")
    quotation.quoted_line(f"{session.agent_type}, {session.project_name}: {title_of(session)}", 2 * _PROMPT)
    for one in chosen:
        handle = of_message(id, one.ordinal, version_at(id, one.ordinal, one))
        quotation.own(f"{handle} {moment(one.timestamp, UTC)}")
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
