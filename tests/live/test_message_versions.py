"""Versions of messages: another one where a text is another one, and nothing of what is not there or not one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest
from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, InvalidArgumentError, Message, MessageVersion, SearchQuery
from agentstore.connection.sql import sql
from tests import reference
from tests.builders import at, call, message, session
from tests.hostile import SURROGATES, TEXTS
from tests.servers import Server


def version_of(one: Message) -> MessageVersion:
    """The version that the message as it is read must have."""
    return MessageVersion(one.session_id, one.ordinal, one.source_id, reference.version(one))


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


async def test_a_version_has_its_zeroes(store: AsyncClickHouseStore, org: str) -> None:
    messages = [message(number, f"m{number}") for number in range(600)]
    # One in 256 begins with a byte that is 0.
    assert any(reference.version(one).startswith("00") for one in messages)
    await store.write_session(org, session("s"), messages)
    told = await versions(store, org, [("s", number) for number in range(600)])
    assert told == await of_messages(store, org, "s")


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


async def told_beside(store: AsyncClickHouseStore, org: str, query: str) -> dict[str, dict[tuple[str, int], str]]:
    """The versions that come with what other reads tell, by read, then place. All messages are prompts here."""
    told: dict[str, dict[tuple[str, int], str]] = {}
    for role in ("user", "tool"):
        for mode in ("substring", "words"):
            page = await store.search(org, SearchQuery(query=query, mode=mode, role=role, limit=100))
            told[f"{mode}, {role}"] = {(one.session_id, one.ordinal): one.version for one in page.results}
            within = await store.search(org, SearchQuery(query=query, mode=mode, role=role, session_id="s"))
            told[f"{mode}, {role}, within s"] = {(one.session_id, one.ordinal): one.version for one in within.results}
    for most in (0, 3, None):
        window = await store.session_window(org, "s", first_ordinal=0, last_ordinal=99, max_characters=most)
        told[f"window, {most}"] = {
            (one.session_id, one.ordinal): version
            for one, version in zip(window.messages, window.versions, strict=True)
        }
    prompts = await store.session_prompts(org, "s", max_characters=3)
    told["prompts"] = {("s", one.ordinal): one.version for one in prompts}
    return told


async def check_beside(
    store: AsyncClickHouseStore, org: str, places: Iterable[tuple[str, int]], without: Iterable[tuple[str, int]] = ()
) -> None:
    """Every read tells the version that ``message_versions`` does; of ``without`` there are calls, and no messages."""
    alone = {place: one.version for place, one in (await versions(store, org, places)).items()}
    assert alone == {place: one.version for place, one in (await of_messages(store, org, "s")).items()}
    assert alone
    for read, told in (await told_beside(store, org, "needle")).items():
        missing = dict.fromkeys(without, "") if "tool" in read else {}
        assert told == {**alone, **missing}, read


def haystack(number: int, text: str = "") -> Message:
    return message(number, f"{number} needle {text}", source_id=f"m{number}")


@pytest.fixture
async def unmerged(server: Server, fresh_database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """A store whose messages are not merged."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        await store._open_pool.execute(sql("SYSTEM STOP MERGES messages"))
        yield store


async def test_versions_come_with_what_other_reads_tell(unmerged: AsyncClickHouseStore) -> None:
    store, org = unmerged, "o"
    places = [("s", number) for number in range(6)]
    calls = [call(number, tool_use_id="t", input_json='{"a": "the needle"}') for number in range(4)]
    texts = [haystack(number, text) for number, text in enumerate(list(TEXTS.values())[:4])]
    await store.write_session(org, session("s"), texts, calls)
    await check_beside(store, org, places)
    first = await versions(store, org, places)
    # Many versions of a row, none of them merged.
    for written in range(3):
        await store.write_session(org, session("s"), [haystack(1, f"again {written}"), haystack(2, f"{written}")])
        await check_beside(store, org, places)
    now = await versions(store, org, places)
    assert {place for place, one in now.items() if one != first[place]} == {("s", 1), ("s", 2)}
    # Rows that a replace took away are still there, below the floor: one of them has a call that is not.
    await store.write_session(org, session("s"), [haystack(0), haystack(3, "!")], [calls[0], *calls[2:]], replace=True)
    assert set(await versions(store, org, places)) == {("s", 0), ("s", 3)}
    await check_beside(store, org, [("s", 0), ("s", 3)], without=[("s", 2)])
