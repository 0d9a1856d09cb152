"""Changes of files as HTML: each line with its sign, so that it is read without colours. Pure.

``<pre class="diff">`` has a ``<span class="line …">`` for each line: ``added``, ``removed``, ``kept``, ``place`` and
``file``. Numbers, where they are known, are in ``data-old`` and ``data-new``, shown by CSS and not copied.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from agentstore.web.rendering.code import code_html
from agentstore.web.rendering.marks import Find, nothing
from agentstore.web.rendering.patches import Line, is_patch, is_unified, patch_lines, unified_lines
from agentstore.web.rendering.text import text_html

_SIGNS = {"added": "+", "removed": "-", "kept": " ", "place": "@@ ", "file": ""}


def diff_html(lines: Iterable[Line], find: Find = nothing) -> Markup:
    """Lines of a diff."""
    return Markup('<pre class="diff">{}</pre>').format(Markup("").join(_line_html(line, find) for line in lines))


def new_file_html(content: str, language: str, find: Find = nothing) -> Markup:
    """A file that is written as a whole."""
    return Markup('<pre class="code"><code>{}</code></pre>').format(code_html(content, language, find))


def lines_of_diff(text: str) -> list[Line] | None:
    """The lines of a text that is a diff; None for any other."""
    if is_patch(text):
        return patch_lines(text)
    return unified_lines(text) if is_unified(text) else None


def _line_html(line: Line, find: Find) -> Markup:
    sign = "" if line.kind == "place" and line.text.startswith("@@") else _SIGNS[line.kind]
    numbers = Markup("").join(
        Markup(' data-{}="{}"').format(name, number)
        for name, number in (("old", line.old), ("new", line.new))
        if number
    )
    text = text_html(line.text.removesuffix("\r"), find)
    return Markup('<span class="line {}"{}><span class="sign">{}</span>{}\n</span>').format(
        line.kind, numbers, sign, text
    )
