"""Handles: what is given out is taken, means the same, and holds nothing but plain characters."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore import MessageVersion
from agentstore.mcp.handles import Handle, is_source, is_text, mark_of, of_message, of_session, parsed
from tests.hostile import TEXTS

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
PLAIN = re.compile(r"[A-Za-z0-9:._~@+=%#-]+")
VERSION = MessageVersion("s", 7, "m7", "0123456789abcdef")


@given(IDS, st.integers(0, 2**32 - 1))
def test_a_handle_leads_to_what_it_is_of(id: str, ordinal: int) -> None:
    assert parsed(of_session(id)) == Handle(id)
    assert parsed(of_message(id, ordinal, None)) == Handle(id, ordinal)
    marked = of_message(id, ordinal, VERSION)
    assert parsed(f" {marked}\n") == Handle(id, ordinal, mark_of(VERSION))
    assert parsed(f"{marked}/result.3@1790") == Handle(id, ordinal, mark_of(VERSION), "result", 3, 1790)
    assert PLAIN.fullmatch(marked)


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_ids_are_plain_in_a_handle(name: str) -> None:
    id = TEXTS[name][:100]
    assert PLAIN.fullmatch(of_session(id))
    assert parsed(of_session(id)) == Handle(id)


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("s#1/text@0", Handle("s", 1, part="text")),
        ("s#1/text.2@5", Handle("s", 1, part="text", call=2, start=5)),
        ("codex:a/b", None), ("", None), ("#1", None), ("s#", None), ("s#-1", None), ("s#1.abc", None), ("s t", None),
        ("s#1.0123456789AB", None), ("s#1/other@0", None), ("s#1/text", None), ("s#12345678901", None),
        ("s" * 1501, None), ("s#1.0123456789ab\nmore", None),
    ],
)  # fmt: skip
def test_what_is_a_handle(text: str, handle: Handle | None) -> None:
    assert parsed(text) == handle


def test_a_mark_tells_the_message_of_the_source_from_its_text() -> None:
    mark = mark_of(VERSION)
    assert re.fullmatch("[0-9a-f]{12}", mark)
    other_text = MessageVersion("s", 9, "m7", "fedcba9876543210")
    other_source = MessageVersion("t", 7, "m8", VERSION.version)
    nameless = MessageVersion("s", 7, "", VERSION.version)
    assert (is_source(mark, other_text), is_text(mark, other_text)) == (True, False)
    assert (is_source(mark, other_source), is_text(mark, other_source)) == (False, True)
    # Messages of a source that gives them no ids are not all the same one.
    assert (is_source(mark_of(nameless), nameless), is_text(mark_of(nameless), nameless)) == (False, True)
    assert len({mark_of(one) for one in (VERSION, other_text, other_source, nameless)}) == 4
