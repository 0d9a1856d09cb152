"""Long sessions in parts: outlines, windows with texts that are cut, and the rest of a text."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from agentstore import (
    AsyncClickHouseStore,
    CutText,
    InvalidArgumentError,
    Message,
    MessageOutline,
    NotFoundError,
    SessionDelete,
    SessionWindow,
    TextPart,
    ToolCall,
)
from agentstore.models import TextKind
from tests import reference
from tests.builders import at, call, message, session, stored

EVERYTHING: dict[str, Any] = {"first_ordinal": 0, "last_ordinal": 2**32 - 1}
FAMILY = "👨\u200d👩\u200d👧\u200d👦"


async def ordinals(store: AsyncClickHouseStore, org: str, **asked: Any) -> list[int]:
    """Those of the messages in a window, which are also those of the outline, where it is everything."""
    found = [one.ordinal for one in (await store.session_window(org, "s", **{**EVERYTHING, **asked})).messages]
    if not asked:
        assert [one.ordinal for one in await store.session_outline(org, "s")] == found
    return found


async def test_an_outline_has_all_of_a_message_but_its_texts(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(
        org,
        session("s"),
        [
            message(3, "hello", content_length=5, timestamp=at(1, micro=7), source_id="r'1", model="m",
                    role="assistant", has_thinking=True, has_tool_use=True),
            message(1, "no length said"),
            message(2**32 - 1, "", timestamp=None),
        ],
        [
            call(3, tool_use_id="a", result_content="xx", result_content_length=2),
            call(3, tool_use_id="b", result_content_length=40, is_error=True),
            call(3, tool_use_id="c", result_content_length=None),
            call(3, tool_use_id="d", result_content_length=0, is_error=True),
            call(7, tool_use_id="e", result_content_length=9),  # of a message that nobody wrote
        ],
    )  # fmt: skip
    assert await store.session_outline(org, "s") == [
        MessageOutline(1, role="user"),
        MessageOutline(3, "assistant", at(1, micro=7), "m", 5, True, True, "r'1", 4, 2, 42),
        MessageOutline(2**32 - 1, role="user"),
    ]
    assert await store.session_outline(org, "nobody's") == []
    assert await store.session_outline(f"{org}-other", "s") == []


async def test_a_window_has_both_its_ends_and_leaps_over_gaps(store: AsyncClickHouseStore, org: str) -> None:
    messages = [message(n, f"m{n}") for n in (0, 1, 2, 5, 9, 2**32 - 1)]
    calls = [call(n, tool_use_id=f"t{n}", result_content=f"r{n}") for n in (0, 2, 4, 5, 9)]
    await store.write_session(org, session("s"), messages, calls)
    told = [stored(one, org, session_id="s") for one in messages]
    called = [stored(one, org, session_id="s") for one in calls]
    for first, last in ((0, 0), (1, 5), (2, 4), (3, 4), (6, 8), (9, 2**32 - 1), (-5, 2), (5, 1), (-(10**30), 10**30)):
        assert await store.session_window(org, "s", first_ordinal=first, last_ordinal=last) == SessionWindow(
            [one for one in told if first <= one.ordinal <= last],
            [one for one in called if first <= one.message_ordinal <= last],
            versions=[reference.version(one) for one in told if first <= one.ordinal <= last],
        )
    assert await store.session_window(org, "nobody's", **EVERYTHING) == SessionWindow()
    assert await store.session_window(f"{org}-other", "s", **EVERYTHING) == SessionWindow()


async def test_texts_are_cut_at_characters(store: AsyncClickHouseStore, org: str) -> None:
    texts = ["", "abcd", "abcde", "検索する文", "é" * 5, f"{FAMILY}!", "\0\0\0\0\0", "a\u0301\u0301\u0301\u0301"]
    messages = [message(n, one, token_usage=one[::-1]) for n, one in enumerate(texts)]
    calls = [
        call(n, tool_use_id="t'", call_index=3, input_json=one, result_content=one[::-1], result_content_length=n)
        for n, one in enumerate(texts)
    ]
    await store.write_session(org, session("s"), messages, calls)
    for most in (0, 1, 4, 5, 7, 8, 10**30):
        window = await store.session_window(org, "s", **EVERYTHING, max_characters=most)
        assert [(one.content, one.token_usage) for one in window.messages] == [
            (one[:most], one[::-1][:most]) for one in texts
        ]
        assert [(one.input_json, one.result_content) for one in window.tool_calls] == [
            (one[:most], one[::-1][:most]) for one in texts
        ]
        assert window.versions == [reference.version(one) for one in messages]
        longer = [(n, len(one)) for n, one in enumerate(texts) if len(one) > most]
        parts: tuple[TextKind, ...] = ("content", "usage")
        called: tuple[TextKind, ...] = ("input", "result")
        assert window.cut == [
            *(CutText(n, part, total=total) for n, total in longer for part in parts),
            *(CutText(n, part, "t'", 3, total) for n, total in longer for part in called),
        ]
    whole = await store.session_window(org, "s", **EVERYTHING, max_characters=None)
    assert whole == SessionWindow(
        await store.get_session_messages(org, "s"),
        await store.get_session_tool_calls(org, "s"),
        [],
        [reference.version(one) for one in messages],
    )


async def test_the_rest_of_a_text(store: AsyncClickHouseStore, org: str) -> None:
    long = f"検索{FAMILY}" * 3
    await store.write_session(
        org,
        session("s"),
        [message(1, long, token_usage="{}"), message(2, "")],
        [
            call(
                1, tool_use_id="a", call_index=1, input_json="[1]", result_content=long[::-1], result_content_length=5
            ),
            call(1, tool_use_id="none yet", result_content_length=None),
            call(1, tool_use_id="empty", result_content_length=0),
            call(1, tool_use_id="no length said", result_content="here"),
        ],
    )
    assert await store.message_text(org, "s", 1) == TextPart(long, 0, len(long))
    for first, characters in ((0, 1), (3, 5), (len(long) - 1, 9), (len(long), 9), (10**30, 10**30), (2, 0)):
        found = await store.message_text(org, "s", 1, first=first, characters=characters)
        assert (found.text, found.total) == (long[first : first + characters], len(long))
    assert await store.message_text(org, "s", 2) == TextPart("", 0, 0)
    assert (await store.message_text(org, "s", 1, part="usage")).text == "{}"
    assert (await store.message_text(org, "s", 1, part="input", tool_use_id="a", call_index=1)).text == "[1]"
    assert await store.message_text(
        org, "s", 1, part="result", tool_use_id="a", call_index=1, first=1, characters=2
    ) == TextPart(long[::-1][1:3], 1, len(long))
    assert await store.message_text(org, "s", 1, part="result", tool_use_id="empty") == TextPart("", 0, 0)
    assert (await store.message_text(org, "s", 1, part="result", tool_use_id="no length said")).text == "here"
    assert await store.message_text(org, "s", 1, part="input", tool_use_id="none yet") == TextPart("", 0, 0)


@pytest.mark.parametrize(
    "asked",
    [
        {"ordinal": 0},
        {"ordinal": -1},
        {"ordinal": 10**30},
        {"session_id": "t"},
        {"org_id": "other"},
        {"part": "input"},
        {"part": "input", "tool_use_id": "a", "call_index": 1},
        {"part": "result", "tool_use_id": "a", "ordinal": 2},
        {"part": "result", "tool_use_id": "none yet"},
    ],
)
async def test_a_text_that_there_is_not(store: AsyncClickHouseStore, org: str, asked: dict[str, Any]) -> None:
    await store.write_session(
        org, session("s"), [message(1, "x")], [call(1, tool_use_id="a"), call(1, tool_use_id="none yet")]
    )
    with pytest.raises(NotFoundError, match=r"^no (content|input|result) of (message_)?ordinal "):
        await store.message_text(**{"org_id": org, "session_id": "s", "ordinal": 1, **asked})


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("session_outline", {"session_id": 1}, "session_id"),
    ("session_window", {"session_id": None, **EVERYTHING}, "session_id"),
    ("session_window", {**EVERYTHING, "first_ordinal": "0"}, "first_ordinal"),
    ("session_window", {**EVERYTHING, "last_ordinal": 1.5}, "last_ordinal"),
    ("session_window", {**EVERYTHING, "last_ordinal": True}, "last_ordinal"),
    ("session_window", {**EVERYTHING, "max_characters": -1}, "max_characters"),
    ("session_window", {**EVERYTHING, "max_characters": "4"}, "max_characters"),
    ("message_text", {"ordinal": None}, "ordinal"),
    ("message_text", {"ordinal": 0, "part": "title"}, "part"),
    ("message_text", {"ordinal": 0, "part": ["content"]}, "part"),
    ("message_text", {"ordinal": 0, "tool_use_id": "t"}, "tool_use_id"),
    ("message_text", {"ordinal": 0, "part": "usage", "call_index": 1}, "call_index"),
    ("message_text", {"ordinal": 0, "part": "input", "tool_use_id": 1}, "tool_use_id"),
    ("message_text", {"ordinal": 0, "part": "input", "call_index": "1"}, "call_index"),
    ("message_text", {"ordinal": 0, "first": -1}, "first"),
    ("message_text", {"ordinal": 0, "characters": 0.5}, "characters"),
]


@pytest.mark.parametrize(("method", "asked", "field"), BAD)
async def test_what_cannot_be_asked(
    store: AsyncClickHouseStore, org: str, method: str, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^{field}: ") as caught:
        await getattr(store, method)(**{"org_id": org, "session_id": "s", **asked})
    assert caught.value.field == field


async def test_what_a_replace_took_away_is_gone_and_late_rows_are_there(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("s"), [message(0, "old"), message(1)], [call(0), call(1, is_error=True)])
    mark = await store.mark()
    await store.write_session(org, session("s"), [message(0, "new"), message(4)], [call(4)], replace=mark)
    assert await ordinals(store, org) == [0, 4]
    assert [one.call_count for one in await store.session_outline(org, "s")] == [0, 1]
    assert (await store.message_text(org, "s", 0)).text == "new"
    with pytest.raises(NotFoundError):
        await store.message_text(org, "s", 1)
    with pytest.raises(NotFoundError):
        await store.message_text(org, "s", 0, part="input")
    window = await store.session_window(org, "s", **EVERYTHING)
    assert [one.message_ordinal for one in window.tool_calls] == [4]
    await store.write_batch(org, [], [message(2, "late", session_id="s")], [call(2, session_id="s", is_error=True)])
    assert await ordinals(store, org) == [0, 2, 4]
    assert [one.error_count for one in await store.session_outline(org, "s")] == [0, 1, 0]
    await store.write_session_deletes(org, [SessionDelete(session_id="s")])  # hides it from lists only
    assert await ordinals(store, org) == [0, 2, 4]
    await store.purge_sessions(org, ["s"])
    assert await ordinals(store, org) == []
    with pytest.raises(NotFoundError):
        await store.message_text(org, "s", 0)


async def test_a_fork_reads_whole(store: AsyncClickHouseStore, org: str) -> None:
    told = [message(n, f"m{n}", role="assistant", source_id=f"r{n}", output_tokens=1) for n in range(3)]
    await store.write_session(org, session("origin"), told, [call(1)])
    await store.write_session(org, session("s", started_at=at(5)), [*told, message(3)], [call(1)])
    assert (await store.get_session(org, "s")).copied_message_count == 3
    assert await ordinals(store, org) == [0, 1, 2, 3]
    assert [one.call_count for one in await store.session_outline(org, "s")] == [0, 1, 0, 0]


async def pieces(store: AsyncClickHouseStore, org: str, step: int, most: int) -> tuple[list[Message], list[ToolCall]]:
    """A whole session, put together from windows, and its long texts from parts."""
    messages: list[Message] = []
    calls: list[ToolCall] = []
    outline = await store.session_outline(org, "s")
    names: dict[str, str] = {
        "content": "content", "usage": "token_usage", "input": "input_json", "result": "result_content"
    }  # fmt: skip
    for start in range(0, len(outline), step):
        first, last = outline[start].ordinal, outline[start : start + step][-1].ordinal
        # From behind the message before: calls may be of no message.
        first = outline[start - 1].ordinal + 1 if start else 0
        last = 2**32 - 1 if start + step >= len(outline) else last
        window = await store.session_window(org, "s", first_ordinal=first, last_ordinal=last, max_characters=most)
        told = {one.ordinal: one for one in window.messages}
        called = {(one.message_ordinal, one.tool_use_id, one.call_index): one for one in window.tool_calls}
        for cut in window.cut:
            key = (cut.ordinal, cut.tool_use_id, cut.call_index)
            of: Any = called[key] if cut.part in ("input", "result") else told[cut.ordinal]
            text = getattr(of, names[cut.part])
            assert len(text) == most
            while len(text) < cut.total:
                more = await store.message_text(
                    org, "s", cut.ordinal, tool_use_id=cut.tool_use_id, call_index=cut.call_index, part=cut.part,
                    first=len(text), characters=most + 3,
                )  # fmt: skip
                assert (more.first, more.total) == (len(text), cut.total)
                assert more.text
                text += more.text
            whole = replace(of, **{names[cut.part]: text})
            if cut.part in ("input", "result"):
                called[key] = whole
            else:
                told[cut.ordinal] = whole
        messages += told.values()
        calls += called.values()
    return messages, calls


async def test_windows_and_parts_put_together_are_the_session(store: AsyncClickHouseStore, org: str) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)

    def text() -> str:
        return "".join(rng.choices(f"ab\0\n é検索🧪{FAMILY}", k=rng.choice((0, 1, 3, 4, 5, 40))))

    messages = [message(n, text(), token_usage=text()) for n in sorted(rng.sample(range(60), 25))]
    keys = {(rng.randrange(60), rng.choice(("", "a", "b")), rng.randrange(2)) for _ in range(40)}
    calls = [
        call(n, tool_use_id=id, call_index=index, input_json=text(), result_content=text(),
             result_content_length=rng.choice((None, 0, 5)))
        for n, id, index in keys
    ]  # fmt: skip
    await store.write_session(org, session("s"), messages[:10], calls[:20])
    await store.write_batch(org, [], [replace(one, session_id="s") for one in messages],
                            [replace(one, session_id="s") for one in calls])  # fmt: skip
    whole = (await store.get_session_messages(org, "s"), await store.get_session_tool_calls(org, "s"))
    assert (len(whole[0]), len(whole[1])) == (len(messages), len(calls))
    for step, most in ((1, 4), (7, 1), (100, 39)):
        assert await pieces(store, org, step, most) == whole
