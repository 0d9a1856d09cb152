"""What people said in a session."""

from __future__ import annotations

import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, Prompt
from tests import reference
from tests.builders import at, message, session


async def test_prompts_are_what_users_said_cut_to_their_beginnings(store: AsyncClickHouseStore, org: str) -> None:
    said = [
        message(0, "横浜の潮は高い", role="user", source_id="a", timestamp=at(1)),
        message(1, "an answer", role="assistant"),
        message(7, "", role="user"),
        message(9, "none of it", role="system"),
    ]
    await store.write_session(org, session("s"), said)
    found = await store.session_prompts(org, "s", max_characters=4)
    assert found == [
        Prompt(
            0,
            timestamp=at(1),
            content="横浜の潮",
            content_length=said[0].content_length,
            source_id="a",
            version=reference.version(said[0]),
        ),
        Prompt(7, timestamp=said[2].timestamp, version=reference.version(said[2])),
    ]
    assert await store.session_prompts(org, "nobody's") == []
    assert await store.session_prompts(f"{org}-other", "s") == []


async def test_prompts_that_were_replaced_are_gone(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(n, f"old {n}", role="user") for n in range(3)])
    await store.write_session(org, session("s"), [message(1, "new", role="user")], replace=True)
    assert [(one.ordinal, one.content) for one in await store.session_prompts(org, "s")] == [(1, "new")]


@pytest.mark.parametrize(
    ("arguments", "field"), [({"session_id": 1}, "session_id"), ({"max_characters": "2"}, "max_characters")]
)
async def test_what_is_no_argument_is_refused(
    store: AsyncClickHouseStore, org: str, arguments: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await store.session_prompts(org, **{"session_id": "s", **arguments})  # type: ignore[arg-type]
    assert caught.value.field == field
