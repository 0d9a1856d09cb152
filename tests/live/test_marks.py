"""Stars, pins and deletion marks: of a session or the whole organisation, in their orders."""

from __future__ import annotations

import datetime as dt

from agentstore import AsyncClickHouseStore, MessagePin, SessionDelete, SessionStar
from tests.builders import at, stored

MOMENTS: list[dt.datetime | None] = [at(2), at(3, micro=1), None, at(3), at(1)]
NEWEST_FIRST = [1, 3, 0, 4, 2]


async def test_stars_newest_first(store: AsyncClickHouseStore, org: str) -> None:
    stars = [SessionStar(session_id=f"s{n % 2}", user_id=f"u{n}", created_at=when) for n, when in enumerate(MOMENTS)]
    await store.write_session_stars(org, stars)
    assert await store.list_session_stars(org) == [stored(stars[n], org) for n in NEWEST_FIRST]
    assert await store.list_session_stars(org, "s1") == [stored(stars[n], org) for n in (1, 3)]
    assert await store.list_session_stars(org, "nowhere") == []


async def test_pins_by_ordinal_then_newest_first(store: AsyncClickHouseStore, org: str) -> None:
    pins = [
        MessagePin(session_id="s", message_ordinal=ordinal, user_id=f"u{n}", created_at=when, note=f"{n}")
        for ordinal in (10, 9)
        for n, when in enumerate(MOMENTS)
    ]
    await store.write_message_pins(org, [*pins, MessagePin(session_id="other", message_ordinal=9, user_id="u")])
    expected = [stored(pins[5 + n], org) for n in NEWEST_FIRST] + [stored(pins[n], org) for n in NEWEST_FIRST]
    assert await store.list_message_pins(org, "s") == expected
    assert len(await store.list_message_pins(org)) == 11
    assert [pin.message_ordinal for pin in await store.list_message_pins(org)] == [9] * 6 + [10] * 5


async def test_deletion_marks_newest_first(store: AsyncClickHouseStore, org: str) -> None:
    marks = [SessionDelete(session_id=f"s{n}", user_id="u", created_at=when) for n, when in enumerate(MOMENTS)]
    await store.write_session_deletes(org, marks)
    assert await store.list_session_deletes(org) == [stored(marks[n], org) for n in NEWEST_FIRST]
