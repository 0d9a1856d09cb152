"""The prompt that led to something in a session: the last message of the user before it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from agentstore.models import Message
from agentstore.protocols import ReadStore

_PAGES = (8, 32, 128, 512)


async def prompts_before(
    store: ReadStore, org: str, places: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Message]:
    """The prompts before these ordinals of sessions; nothing of a place that has none."""
    wanted = list(dict.fromkeys(places))
    found = await asyncio.gather(*(_prompt_before(store, org, *place) for place in wanted))
    return {place: message for place, message in zip(wanted, found, strict=True) if message is not None}


async def _prompt_before(store: ReadStore, org: str, session_id: str, ordinal: int) -> Message | None:
    # Most prompts are near; a page takes what it holds.
    for size in _PAGES:
        page = await store.get_session_messages(org, session_id, before_ordinal=ordinal, limit=size)
        for message in reversed(page):
            if message.role == "user" and message.content.strip():
                return message
        if len(page) < size:
            return None
        ordinal = page[0].ordinal
    return None
