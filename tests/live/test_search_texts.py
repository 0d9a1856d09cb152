"""Search: case, wildcards, strange characters, and the snippets around the hits."""

from __future__ import annotations

import pytest

from agentstore import AsyncClickHouseStore, Highlight, SearchQuery, SearchResult
from agentstore.connection.sql import Sql, sql
from tests.builders import call, message, session
from tests.live.search_paths import force

SAME = {
    "ärger": ["ÄRGER", "Ärger!", "x Großer äRGeR x"],
    "ÄRGER": ["ärger"],
    "STRAẞE": ["straße", "STRAẞE"],
    "ΣΊΣΥΦΟΣ": ["σίσυφος", "ΣΊΣΥΦΟΣ", "Σίσυφοσ"],
    "привет": ["ПРИВЕТ", "Привет"],
    "ԵՐԵՎԱՆ": ["երեվան"],
    "ǆ": ["Ǆ", "ǅ", "ǆ"],
    "𐐨": ["𐐀"],
    "ａ": ["Ａ"],
    "ⅷ": ["Ⅷ"],
    "Ꭰ": ["ꭰ", "Ꭰ"],
    "ა": ["Ა", "ა"],
    "k": ["K", "k"],
    "i": ["I"],
    "日本": ["これは日本語", "日本"],
    "語": ["日本語", "語"],
    "😀": ["a😀b"],
    "👩‍💻": ["x👩‍💻"],
    "%": ["100%"],
    "_": ["a_b"],
    "\\": ["C:\\x"],
    "\\d": ["a\\d+"],
    "'": ["it's"],
    "''": ["''"],
    '"': ['say "x"'],
    "`": ["`x`"],
    "\0": ["a\0b"],
    "Ж\0ẞ": ["ж\0ß"],
    "\n": ["a\nb"],
    "\t ": ["\t  x"],
    "$^": ["a$^"],
    "^ẞ$": ["^ß$"],
    ".*": ["x.*y"],
    "ẞ.*[a": ["ß.*[A"],
    "ẞ|x": ["ß|X"],
    "(ẞ)?{2}": ["(ß)?{2}"],
    "{name}": ["{NAME}"],
    "--": ["a -- b"],
    "/*": ["/* c */"],
    "'; DROP TABLE messages; --": ["x'; drop table MESSAGES; --"],
    "ẞ\\": ["ß\\"],
    "ẞ# x-y&~": ["ß# X-Y&~"],
}
DIFFERENT = {
    "ss": ["ß", "s s"],
    "ß": ["ss", "SS"],
    "i": ["ı", "İ"],
    "a": ["ä", "á", "ａ"],
    "s": ["ſ"],
    "k": ["\u212a"],
    "%": ["percent"],
    "a%b": ["axb", "ab"],
    "a_b": ["axb"],
    "\\": ["/", "no"],
    "\\n": ["\n"],
    ".": ["x"],
    "ẞ.": ["ßx"],
    "ﬁ": ["fi"],
    "é": ["e\u0301"],
    "\0": ["0"],
}
NEEDLES = sorted({*SAME, *DIFFERENT})


async def one(store: AsyncClickHouseStore, org: str, query: str) -> SearchResult:
    [result] = (await store.search(org, SearchQuery(query=query))).results
    return result


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_what_is_the_same_and_what_is_not(store: AsyncClickHouseStore, org: str) -> None:
    texts = sorted({text for group in (*SAME.values(), *DIFFERENT.values()) for text in group})
    await store.write_session(org, session("s"), [message(n, text) for n, text in enumerate(texts)])
    for needle in NEEDLES:
        page = await store.search(org, SearchQuery(query=needle, limit=1000))
        found = {texts[result.ordinal] for result in page.results}
        assert found >= set(SAME.get(needle, ())), needle
        assert not found & set(DIFFERENT.get(needle, ())), needle
        for result in page.results:
            assert result.snippet == texts[result.ordinal]
            assert len(result.highlights) >= 1, (needle, result)
            for mark in result.highlights:
                assert mark.end - mark.start == len(needle)


@pytest.mark.parametrize(
    ("text", "hit", "snippet", "marks"),
    [
        ("x", "x", "x", [(0, 1)]),
        ("aXa" * 3, "x", "aXaaXaaXa", [(1, 2), (4, 5), (7, 8)]),
        ("aaaaa", "aa", "aaaaa", [(0, 2), (2, 4)]),
        ("N" + "." * 199, "n", "N" + "." * 199, [(0, 1)]),
        ("N" + "." * 200, "n", "N" + "." * 199 + "...", [(0, 1)]),
        ("." * 199 + "N", "n", "." * 199 + "N", [(199, 200)]),
        ("." * 200 + "N", "n", "..." + "." * 199 + "N", [(202, 203)]),
        ("." * 100 + "N" + "." * 100, "n", "." * 100 + "N" + "." * 99 + "...", [(100, 101)]),
        ("." * 101 + "N" + "." * 100, "n", "..." + "." * 100 + "N" + "." * 99 + "...", [(103, 104)]),
        ("." * 101 + "N" + "." * 99, "n", "..." + "." * 100 + "N" + "." * 99, [(103, 104)]),
        (
            "." * 500 + "N" + "." * 98 + "NN.",
            "n",
            "..." + "." * 100 + "N" + "." * 98 + "N...",
            [(103, 104), (202, 203)],
        ),
        ("." * 500 + "ab" + "." * 97 + "ab.", "ab", "..." + "." * 100 + "ab" + "." * 97 + "a...", [(103, 105)]),
        ("ä" * 300 + "ẞ" + "😀" * 300, "ß", "..." + "ä" * 100 + "ẞ" + "😀" * 99 + "...", [(103, 104)]),
        ("\0" * 150 + "N", "n", "\0" * 150 + "N", [(150, 151)]),
        ("." * 300 + "ab" * 150, "ab" * 125, "..." + "." * 100 + "ab" * 50 + "...", []),
    ],
    ids=lambda value: ascii(value)[:24],
)
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_snippets(
    store: AsyncClickHouseStore, org: str, text: str, hit: str, snippet: str, marks: list[tuple[int, int]]
) -> None:
    await store.write_session(org, session("m"), [message(0, text)])
    await store.write_session(org, session("t"), [], [call(0, result_content=text)])
    for result in (await store.search(org, SearchQuery(query=hit))).results:
        assert result.snippet == snippet
        assert result.highlights == [Highlight(start, end) for start, end in marks]
        for mark in result.highlights:
            assert snippet[mark.start : mark.end].casefold() == hit.casefold()


async def test_a_tools_input_is_shown_before_its_result(store: AsyncClickHouseStore, org: str) -> None:
    calls = [
        call(0, input_json="input X", result_content="result X"),
        call(1, input_json="input", result_content="result X"),
        call(2, input_json="input X", result_content="result"),
    ]
    await store.write_session(org, session("s"), [], calls)
    page = await store.search(org, SearchQuery(query="x"))
    assert [result.snippet for result in page.results] == ["input X", "result X", "input X"]


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_needles_from_one_character_to_very_long_ones(store: AsyncClickHouseStore, org: str) -> None:
    plain, folded = "".join(chr(97 + n % 26) for n in range(6_000)), "ẞΣǅ" * 2_000
    await store.write_session(org, session("s"), [message(0, f"<{plain}>"), message(1, f"<{folded}>")])
    for length in (1, 2, 3, 199, 201, 5_000):
        for text in (plain, folded):
            for needle in (text[:length], text[-length:], text[:length].swapcase()):
                result = await one(store, org, needle)
                assert result.ordinal == (text is folded)
                assert len(result.snippet) <= 206
                assert len(result.highlights) >= (1 if length <= 99 else 0)
    assert (await store.search(org, SearchQuery(query=plain + "b"))).results == []
    assert (await store.search(org, SearchQuery(query=folded + "b"))).results == []


async def test_texts_of_megabytes_come_back_as_snippets(store: AsyncClickHouseStore, org: str) -> None:
    big = "ä" * 3_000_000 + "Needle" + "€" * 500_000
    await store.write_session(org, session("s"), [message(0, big)], [call(0, result_content=big)])
    page = await store.search(org, SearchQuery(query="needle"))
    assert [len(result.snippet) for result in page.results] == [206, 206]
    assert [result.highlights for result in page.results] == [[Highlight(103, 109)]] * 2


@pytest.mark.parametrize("mode", ["substring", "words"])
async def test_a_call_has_the_source_id_of_its_message_while_that_is_there(
    store: AsyncClickHouseStore, org: str, mode: str
) -> None:
    async def sources() -> list[str]:
        page = await store.search(org, SearchQuery("needle", mode=mode, role="tool"))
        return [hit.source_id for hit in page.results]

    one, row = call(0, input_json="needle", tool_use_id="t"), message(0, "x", source_id="first")
    await store.write_session(org, session("s"), [row], [one, call(1, input_json="needle")])
    await store.write_session(f"{org}-other", session("s"), [message(1, "x", source_id="other")])
    assert sorted(await sources()) == ["", "first"]
    await store.write_session(org, session("s"), [message(0, "x", source_id="second")])
    assert sorted(await sources()) == ["", "second"]
    await store.write_session(org, session("s"), [message(1, "x", source_id="third")], [one], replace=True)
    assert await sources() == [""]


@pytest.mark.parametrize("path", ["open", "scan"])
async def test_ids_that_are_no_text_break_no_search(
    store: AsyncClickHouseStore, org: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(path, monkeypatch, most=9)
    await store.write_session(org, session("s"), [message(0, "needle")])
    foreign = "INSERT INTO tool_calls (org_id, session_id, tool_use_id, input_json) SELECT {org}, 's', {id}, 'needle'"
    await store._open_pool.execute(sql(foreign, org=org, id=Sql("unhex('FF')")))
    page = await store.search(org, SearchQuery("needle"))
    assert ("user", 0) in [(hit.role, hit.ordinal) for hit in page.results]
