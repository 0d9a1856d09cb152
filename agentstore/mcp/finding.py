"""A handle's message, found again: it may have moved or been written anew since the handle was given out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agentstore.mcp.handles import Handle, is_source, is_text, mark_of

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, MessageVersion

_PAGE = 1000


class Found(NamedTuple):
    """Where the message is, -1: nowhere; and what there is to tell of it, "": it is as it was."""

    ordinal: int
    told: str = ""


async def found_again(store: AsyncClickHouseStore, org: str, handle: Handle, here: MessageVersion | None) -> Found:
    """Where the message is now; ``here`` is what stands where it was. A handle without a mark means whatever does."""
    if here and (not handle.mark or mark_of(here) == handle.mark):
        return Found(handle.ordinal)
    if not handle.mark:
        return Found(-1, "gone: the session has no such message.")
    versions = await _versions(store, org, handle.session_id)
    return _chosen(handle, versions)


def _chosen(handle: Handle, versions: list[MessageVersion]) -> Found:
    def near(one: MessageVersion) -> int:
        return abs(one.ordinal - handle.ordinal)

    same = [one for one in versions if mark_of(one) == handle.mark]
    if same:
        at = min(same, key=near).ordinal
        return Found(at, f"moved: the session was written anew, and the message is #{at} now.")
    sources = [one for one in versions if is_source(handle.mark, one)]
    if sources:
        at = min(sources, key=near).ordinal
        moved = f" and is #{at} now" if at != handle.ordinal else ""
        return Found(at, f"rewritten: the message has another text than when the handle was given out{moved}.")
    texts = [one for one in versions if is_text(handle.mark, one)]
    if texts:
        at = min(texts, key=near).ordinal
        return Found(at, f"moved: the session was written anew; the same text is #{at} now.")
    return Found(-1, f"gone: the session was rewritten; #{handle.ordinal} is another message now, or none.")


async def _versions(store: AsyncClickHouseStore, org: str, session_id: str) -> list[MessageVersion]:
    ordinals = [one.ordinal for one in await store.session_outline(org, session_id)]
    found: list[MessageVersion] = []
    for first in range(0, len(ordinals), _PAGE):
        found += await store.message_versions(org, [(session_id, one) for one in ordinals[first : first + _PAGE]])
    return found
