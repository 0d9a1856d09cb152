"""Search by words: what is found, how it is ranked and shown, and the pages of it, beside the plain definition."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, InvalidArgumentError, InvalidCursorError, SearchQuery, SearchResult
from agentstore.connection.sql import Sql
from agentstore.read.cursor import decode_words_cursor
from agentstore.read.search import words_search, words_sql
from tests import reference
from tests import words as plain
from tests.builders import at, call, message, session
from tests.live.search_paths import PATHS, force
from tests.live.test_search_index import World, has_indexes, merge
from tests.servers import Server

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

# Whole words and parts of others, of one, two and more characters, with every way of folding and of spacing.
WORDS = [
    "foo", "Foo", "FOOBAR", "bar", "a", "A1", "ab", "no", "ΣΊΣΥΦΟΣ", "σίσυφος", "İx", "Straße", "STRAẞE", "cafe\u0301",
    "café", "cafe", "検索", "全文検索機能", "カ\u3099", "ไทย", "한국어", "x\ufe0f", "𐐨𐐀", "100", "٣", "don't",
]  # fmt: skip
SPACES = [" ", " ", " ", "  ", "_", "-", "\n", "", "'", "\0", "😀", "。", "\u200d", '"', "%"]
ROUNDS = 3

Key = tuple[str, int, str]


class Words(World):
    """What was written, of which the rows by words are known plainly."""

    def text(self) -> str:
        some = self.rng.choices(WORDS, k=self.rng.randrange(9))
        text = "".join(word + self.rng.choice(SPACES) for word in some)
        return text * self.rng.choice((1, 1, 1, 3, 40))

    def query(self) -> str:
        asked = [self.rng.choice((str.swapcase, str))(word) for word in self.rng.choices(WORDS, k=2)]
        source = self.rng.choice([text for text in self.messages.values() if text] or ["a"]).replace('"', "")
        start = self.rng.randrange(len(source) or 1)
        phrase = f'"{source[start : start + self.rng.randrange(1, 9)]}"'
        return " ".join(self.rng.sample([*asked, phrase], self.rng.choice((1, 1, 1, 2, 3)))) + " "

    def documents(self) -> dict[Key, plain.Texts]:
        rows: dict[Key, plain.Texts] = {(id, n, "user"): (text,) for (id, n), text in self.messages.items()}
        rows |= {(id, n, "tool"): texts for (id, n), texts in self.calls.items()}
        return {key: texts for key, texts in rows.items() if key[0] not in self.deleted}

    def expected_by_words(self, query: str, ranked: int) -> tuple[list[tuple[int, SearchResult]], float]:
        """Score and result of the newest matches, in order, and their mean length."""
        documents = self.documents()
        newest = sorted(plain.scores(documents, query)[0], key=_recency)[:ranked]
        scores, average = plain.scores({key: documents[key] for key in newest}, query)
        found = []
        for key in sorted(scores, key=lambda key: (-scores[key], *_recency(key))):
            (id, ordinal, role), texts = key, documents[key]
            shown, marks = plain.snippet(texts, query)
            started = None if id == "s3" else at(minute=int(id[1:]) % 5)
            result = SearchResult(
                session_id=id, ordinal=ordinal, role=role, started_at=started, snippet=shown, highlights=marks
            )
            if (id, ordinal) in self.messages:
                of_message = reference.version(message(ordinal, self.messages[id, ordinal]))
                result = msgspec.structs.replace(result, version=of_message)
            found.append((scores[key], result))
        return found, average


def _recency(key: Key) -> tuple[Any, ...]:
    id, ordinal, role = key
    started = -1 if id == "s3" else int(id[1:]) % 5
    return -started, (*(-ord(char) for char in id), 0), ordinal, role == "tool"


@pytest.fixture
async def own(server: Server, fresh_database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """A store on a database of its own, whose parts can be merged without disturbing anybody."""
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        yield store


async def check(store: AsyncClickHouseStore, world: Words, query: str, limit: int, ranked: int = 10_000) -> int:
    """Walk all pages of the query and compare everything with the plain definition."""
    expected, average = world.expected_by_words(query, ranked)
    walked, cursor = list[SearchResult](), ""
    while True:
        page = await store.search("o", SearchQuery(query=query, mode="words", limit=limit, cursor=cursor))
        walked += page.results
        assert (page.total, page.total_is_lower_bound) == (len(expected), False)
        cursor = page.next_cursor
        if not cursor:
            break
        last = decode_words_cursor(cursor)
        assert abs(last.score - expected[len(walked) - 1][0]) <= 1
        assert last.average == pytest.approx(average)
    assert walked == [result for _, result in expected]
    return len(expected)


async def test_it_is_the_plain_definition_in_every_state_of_the_parts(own: AsyncClickHouseStore) -> None:
    world, others = seeded()
    found = 0
    for state in range(ROUNDS):
        await next_state(own, world, others, state)
        found += sum([await check_one(own, world) for _ in range(8)])
    assert found > 3


async def test_every_way_of_a_search_is_the_plain_definition(
    own: AsyncClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, others = seeded()
    taken, found = Counter[str](), 0
    for state in range(ROUNDS):
        await next_state(own, world, others, state)
        for path in PATHS:
            with monkeypatch.context() as forced:
                ranked = world.rng.choice((1, 3, 8, 10_000))
                forced.setattr(words_sql, "RANKED", ranked)
                forced.setattr(words_search, "RANKED", ranked)
                ways = force(path, forced, most=world.rng.choice((1, 4, 9)))
                found += await check_one(own, world, ranked)
                # The words drawn may be too short for an index, or nowhere.
                found += await check(own, world, "foo", 1000, ranked)
                taken += ways
    assert found > len(PATHS)
    assert set(taken) == set(PATHS) or not await has_indexes(own)


def seeded() -> tuple[Words, Words]:
    # Drawn here: a name drawn while collecting would be another one when the test is run alone.
    seed = random.randrange(10**6)
    print("seed", seed)
    return Words(random.Random(seed)), Words(random.Random(seed + 1))


async def next_state(store: AsyncClickHouseStore, world: Words, others: Words, state: int) -> None:
    await world.change(store)
    await store.write_session("others", session("s1"), [message(n, others.text()) for n in range(9)])
    if state == 1:
        await merge(store)  # from here on some parts are indexed and newer ones are not


async def check_one(store: AsyncClickHouseStore, world: Words, ranked: int = 10_000) -> int:
    query = world.query()
    return await check(store, world, query, world.rng.choice((1, 2, 3, 1000)), ranked) if plain.terms(query) else 0


async def test_without_indexes_it_is_the_same(own: AsyncClickHouseStore) -> None:
    world = Words(random.Random(7))
    for statement in (
        Sql("ALTER TABLE messages DROP INDEX IF EXISTS content_text"),
        Sql("ALTER TABLE tool_calls DROP INDEX IF EXISTS input_text, DROP INDEX IF EXISTS result_text"),
    ):
        await own._open_pool.execute(statement)
    for _ in range(2):
        await world.change(own)
    assert sum([await check(own, world, word, 1000) for word in WORDS if plain.terms(word)]) > 20


async def found(store: AsyncClickHouseStore, org: str, query: str, **filter: Any) -> list[tuple[str, int]]:
    page = await store.search(org, SearchQuery(query=query, mode="words", **filter))
    assert (page.total, page.total_is_lower_bound, page.next_cursor) == (len(page.results), False, "")
    return [(result.session_id, result.ordinal) for result in page.results]


async def test_all_words_in_any_order_and_phrases(store: AsyncClickHouseStore, org: str) -> None:
    contents = ["alpha beta gamma", "GAMMA, (alpha)!", "alphabet gamma", "alpha gamma beta", "gamma"]
    await store.write_session(org, session("s"), [message(n, text) for n, text in enumerate(contents)])
    assert sorted(await found(store, org, "gamma alpha")) == [("s", 0), ("s", 1), ("s", 3)]
    assert await found(store, org, '"alpha beta" gamma') == [("s", 0)]
    assert await found(store, org, '"gamma b"') == [("s", 3)]
    assert sorted(await found(store, org, '"lph" gamma')) == [("s", 0), ("s", 1), ("s", 2), ("s", 3)]
    assert await found(store, org, "alpha delta") == []
    assert await found(store, org, "alph") == []


async def test_the_words_may_be_in_different_texts_of_one_tool_call(store: AsyncClickHouseStore, org: str) -> None:
    calls = [
        call(0, input_json="alpha", result_content="beta"),
        call(1, input_json="alpha"),
        call(2, result_content="beta"),
        call(3, input_json="al", result_content="pha beta"),
        call(4, input_json="no", result_content="Beta and then Alpha"),
    ]
    await store.write_session(org, session("s"), [message(0, "alpha"), message(1, "beta")], calls)
    assert await found(store, org, "alpha beta") == [("s", 0), ("s", 4)]
    page = await store.search(org, SearchQuery(query="alpha beta", mode="words"))
    assert [result.snippet for result in page.results] == ["alpha", "Beta and then Alpha"]
    assert [len(result.highlights) for result in page.results] == [1, 2]
    assert await found(store, org, '"alphabeta"') == []


async def test_more_often_and_shorter_is_better_then_newer(store: AsyncClickHouseStore, org: str) -> None:
    for id, start, text in (
        ("once", at(1), "word and other things here"),
        ("newer", at(2), "word and other things here"),
        ("thrice", at(0), "word word word things here"),
        ("long", at(3), "word" + " and so on" * 50),
        ("never", None, "word and other things here"),
    ):
        await store.write_session(org, session(id, started_at=start), [message(0, text)])
    assert [id for id, _ in await found(store, org, "word")] == ["thrice", "newer", "once", "never", "long"]


async def test_filters_prune_and_change_the_mean_length(store: AsyncClickHouseStore, org: str) -> None:
    fields = ("user_id", "project_id", "project_name", "agent_type")
    for number, field in enumerate(fields):
        rows = [message(0, "x"), message(1, "x" + " y" * number)]
        await store.write_session(org, session(field, started_at=at(number), **{field: "v"}), rows)
    for number, field in enumerate(fields):
        filters: list[dict[str, Any]] = [
            {field: "v"},
            {"session_id": field},
            {"date_from": at(number), "date_to": at(number)},
        ]
        for filter in filters:
            page = await store.search(org, SearchQuery(query="x", mode="words", limit=1, **filter))
            assert [result.session_id for result in page.results] == [field]
            assert page.total == 2
            assert decode_words_cursor(page.next_cursor).average == 1 + number
    assert await found(store, org, "x", session_id="nowhere") == []


async def test_other_organisations_and_hidden_sessions_change_no_score(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0, "word a b c"), message(1, "word")])
    before = await store.search(org, SearchQuery(query="word", mode="words", limit=1))
    await store.write_session(f"{org}-other", session("s"), [message(n, "word " * n) for n in range(2, 30)])
    for id, fields in (("sub", {"relationship_type": "subagent"}), ("silent", {"user_message_count": 0})):
        await store.write_session(org, session(id, **fields), [message(0, "word " * 50)])
    await store.write_batch(org, [], [message(0, "word word", session_id="without a session")])
    assert await store.search(org, SearchQuery(query="word", mode="words", limit=1)) == before


async def test_scores_stand_still_while_pages_are_walked(store: AsyncClickHouseStore, org: str) -> None:
    rows = [message(n, "word " * (n % 7 + 1) + "other " * (n % 5)) for n in range(12)]
    await store.write_session(org, session("s"), rows)
    whole = [ordinal for _, ordinal in await found(store, org, "word")]
    walked, cursor = list[int](), ""
    for number in range(12):
        page = await store.search(org, SearchQuery(query="word", mode="words", limit=1, cursor=cursor))
        assert page.total == 12
        walked += [result.ordinal for result in page.results]
        cursor = page.next_cursor
        # This moves the mean, and comes before all others.
        await store.write_batch(org, [], [message(100 + number, "word " * 200, session_id="s")])
    assert walked == whole
    assert cursor == ""


async def test_the_total_is_exact_up_to_a_thousand(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(n, "x") for n in range(1000)])
    for extra, bound in ((0, False), (1, True)):
        await store.write_batch(org, [], [message(1000, "x" if extra else "y", session_id="s")])
        page = await store.search(org, SearchQuery(query="x", mode="words", limit=999))
        assert (page.total, page.total_is_lower_bound, len(page.results)) == (1000, bound, 999)
        rest = await store.search(org, SearchQuery(query="x", mode="words", cursor=page.next_cursor))
        assert (rest.total, rest.total_is_lower_bound, len(rest.results)) == (1000, bound, 1 + extra)


async def test_texts_of_megabytes_are_counted_and_cut_on_the_server(store: AsyncClickHouseStore, org: str) -> None:
    big = "ä" * 2_000_000 + " Needle needle needles " + "€ " * 500_000
    await store.write_session(org, session("s"), [message(0, big)], [call(0, result_content=big)])
    page = await store.search(org, SearchQuery(query="needle", mode="words"))
    assert [len(result.snippet) for result in page.results] == [206, 206]
    for result in page.results:
        assert [result.snippet[mark.start : mark.end] for mark in result.highlights] == ["Needle", "needle"]


async def test_as_many_terms_as_are_allowed(store: AsyncClickHouseStore, org: str) -> None:
    query = " ".join(f"wörd{n}" for n in range(64))
    await store.write_session(org, session("s"), [message(0, query.upper()), message(1, query[:-1])])
    assert await found(store, org, query) == [("s", 0)]
    with pytest.raises(InvalidArgumentError, match="64 different words"):
        await found(store, org, query + " more")


@pytest.mark.parametrize(
    "bad",
    [
        {"query": ""}, {"query": " _-. "}, {"query": '""'}, {"query": None}, {"query": "\ufe0f"}, {"mode": "word"},
        {"mode": ""}, {"mode": None}, {"mode": ["words"]}, {"limit": 0}, {"user_id": 5}, {"session_id": None},
        {"cursor": "garbage"}, {"cursor": 5},
    ],
    ids=repr,
)  # fmt: skip
async def test_a_bad_query_is_refused(store: AsyncClickHouseStore, org: str, bad: dict[str, Any]) -> None:
    [field] = bad
    with pytest.raises(InvalidArgumentError, match=rf"^{field}: ") as caught:
        await store.search(org, SearchQuery(**{"query": "x", "mode": "words", **bad}))
    assert isinstance(caught.value, InvalidCursorError) == (field == "cursor")
    assert caught.value.field == field


async def test_cursors_of_the_other_mode_are_refused(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0, "x"), message(1, "x")])
    for mode, other in (("words", "substring"), ("substring", "words")):
        cursor = (await store.search(org, SearchQuery(query="x", limit=1, mode=mode))).next_cursor
        assert cursor
        with pytest.raises(InvalidCursorError):
            await store.search(org, SearchQuery(query="x", mode=other, cursor=cursor))
