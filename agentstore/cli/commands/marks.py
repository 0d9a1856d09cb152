"""What a user puts on sessions and messages: ``agentstore star``, ``unstar``, ``pin``, ``unpin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError, NothingFound
from agentstore.cli.options import Common

if TYPE_CHECKING:
    from agentstore import Session, SessionStar
    from agentstore.cli.opening import Opened

_DIGITS = 10  # of 32 bits
Ids = Annotated[str, Parameter(help="the ids, or as much of their beginnings as no other has")]
User = Annotated[str | None, Parameter(help="as this user [AGENTSTORE_USER]")]
Ordinal = Annotated[str, Parameter(help="the number of the message, as show has it: 12 or #12")]


def star(*ids: Ids, user: User = None, common: Common = Common()) -> int:
    """Put your star on sessions: sessions --starred lists them."""
    return _stars(ids, user, common, is_put=True)


def unstar(*ids: Ids, user: User = None, common: Common = Common()) -> int:
    """Take your star off sessions."""
    return _stars(ids, user, common, is_put=False)


def pin(
    id: Annotated[str, Parameter(help="the session's id, or its beginning")],
    message: Ordinal,
    /,
    *note: Annotated[str, Parameter(help="what to remember of it")],
    user: User = None,
    common: Common = Common(),
) -> int:
    """Pin a message of a session, with a note. Pinned again it has the new note."""
    from agentstore.cli.opening import run, settings_of

    ordinal = _ordinal(message)

    async def pinned(opened: Opened) -> int:
        import datetime as dt

        from agentstore import MessagePin
        from agentstore.cli.resolving import session_of

        session = await session_of(opened.store, opened.org, id)
        after = ordinal - 1 if ordinal else None
        found = await opened.store.get_session_messages(opened.org, session.id, after_ordinal=after, limit=1)
        if not found or found[0].ordinal != ordinal:
            raise NothingFound(f"session {session.id} has no message #{ordinal}", hint=f"agentstore show {id}")
        now = dt.datetime.now(dt.UTC)
        one = MessagePin(
            session_id=session.id,
            message_ordinal=ordinal,
            user_id=opened.settings["user"],
            note=" ".join(note),
            created_at=now,
        )
        await opened.store.write_message_pins(opened.org, [one])
        _say(opened, f"pinned #{ordinal} of", session)
        return FOUND

    return run(pinned, common, use="change", settings=settings_of(common, user=user))


def unpin(
    id: Annotated[str, Parameter(help="the session's id, or its beginning")],
    message: Ordinal,
    /,
    *,
    user: User = None,
    common: Common = Common(),
) -> int:
    """Take your pin off a message."""
    from agentstore.cli.opening import run, settings_of

    ordinal = _ordinal(message)

    async def unpinned(opened: Opened) -> int:
        from agentstore.cli.resolving import session_of

        session, own = await session_of(opened.store, opened.org, id), opened.settings["user"]
        pins = [
            one
            for one in await opened.store.list_message_pins(opened.org, session.id)
            if (one.message_ordinal, one.user_id) == (ordinal, own)
        ]
        if not pins:
            raise NothingFound(f"{own} has no pin on #{ordinal} of {session.id}", hint=f"agentstore show {id}")
        await opened.store.remove_message_pins(opened.org, pins)
        _say(opened, f"no pin on #{ordinal} of", session)
        return FOUND

    return run(unpinned, common, use="change", settings=settings_of(common, user=user))


def _ordinal(text: str) -> int:
    number = text.removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) <= _DIGITS):
        raise CommandError(f"{text!r} is no number of a message", hint="12 or '#12', as agentstore show has it")
    return int(number)


def _stars(ids: tuple[str, ...], user: str | None, common: Common, *, is_put: bool) -> int:
    from agentstore.cli.opening import run, settings_of

    if not ids:
        raise CommandError("no session is named", hint="agentstore sessions")

    async def starred(opened: Opened) -> int:
        import datetime as dt

        from agentstore import SessionStar
        from agentstore.cli.resolving import session_of

        sessions = [await session_of(opened.store, opened.org, id) for id in ids]
        own, now = opened.settings["user"], dt.datetime.now(dt.UTC)
        stars = [SessionStar(session_id=session.id, user_id=own, created_at=now) for session in sessions]
        if is_put:
            await opened.store.write_session_stars(opened.org, stars)
        else:
            await _take_off(opened, stars)
        for session in sessions:
            _say(opened, "starred" if is_put else "no star on", session)
        return FOUND

    return run(starred, common, use="change", settings=settings_of(common, user=user))


async def _take_off(opened: Opened, stars: list[SessionStar]) -> None:
    for one in stars:
        known = await opened.store.list_session_stars(opened.org, one.session_id)
        if one.user_id not in {star.user_id for star in known}:
            raise NothingFound(f"{one.user_id} has no star on {one.session_id}", hint="agentstore sessions --starred")
    await opened.store.remove_session_stars(opened.org, stars)


def _say(opened: Opened, what: str, session: Session) -> None:
    from agentstore.cli.terminal.screen import Piece
    from agentstore.faces.titles import title_of

    opened.screen.line(f"{what} ", Piece(session.id, "yellow"), f"  {title_of(session)}")
