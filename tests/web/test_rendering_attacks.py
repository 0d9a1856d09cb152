"""Nothing of a text runs, loads, restyles or goes anywhere but to the web, wherever it stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from agentstore.models import ToolCall
from agentstore.web import rendering
from agentstore.web.rendering import WHOLE, finder, markdown_html, message_parts, told_call
from agentstore.web.rendering.code import _LANGUAGES
from tests.web.attacks import ATTACKS
from tests.web.pages import Page

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
_MARKS = (
    r"[ ] ( ) ![ ](http://a.b) ](javascript:x) * ** _ ~~ ` ``` ~~~ > - 1. # | |-| < <b <http://a.b> & &#60; &amp; \ "
    "<script> </p> <!-- {{ a é"
)
MARKED_UP = st.lists(
    st.sampled_from(
        [*_MARKS.split(), " ", "\n", "\n\n", "\t", "\x00", "\u202e", "\ud800", "diff --git", "@@ -1 +1 @@"]
    ),
    max_size=40,
).map("".join)
LONG = 1_000
NAMES = ("command", "file_path", "content", "old_string", "pattern", "prompt", "url", "todos", "x")
TOOLS = (("Bash", "Bash"), ("Read", "Read"), ("Edit", "Edit"), ("Write", "Write"), ("Other", "mcp__a__b"), ("", ""))


def assert_harmless(html: Markup) -> Page:
    page = Page(html)
    assert page.wrong == []
    assert page.deepest < 60
    html.encode()  # no half of a character
    return page


def calls_with(text: str) -> Iterator[ToolCall]:
    """Calls whose every text is this one."""
    for category, name in TOOLS:
        yield ToolCall(0, tool_name=name or text, tool_category=category or text, input_json=text, result_content=text)
        for argument in NAMES:
            given = {argument: text, "new_string": text + "x", "path": text, text[:50]: [text, {text[:50]: text}]}
            yield ToolCall(
                0,
                tool_name=name,
                tool_category=category,
                input_json=json.dumps(given),
                skill_name=text,
                result_content=text,
                result_content_length=len(text),
                is_error=argument == "x",
            )


def call_with(text: str) -> ToolCall:
    """One that says it everywhere."""
    given = {**dict.fromkeys(NAMES, text), "old_string": text, "new_string": text + "x", text: [text, {text: text}]}
    return ToolCall(
        0, tool_name=text, tool_category="Edit", input_json=json.dumps(given), skill_name=text, result_content=text
    )


def every_html(text: str, calls: Iterable[ToolCall]) -> Iterator[Markup]:
    """The text wherever it can stand."""
    find = finder(text[:3])
    yield rendering.text_html(text, find)
    yield rendering.line_html(text, 80, find)
    yield rendering.plain_html(text, find)
    yield markdown_html(text)
    yield markdown_html(text, find)
    yield markdown_html(f"> - {text}\n\n```python\n{text}\n```\n\n| a |\n|:-:|\n| {text} |", find)
    for part in message_parts(f"[Thinking]\n{text}\n[/Thinking]\n<system-reminder>{text}</system-reminder>\n{text}"):
        yield from (part.html, part.title)
    for call in calls:
        told = told_call(call, text, find)
        yield from (told.name, told.summary, told.skill, told.body.html)
        yield told.result.html if told.result else Markup("")


def test_there_are_many_attacks() -> None:
    assert len(ATTACKS) >= 150
    assert len(set(ATTACKS.values())) == len(ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_text_wherever_it_stands(name: str) -> None:
    text = ATTACKS[name]
    for html in every_html(text, calls_with(text) if len(text) < LONG else [call_with(text)]):
        assert_harmless(html)


@pytest.mark.parametrize("name", [name for name in ATTACKS if len(ATTACKS[name]) < LONG])
def test_an_attack_is_harmless_code_of_every_language(name: str) -> None:
    shown = rendering.visible(ATTACKS[name])
    for language in _LANGUAGES:
        page = assert_harmless(rendering.code_html(ATTACKS[name], language, finder(ATTACKS[name][:3])))
        assert page.text == shown


@pytest.mark.parametrize("name", ATTACKS)
def test_the_whole_of_a_call_is_harmless_too(name: str) -> None:
    assert_harmless(told_call(call_with(ATTACKS[name][:20_000]), limits=WHOLE).body.html)


@settings(deadline=None)
@given(MARKED_UP)
def test_any_markdown_is_harmless(text: str) -> None:
    for html in every_html(text, [call_with(text)]):
        assert_harmless(html)


@settings(deadline=None)
@given(ANY_TEXT)
def test_any_text_is_harmless_everywhere(text: str) -> None:
    for html in every_html(text, [call_with(text)]):
        assert_harmless(html)


@settings(deadline=None)
@given(ANY_TEXT)
def test_what_is_plain_reads_as_what_is_visible(text: str) -> None:
    shown = rendering.visible(text)
    assert assert_harmless(rendering.text_html(text)).text == shown
    assert assert_harmless(rendering.text_html(text, finder(text[1:3]))).text == shown
    assert assert_harmless(rendering.plain_html(text)).text == shown
    assert rendering.visible(shown) == shown
