"""Markdown as people read it; bounds that are told by counting; hits that are seen in it."""

from __future__ import annotations

import pathlib
import re

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import agentstore.web
from agentstore.web.rendering import finder, in_thread, markdown_html, visible, word_finder
from agentstore.web.rendering.bounds import LONGEST, MOST_COST, cost_of, left_for, without_fences
from agentstore.web.rendering.code import HIGHLIGHTED, LONGEST_LINE, can_be_highlighted, code_html
from agentstore.web.rendering.markdown import link_of
from agentstore.web.rendering.stylesheet import _ON_DARK, _ON_LIGHT, contrast, readable, stylesheet
from tests.web.attacks import ATTACKS
from tests.web.pages import Page

REL = 'rel="noopener noreferrer nofollow" referrerpolicy="no-referrer"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <s>c</s> <code>d</code></p>"),
        ("# a\n\n### b\n\n###### c", "<h3>a</h3>\n<h5>b</h5>\n<h6>c</h6>"),
        ("- a\n- b", "<ul><li>a</li>\n<li>b</li>\n</ul>"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>'),
        ("> a  \n> b", "<blockquote><p>a<br>\nb</p>\n</blockquote>"),
        ("[a](https://b.c/d?e=f&g)", f'<p><a href="https://b.c/d?e=f&amp;g" {REL}>a</a></p>'),
        ("<mailto:a@b.c> <a@b.c>", f'<p><a href="mailto:a@b.c" {REL}>mailto:a@b.c</a> '
                                   f'<a href="mailto:a@b.c" {REL}>a@b.c</a></p>'),
        ("(https://a.b/c_d_(e)).", f'<p>(<a href="https://a.b/c_d_(e)" {REL}>https://a.b/c_d_(e)</a>).</p>'),
        ("[a](vscode://b)", '<p><span class="no-link">a (vscode://b)</span></p>'),
        ("[a](//b.c)", '<p><span class="no-link">a (//b.c)</span></p>'),
        ("[a](b/c.md)", '<p><span class="no-link">a (b/c.md)</span></p>'),
        ("![a *b*](https://c.d/e.gif)", '<p><span class="image">image: a *b* (https://c.d/e.gif)</span></p>'),
        ("![](x)", '<p><span class="image">image: unnamed (x)</span></p>'),
        ("<b>a</b>", "<p>&lt;b&gt;a&lt;/b&gt;</p>"),
        ("|a|b|\n|-|-:|\n|c|d|", '<div class="table"><table>\n<thead><tr><th>a</th>\n<th class="right">b</th>\n</tr>\n'
         '</thead>\n<tbody><tr><td>c</td>\n<td class="right">d</td>\n</tr>\n</tbody>\n</table></div>'),
        ("```py\nif 1: pass\n```", '<pre class="code"><code><span class="k">if</span> <span class="mi">1</span>'
         '<span class="p">:</span> <span class="k">pass</span>\n</code></pre>'),
        ("```nosuch\n<x>\n```", '<pre class="code"><code>&lt;x&gt;\n</code></pre>'),
        ("---", "<hr>"),
    ],
)  # fmt: skip
def test_markdown(text: str, html: str) -> None:
    assert markdown_html(text).strip() == html


@pytest.mark.parametrize(
    "address", ["http://a", "https://a.b:8080/c#d", "HTTPS://A.B", "mailto:a@b.c", "http://[::1]/x"]
)
def test_what_a_link_may_go_to(address: str) -> None:
    assert link_of(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "", "/", "//a.b", "a", "#a", "?a", "javascript:alert(1)", "data:,x", "vscode://a", "http:a", "http:/a", "http:///a",
        "http://", "http://a b", "http://a\tb", "http://a\u202eb", "http://é.b", "https://a.b@c.d", "http://a:99999",
        "http://a:x", "http://[::1", "http://\\a", "ftp://a", "http://a/" + "b" * 2_000, "mailto://a", " http://a",
    ],
)  # fmt: skip
def test_what_no_link_may_go_to(address: str) -> None:
    assert link_of(address) == ""


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_any_scheme_but_three_is_refused(rest: str) -> None:
    for scheme in ("javascript", "data", "file", "vscode", "blob", "about", "ftp", "x"):
        assert link_of(f"{scheme}:{rest}") == ""


def test_a_text_within_the_bound_is_markdown_and_one_beyond_is_plain() -> None:
    most = 1
    while left_for("*a* " * (most + 1)) >= 0:
        most += 1
    assert "<em>a</em>" in markdown_html("*a* " * most)
    beyond = markdown_html("*a* " * (most + 1))
    assert beyond == f'<div class="plain">{"*a* " * (most + 1)}</div>'


@pytest.mark.parametrize(
    "name", ["brackets", "images", "links that never end", "both emphases", "a table of nothing", "addresses",
             "emphasis", "lines", "references", "deep lists"],
)  # fmt: skip
def test_what_would_take_long_is_plain(name: str) -> None:
    assert left_for(ATTACKS[name]) < 0
    assert markdown_html(ATTACKS[name]).startswith('<div class="plain">')


def test_prose_of_a_usual_length_is_not_plain() -> None:
    paragraph = (
        "The *quick* brown fox jumps over `the lazy` dog, **then** it [runs](https://a.b/c).\n\n- one\n- two\n\n"
    )
    assert left_for(paragraph * 80) > 0
    assert left_for("word " * (LONGEST // 5)) > 0
    assert left_for("word " * (LONGEST // 5) + "more ") < 0


@given(st.text("[]()*_`~<>!|-#\n a:&", max_size=300))
@settings(deadline=None)
def test_more_text_never_costs_less(text: str) -> None:
    assert cost_of(text) <= cost_of(text + text) <= cost_of(text * 4)


FENCE_LINES = ["```", "~~~", "````", "``` py", "```a`b", "~~~ `", "``", "a", "", "- a", "> a", "1. a", "    ```",
               "[a]: b 'c", "'", "|a|\n|-|", "# a", "a\n==", "  b", "\tc", "``` ", "~~~~"]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from([*FENCE_LINES, "- ```", "> ~~~", "  ```"]), max_size=12))
def test_what_is_left_out_of_the_count_is_in_fences(lines: list[str]) -> None:
    text = "\n".join(lines)
    prose, _ = without_fences(text)
    fenced = set()
    for token in MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).parse(text):
        if token.type == "fence" and token.map:
            fenced |= set(range(token.map[0] + 1, token.map[1]))
    outside = [line for number, line in enumerate(text.split("\n")) if number not in fenced and line.strip()]
    # All that is not in a fence, and says something, is counted, in its order.
    counted = iter(prose.split("\n"))
    assert all(line in counted for line in outside)


def test_much_code_is_not_too_much() -> None:
    assert left_for("```\n" + "a[0] = *b | `c`\n" * 2_000 + "```") > 0
    assert left_for("- ```\n" + "a[0] = *b | `c`\n" * 2_000 + "```") < 0


def test_what_is_nested_too_deep_is_not_lost() -> None:
    html = markdown_html(">" * 100 + " end")
    page = Page(html)
    assert page.deepest < 30
    assert page.wrong == []


def test_code_is_highlighted_within_its_bounds_only() -> None:
    line = "x = 1\n"
    most = HIGHLIGHTED // len(line)
    assert "<span" in code_html(line * most, "python")
    assert code_html(line * (most + 2), "python") == line * (most + 2)
    assert can_be_highlighted("x" * LONGEST_LINE, "python")
    assert not can_be_highlighted("x" * (LONGEST_LINE + 1), "python")
    assert not can_be_highlighted("x", "brainfuck")
    assert can_be_highlighted("\t\n" * 90, "c")
    assert not can_be_highlighted("\t\n" * 100, "c")
    assert can_be_highlighted("\\\n" * 300, "go")
    assert not can_be_highlighted("\\\n" * 301, "go")


def test_all_code_of_a_text_has_one_bound() -> None:
    fence = "```py\n" + "x = 1\n" * 200 + "```\n\n"
    html = markdown_html(fence * 12)
    assert 0 < html.count('<span class="mi">') < 200 * 12
    assert Page(html).text.count("x = 1") == 200 * 12
    assert cost_of(fence * 12) + 6 * 6 * html.count('<span class="mi">') <= MOST_COST + 6 * 1_200


@pytest.mark.parametrize(
    ("text", "needle", "marked"),
    [
        ("a **B** c", "a b c", ["a ", "B", " c"]),
        ("`Foo` and ```\nfoo\n```", "foo", ["Foo", "foo"]),
        ("```py\nimport os.path\n```", "T OS", ["t", " ", "os"]),
        ("[link](https://a.b)", "link", ["link"]),
        ("Straße ÄRGER", "ärger", ["ÄRGER"]),
        ("a < b &amp; c", "< b &", ["< b &"]),
        ("aaa", "aa", ["aa"]),
        ("one\ntwo", "e\nt", ["e", "\n", "t"]),
    ],
)
def test_hits_are_marked_where_they_are_read(text: str, needle: str, marked: list[str]) -> None:
    page = Page(markdown_html(text, finder(needle)))
    assert page.wrong == []
    assert [one for one in page.marked if one.strip() or one == " "] == [one for one in marked if one != "\n"]


def test_words_are_marked_whole() -> None:
    assert Page(markdown_html('car scar "a b" care', word_finder('car "a b"'))).marked == ["car", "a b"]


@given(st.text("ab <&*`\n", max_size=40), st.text("ab <&*`", min_size=1, max_size=3))
@settings(deadline=None)
def test_marks_change_nothing_but_marks(text: str, needle: str) -> None:
    with_marks = markdown_html(text, finder(needle))
    assert with_marks.replace("<mark>", "").replace("</mark>", "") == markdown_html(text)


async def test_short_texts_are_rendered_at_once_and_long_ones_in_threads_that_are_few() -> None:
    import threading

    here = threading.get_ident()
    assert await in_thread(10, threading.get_ident) == here
    running = most = 0
    lock, gate = threading.Lock(), threading.Event()

    def render() -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                gate.set()
        gate.wait(30)
        with lock:
            running -= 1
        return threading.get_ident()

    found: list[int] = []

    async def rendered() -> None:
        found.append(await in_thread(10_000, render))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(rendered)
    assert len(found) == 8
    assert here not in found
    assert most == 2


def test_the_stylesheet_is_the_one_that_is_served() -> None:
    path = pathlib.Path(agentstore.web.__path__[0]) / "static" / "code.css"
    assert path.read_text(encoding="utf-8") == stylesheet()
    assert "url(" not in stylesheet()
    assert "@import" not in stylesheet()


def test_code_is_read_on_every_ground() -> None:
    light, rest = stylesheet().split("@media", 1)
    for part, grounds in ((light, _ON_LIGHT), (rest, _ON_DARK)):
        colours = re.findall(r"color: #(\w{6})", part)
        assert len(colours) > 20
        assert min(contrast(one, ground) for one in colours for ground in grounds) >= 4.5
    assert readable("000080", _ON_LIGHT) == "000080"


def test_markdown_shows_what_nobody_sees() -> None:
    assert "&lt;U+202E&gt;" in markdown_html("a\u202eb")
    assert "&lt;U+202E&gt;" in markdown_html("a&#x202e;b")
    assert visible("👩\u200d💻") in markdown_html("👩\u200d💻")
