"""Versions of messages: another one where a text is another one, and nothing of what is not there or not one's own."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, InvalidArgumentError, Message, MessageVersion
from tests.builders import at, message, session
from tests.hostile import SURROGATES, TEXTS

# SipHash-2-4 with a key of zeros, as the server's function has it.
_MASK = 2**64 - 1


def rotated(number: int, by: int) -> int:
    return ((number << by) | (number >> (64 - by))) & _MASK


def siphash(data: bytes) -> int:
    """SipHash-2-4, written down from its paper."""
    v0, v1, v2, v3 = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573

    def round_of(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
        v0 = (v0 + v1) & _MASK
        v1 = rotated(v1, 13) ^ v0
        v0 = rotated(v0, 32)
        v2 = (v2 + v3) & _MASK
        v3 = rotated(v3, 16) ^ v2
        v0 = (v0 + v3) & _MASK
        v3 = rotated(v3, 21) ^ v0
        v2 = (v2 + v1) & _MASK
        v1 = rotated(v1, 17) ^ v2
        v2 = rotated(v2, 32)
        return v0, v1, v2, v3

    whole = len(data) - len(data) % 8
    last = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    words = [int.from_bytes(data[start : start + 8], "little") for start in range(0, whole, 8)]
    for word in [*words, last]:
        v3 ^= word
        for _ in range(2):
            v0, v1, v2, v3 = round_of(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(4):
        v0, v1, v2, v3 = round_of(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def version_of(one: Message) -> MessageVersion:
    """The version that the message as it is read must have: the server hashes hashes where there are several texts."""
    parts = [siphash(text.encode()).to_bytes(8, "little") for text in (one.role, one.content)]
    return MessageVersion(one.session_id, one.ordinal, one.source_id, f"{siphash(b''.join(parts)):016x}")


async def versions(
    store: AsyncClickHouseStore, org: str, places: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], MessageVersion]:
    """They come in no order."""
    return {(one.session_id, one.ordinal): one for one in await store.message_versions(org, places)}


async def of_messages(store: AsyncClickHouseStore, org: str, *ids: str) -> dict[tuple[str, int], MessageVersion]:
    """What they must be, by what is read."""
    found = [version_of(one) for id in ids for one in await store.get_session_messages(org, id)]
    return {(one.session_id, one.ordinal): one for one in found}


async def test_a_version_is_a_hash_of_what_is_read(store: AsyncClickHouseStore, org: str) -> None:
    texts = [*TEXTS.values(), *(text for text, _ in SURROGATES.values()), "", "x" * 100_000]
    roles = ["user", "assistant", "tool", "'quoted\\'"]
    messages = [
        message(number, text, role=roles[number % len(roles)], source_id=f"m{number}'\\")
        for number, text in enumerate(texts)
    ]
    ids = ["s", TEXTS["quotes"], TEXTS["backslashes"]]
    for id in ids:
        await store.write_session(org, session(id), messages)
    told = await versions(store, org, [(id, number) for id in ids for number in range(len(texts))])
    assert told == await of_messages(store, org, *ids)
    assert len(told) == len(ids) * len(texts)


async def test_what_is_not_there_has_none(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(1, "one"), message(2**32 - 1, "last")])
    await store.write_session(f"{org}-other", session("theirs"), [message(1, "one")])
    assert await versions(store, org, []) == {}
    asked = [("s", 1), ("s", 1), ("s", 0), ("s", 2**32 - 1), ("none", 1), ("theirs", 1), ("", 0)]
    assert set(await versions(store, org, asked)) == {("s", 1), ("s", 2**32 - 1)}
    assert set(await versions(store, f"{org}-other", asked)) == {("theirs", 1)}
    # Pairs are pairs: an id with the ordinal of another is none of them.
    await store.write_session(org, session("t"), [message(5, "five")])
    assert await versions(store, org, [("s", 5), ("t", 1)]) == {}


async def test_the_same_again_is_the_same_and_another_text_is_another(store: AsyncClickHouseStore, org: str) -> None:
    first = [message(0, "a prompt", source_id="m0"), message(1, "an answer", role="assistant", source_id="m1")]
    await store.write_session(org, session("s"), first)
    places = [("s", number) for number in range(3)]
    before = await versions(store, org, places)
    await store.write_session(org, session("s"), first, replace=True)
    await store.write_session(org, session("s"), [replace(one, model="m", timestamp=at(3)) for one in first])
    assert await versions(store, org, places) == before
    # Only the text is another one; only the role is; the message is gone.
    for changed in (
        [replace(first[0], content="a prompt."), first[1]],
        [first[0], replace(first[1], role="user")],
        first[:1],
    ):
        await store.write_session(org, session("s"), changed, replace=True)
        told = await versions(store, org, places)
        assert told == await of_messages(store, org, "s")
        assert {place for place, one in told.items() if one == before[place]} == {
            ("s", one.ordinal) for one in changed if one in first
        }


async def test_what_was_removed_has_none_until_it_is_back(store: AsyncClickHouseStore, org: str) -> None:
    places = []
    for id in ("deleted", "purged", "stays"):
        await store.write_session(org, session(id), [message(0, f"text of {id}")])
        places.append((id, 0))
    before = await versions(store, org, places)
    assert len(before) == 3
    await store.delete_sessions(org, ["deleted"])
    await store.purge_sessions(org, ["purged"])
    assert set(await versions(store, org, places)) == {("stays", 0)}
    await store.restore_sessions(org, ["deleted", "purged"])
    after = await versions(store, org, places)
    assert after == await of_messages(store, org, "deleted", "purged", "stays")


async def test_what_is_no_place_is_told(store: AsyncClickHouseStore, org: str) -> None:
    with pytest.raises(InvalidArgumentError, match="1000 at most, got 1001"):
        await store.message_versions(org, [("s", number) for number in range(1001)])
    assert await store.message_versions(org, [("s", 0)] * 1001) == []
    assert await store.message_versions(org, [("s", -1), ("s", 2**32)]) == []
    for wrong in (("s", "1"), ("s", True), (1, 1)):
        with pytest.raises(InvalidArgumentError):
            await store.message_versions(org, [wrong])  # type: ignore[list-item]
