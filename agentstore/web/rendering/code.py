"""Code, highlighted by Pygments with classes only. Pure.

Only languages of a list, whose lexers were measured: some of the other five hundred take seconds for a few hostile
lines. Beyond the bounds, and where a lexer does not give back exactly what it got, code is plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from markupsafe import Markup
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Error, Text, Whitespace, _TokenType

from agentstore.web.rendering.marks import Find, marked, nothing, spread
from agentstore.web.rendering.text import visible

HIGHLIGHTED = 5_000  # characters; the worst texts, of a token for each, take 6 µs for one
LONGEST_LINE = 400
# Lexers of C look from each white space to the end of the run: 12,000 of them took 4.5 s.
_GAP = re.compile(r"\s{200}")
# Strings that never end are looked through once for each escape in them.
_ESCAPES = 300

# The lexers of Java and C# took seconds for some thousand short lines; that of JavaScript knows most of their words.
# Terraform's and Markdown's are as slow, and nothing is like them.
# Pygments' name, and what else is said for it: in fences, and as the end of a file's name.
_LANGUAGES = {
    "bash": "sh shell zsh ksh bashrc zshrc",
    "c": "h",
    "cpp": "c++ cc cxx hpp hh",
    "css": "",
    "diff": "patch udiff",
    "docker": "dockerfile",
    "go": "golang",
    "html": "htm",
    "ini": "cfg conf editorconfig",
    "javascript": "js mjs cjs jsx java cs csharp c#",
    "json": "jsonl json5 jsonc webmanifest",
    "kotlin": "kt kts",
    "lua": "",
    "make": "makefile mk",
    "php": "",
    "powershell": "ps1 psm1",
    "protobuf": "proto",
    "python": "py py3 python3 pyi",
    "ruby": "rb rake gemspec",
    "rust": "rs",
    "scss": "",
    "sql": "ddl",
    "swift": "",
    "toml": "",
    "typescript": "ts tsx mts cts",
    "xml": "svg xsd xsl plist",
    "yaml": "yml",
}
_BY_NAME = {other: name for name, others in _LANGUAGES.items() for other in (name, *others.split())}


class Run(NamedTuple):
    """Text of one kind; ``kind`` is Pygments' class, "" for none."""

    text: str
    kind: str = ""


def language_of(path: str) -> str:
    """The language of a file by its name; "" for an unknown one."""
    name = path[-300:].replace("\\", "/").rpartition("/")[2].lower()
    return _BY_NAME.get(name.rpartition(".")[2], "") if name else ""


def language_named(info: str) -> str:
    """The language that a fence's info string begins with; "" for an unknown one."""
    words = info[:100].lower().strip(" {.").split(maxsplit=1)
    return _BY_NAME.get(words[0].rstrip("}").partition(",")[0], "") if words else ""


def code_html(text: str, language: str = "", find: Find = nothing) -> Markup:
    """Code as it stands in ``<code>``, without the element."""
    return runs_html(highlighted(visible(text), language), find)


def highlighted(shown: str, language: str) -> list[Run]:
    """The runs of a text that is visible already: exactly its characters."""
    if not can_be_highlighted(shown, language):
        return [Run(shown)]
    runs: list[Run] = []
    # Lexers want the last line to end.
    for _, kind, text in _lexer(language).get_tokens_unprocessed(shown + "\n"):
        name = _class_of(kind)
        if runs and runs[-1].kind == name:
            runs[-1] = Run(runs[-1].text + text, name)
        else:
            runs.append(Run(text, name))
    if "".join(run.text for run in runs) != shown + "\n":
        return [Run(shown)]
    runs[-1] = runs[-1]._replace(text=runs[-1].text[:-1])
    return runs


def can_be_highlighted(text: str, language: str) -> bool:
    """Whether the language is known, and the text within the bounds."""
    return (
        language in _LANGUAGES
        and len(text) <= HIGHLIGHTED
        and max(map(len, text.split("\n")), default=0) <= LONGEST_LINE
        and not _GAP.search(text)
        and text.count("\\") <= _ESCAPES
    )


def runs_html(runs: Iterable[Run], find: Find = nothing) -> Markup:
    """Runs as HTML, hits marked across them."""
    runs = [run for run in runs if run.text]
    pieces = []
    for run, spans in zip(runs, spread([run.text for run in runs], find), strict=True):
        inside = marked(run.text, spans)
        pieces.append(Markup('<span class="{}">{}</span>').format(run.kind, inside) if run.kind else inside)
    return Markup("").join(pieces)


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language, stripnl=False, ensurenl=False)


@cache
def _class_of(kind: _TokenType) -> str:
    """Pygments' short class for a kind of token, or for the next one above it that has one."""
    while kind not in STANDARD_TYPES:
        kind = kind.parent or Text
    # What the lexer does not understand is no error of the reader's, and white space has no colour.
    return "" if kind in (Error, Whitespace) else STANDARD_TYPES[kind]
