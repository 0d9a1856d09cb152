"""``open``: text around a handle, bounded, and whether it is still what the handle pointed at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.faces.times import moment
from agentstore.mcp.asking import Open, limited
from agentstore.mcp.finding import Found, found_again
from agentstore.mcp.handles import Handle, of_message, of_session, parsed
from agentstore.mcp.overview import overview
from agentstore.mcp.quoting import ABOUT, Quotation, answer, cut, fitted
from agentstore.mcp.texts import Text, given_out, texts_of
from agentstore.models import MessageVersion

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, Session, SessionWindow
    from agentstore.mcp.holding import Holder

MOST = 20_000
UTC = ZoneInfo("UTC")
_SCANNED = 200_000
_NOTED = 6


async def open_handle(holder: Holder, asked: Open) -> str:
    """What stands there, with messages before and after."""
    handle = parsed(asked.handle)
    if handle is None:
        raise InvalidArgumentError("handle: that is none; search and sessions give them", field="handle")
    characters = limited(asked.characters, "characters", 200, MOST)
    around = limited(asked.around, "around", 0, 10)
    store = await holder.store()
    if handle.ordinal < 0:
        return await overview(holder, store, handle.session_id, _session(holder, store, handle), characters)
    # All that it takes where the message is where it was, at once.
    session, window = await asyncio.gather(
        _session(holder, store, handle),
        _read(holder, store, handle.session_id, handle.ordinal, around, characters),
    )
    found = await found_again(store, holder.org, handle, _versions(window).get(handle.ordinal))
    if found.ordinal < 0:
        return f'{found.told} What there is now: open(handle="{of_session(session.id)}").'
    if found.ordinal != handle.ordinal:
        window = await _read(holder, store, session.id, found.ordinal, around, characters)
    if handle.part:
        return await _part(holder, store, session, handle, found, window, characters)
    return await _told(holder, store, session, found, window, characters, asked.find)


async def _session(holder: Holder, store: AsyncClickHouseStore, handle: Handle) -> Session:
    try:
        return await store.get_session(holder.org, handle.session_id)
    except NotFoundError:
        raise NotFoundError("gone: no such session is in the store any more") from None


def _versions(window: SessionWindow) -> dict[int, MessageVersion]:
    return {
        one.ordinal: MessageVersion(one.session_id, one.ordinal, one.source_id, version)
        for one, version in zip(window.messages, window.versions, strict=True)
    }


async def _read(
    holder: Holder, store: AsyncClickHouseStore, session_id: str, ordinal: int, around: int, characters: int
) -> SessionWindow:
    return await store.session_window(
        holder.org,
        session_id,
        first_ordinal=max(0, ordinal - around),
        last_ordinal=ordinal + around,
        max_characters=characters,
    )


class _Shown(NamedTuple):
    """A text with what of it is shown."""

    text: Text
    shown: str
    start: int


async def _told(
    holder: Holder,
    store: AsyncClickHouseStore,
    session: Session,
    found: Found,
    window: SessionWindow,
    characters: int,
    find: str,
) -> str:
    versions = _versions(window)
    texts = [text for text in texts_of(window) if text.ordinal == found.ordinal or text.part != "result"]
    shares = given_out([text.total for text in texts], [text.ordinal == found.ordinal for text in texts], characters)

    async def one_shown(text: Text, share: int) -> _Shown:
        start = 0
        if find and text.ordinal == found.ordinal and text.total > share:
            start = await _place(holder, store, session.id, text, find, share)
        return _Shown(text, await _from(holder, store, session.id, text, start, share), start)

    shown = await asyncio.gather(*map(one_shown, texts, shares))
    quotation = Quotation(f"session {of_session(session.id)} {moment(session.started_at, UTC)} UTC")
    said = -1
    for one in shown:
        if one.text.ordinal != said:
            said = one.text.ordinal
            quotation.own(f"#{said} {cut(one.text.role, 20)} {moment(one.text.when, UTC)}".rstrip())
        if one.text.title:
            quotation.own(one.text.title)
        if one.shown:
            quotation.quoted(one.shown)
    notes = [
        _left_out([one for one in shown if one.text.ordinal == at], of_message(session.id, at, versions.get(at)))
        for at in dict.fromkeys(t.ordinal for t in texts)
    ]
    ordinals = [one.ordinal for one in window.messages] or [found.ordinal]
    beyond = f"Messages {min(ordinals)}-{max(ordinals)} of {session.message_count}; more with around."
    return answer(found.told, ABOUT, quotation, *notes, beyond)


async def _part(
    holder: Holder,
    store: AsyncClickHouseStore,
    session: Session,
    handle: Handle,
    found: Found,
    window: SessionWindow,
    characters: int,
) -> str:
    """One text, from where the handle says."""
    named = (found.ordinal, handle.part, handle.call)
    wanted = [one for one in texts_of(window) if (one.ordinal, one.part, one.call) == named]
    if not wanted:
        return "gone: the message has no such text any more."
    text = wanted[0]
    shown = await _from(holder, store, session.id, text, handle.start, characters)
    quotation = Quotation(f"session {of_session(session.id)} {moment(session.started_at, UTC)} UTC")
    quotation.own(f"#{text.ordinal} {text.role} {text.title} from character {handle.start}".replace("  ", " "))
    quotation.quoted(shown)
    place = f"{of_session(session.id)}#{found.ordinal}" + (f".{handle.mark}" if handle.mark else "")
    return answer(found.told, ABOUT, quotation, _left_out([_Shown(text, shown, handle.start)], place))


async def _from(
    holder: Holder, store: AsyncClickHouseStore, session_id: str, text: Text, start: int, characters: int
) -> str:
    if characters <= 0:
        return ""
    if start == 0 and (len(text.text) >= characters or len(text.text) == text.total):
        return fitted(text.text, characters)
    found = await store.message_text(
        holder.org, session_id, text.ordinal, first=start, characters=characters, **text.key
    )
    return fitted(found.text, characters)


async def _place(
    holder: Holder, store: AsyncClickHouseStore, session_id: str, text: Text, find: str, share: int
) -> int:
    """From where on to show a long text, so that what is looked for is in the middle; 0 where it is not in it."""
    whole = await store.message_text(holder.org, session_id, text.ordinal, characters=_SCANNED, **text.key)
    at = whole.text.casefold().find(find.casefold())
    return max(0, at - share // 3) if at > share * 2 // 3 else 0


def _left_out(shown: Sequence[_Shown], place: str) -> str:
    """What of a message's texts is not shown, and how to get it."""
    told = []
    for one in shown:
        end = one.start + len(one.shown)
        if len(one.shown) < one.text.total:
            call = "" if one.text.part == "text" else f".{one.text.call}"
            told.append(f"{one.text.part}{call}@{end if end < one.text.total else 0} of {one.text.total}")
    if not told:
        return ""
    more = f" and {len(told) - _NOTED} more" if len(told) > _NOTED else ""
    return f'Left out, open("{place}/…"): {", ".join(told[:_NOTED])}{more}.'
