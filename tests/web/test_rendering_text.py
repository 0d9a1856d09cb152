"""Text, terminal sequences and diffs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentstore.web.rendering import changed_lines, line_html, lines_of_diff, text_html, without_ansi
from agentstore.web.rendering.marks import nothing, spread
from agentstore.web.rendering.patches import _compared
from tests.web.pages import Page


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a\r\nb\tc", "a\nb\tc"),
        ("a\rb", "a␍b"),
        ("\x00\x1b[31m", "␀␛[31m"),
        ("<a href='x'>\"", "&lt;a href=&#39;x&#39;&gt;&#34;"),
        ("x\u202egnp", "x&lt;U+202E&gt;gnp"),
        ("\ud800", "&lt;U+D800&gt;"),
        ("می\u200cخواهم 👩\u200d💻 a\u200db", "می\u200cخواهم 👩\u200d💻 a&lt;U+200D&gt;b"),
    ],
)
def test_text(text: str, html: str) -> None:
    assert text_html(text) == html


@pytest.mark.parametrize(
    ("text", "most", "html"),
    [
        ("a\n\tb", 0, "a b"),
        (" a ", 0, "a"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("a" + "\n" * 1_000 + "b", 6, "a…"),
        ("<<<<<<<<", 3, "&lt;&lt;…"),
    ],
)
def test_one_line(text: str, most: int, html: str) -> None:
    assert line_html(text, most) == html


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;196;1mx\x1b[m", "x"),
        ("\x9b31mred\x9b0m", "red"),
        ("a\x1b[2K\x1b[1Gb", "ab"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://a.b\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;no end\nx", "0;no end\nx"),
        ("\x1bP1$r0m\x1b\\x", "x"),
        ("\x1b(Bx\x1b=y\x1b7z", "xyz"),
        ("x\x1b[31", "x"),
        ("x\x1b", "x"),
        ("10%\r50%\r100%\n", "10%\n50%\n100%\n"),
        ("a\r\nb\r\r\nc", "a\nb\nc"),
        ("\x07\x0e\x0fx", "x"),
        ("[31m", "[31m"),
        ("日本 ✓ é", "日本 ✓ é"),
    ],
)
def test_what_a_terminal_was_told(text: str, alone: str) -> None:
    assert without_ansi(text) == alone


@given(st.text("\x1b[]0;m\x07\\P(Bax\n\x9b\x9c", max_size=40))
def test_no_sequence_is_left(text: str) -> None:
    left = without_ansi(text)
    assert not set(left) & set("\x1b\x9b\x07")
    assert left.count("\n") == text.count("\n")
    assert len(left) <= len(text)


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_a_diff_has_all_of_both_texts(before: list[str], after: list[str]) -> None:
    old, new = "\n".join(before), "\n".join(after)
    lines = changed_lines(old, new)
    assert [line.text for line in lines if line.kind != "added"] == (old.removesuffix("\n").split("\n") if old else [])
    assert [line.text for line in lines if line.kind != "removed"] == (
        new.removesuffix("\n").split("\n") if new else []
    )


def test_only_what_is_small_is_compared_line_by_line() -> None:
    few, many = [str(number) for number in range(500)], ["a", "b"] * 200
    kinds = [line.kind for line in _compared(few, few[250:] + few[:250])]
    assert "kept" in kinds
    # Pairs of equal lines: 80,000.
    assert [line.kind for line in _compared(many, many[1:])] == ["removed"] * 400 + ["added"] * 399
    long = [str(number) for number in range(1_001)]
    assert {line.kind for line in _compared(long, long[::-1])} == {"removed", "added"}


@pytest.mark.parametrize("text", ["", "a", "--- a\n+++ b\nno hunk", "@@ x", "- a\n+ b", "*** Begin"])
def test_what_is_no_diff(text: str) -> None:
    assert lines_of_diff(text) is None


def test_lines_of_a_hunk_may_look_like_heads() -> None:
    lines = lines_of_diff("--- a\n+++ b\n@@ -1,2 +1 @@\n--- x\n y\nend")
    assert lines
    assert [(line.kind, line.text, line.old, line.new) for line in lines[3:]] == [
        ("removed", "-- x", 1, 0), ("kept", "y", 2, 1), ("file", "end", 0, 0)
    ]  # fmt: skip


@given(st.lists(st.text("ab", max_size=4), max_size=6), st.text("ab", min_size=1, max_size=3))
@settings(deadline=None)
def test_shares_of_hits_are_the_hits(runs: list[str], needle: str) -> None:
    text = "".join(runs)

    def find(whole: str) -> list[tuple[int, int]]:
        found, at = [], whole.find(needle)
        while at >= 0:
            found.append((at, at + len(needle)))
            at = whole.find(needle, at + len(needle))
        return found

    marked = [False] * len(text)
    begins = 0
    for run, spans in zip(runs, spread(runs, find), strict=True):
        for start, end in spans:
            marked[begins + start : begins + end] = [True] * (end - start)
        begins += len(run)
    expected = [any(start <= at < end for start, end in find(text)) for at in range(len(text))]
    assert marked == expected
    assert spread(runs, nothing) == [[] for _ in runs]


def test_a_mark_is_in_order_inside_of_escaped_text() -> None:
    from agentstore.web.rendering import finder

    page = Page(text_html("<b> & <B>", finder("<b>")))
    assert (page.text, page.marked, page.tags) == ("<b> & <B>", ["<b>", "<B>"], ["mark", "mark"])
