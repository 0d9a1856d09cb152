"""Snippets of what tools were given and gave back: a piece of JSON as its names and values. Pure.

A snippet is cut anywhere. Where it is not surely JSON, or where what was found is not a piece of one value or name as
it stands there, it is shown as it is: what is marked is always what was found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agentstore.integrations.hits import escaped, marked_html
from agentstore.models import Highlight, SearchResult

_CUT = "..."
_APART = " · "
# In place of a new line: few lines of a snippet are seen, and what was found has to be on one of them.
_LINE_END = "↵ "
_OUTSIDE = re.compile(r'(?P<space>\s+)|(?P<sign>[{}\[\],:])|(?P<word>-?\d[\d.eE+-]*|true|false|null)|"')
_INSIDE = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_ESCAPE = re.compile(r'\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|["\\/bfnrt])')
# Two neighbours that JSON never has: "s" is a string, "w" another value.
_NEVER = re.compile(r"[sw}\]][sw{\[]|[w:,{\[}\]]:|:[,}\]]|[,{\[],|,[}\]]")


class _Token(NamedTuple):
    """Of what kind, "s", "w" or the sign that it is, and where; a string without its quotes."""

    kind: str
    start: int
    end: int


def snippet_html(hit: SearchResult) -> str:
    """The snippet as HTML, its hits in ``<mark>``, names of values in ``<span class="name">``."""
    return (hit.role == "tool" and _readable(hit.snippet, hit.highlights)) or marked_html(hit)


def _readable(snippet: str, hits: Sequence[Highlight]) -> str:
    """Names and values; "" where it is not surely JSON."""
    start = len(_CUT) if snippet.startswith(_CUT) else 0
    end = len(snippet) - (len(_CUT) if snippet.endswith(_CUT) else 0)
    # Where it begins within it may be within a string.
    for is_inside in (True, False) if start else (False,):
        tokens = _tokens(snippet[:end], start, is_inside)
        if tokens is not None and _is_json(tokens) and _are_whole(snippet, tokens, hits):
            pieces = (_shown(snippet, tokens, at, hits) for at in range(len(tokens)))
            return f"{_CUT if start else ''}{''.join(pieces).strip()}{snippet[end:]}"
    return ""


def _tokens(text: str, at: int, is_inside: bool) -> list[_Token] | None:
    """What it consists of; None where JSON does not."""
    found = []
    while at < len(text):
        if is_inside:
            inside = _INSIDE.match(text, at)
            assert inside is not None
            # What is left after a backslash that was cut from its letter.
            stop = inside.end() if text[inside.end() : inside.end() + 1] == '"' else len(text)
            found.append(_Token("s", at, stop))
            at, is_inside = stop + 1, False
            continue
        outside = _OUTSIDE.match(text, at)
        if outside is None:
            return None
        if outside["sign"]:
            found.append(_Token(outside["sign"], at, outside.end()))
        elif outside["word"]:
            found.append(_Token("w", at, outside.end()))
        is_inside = not outside.lastgroup
        at = outside.end()
    return found


def _is_json(tokens: Sequence[_Token]) -> bool:
    kinds = "".join(one.kind for one in tokens)
    return "s:" in kinds and _NEVER.search(kinds) is None


def _are_whole(text: str, tokens: Sequence[_Token], hits: Sequence[Highlight]) -> bool:
    """Whether each hit is shown as it stands there: within one name or value, and nothing escaped in it."""
    return all(
        any(
            one.kind in "sw"
            and one.start <= hit.start
            and hit.end <= one.end
            and not any(found.start() < hit.end and hit.start < found.end() for found in _escapes(text, one))
            for one in tokens
        )
        for hit in hits
    )


def _escapes(text: str, token: _Token) -> Iterator[re.Match[str]]:
    return _ESCAPE.finditer(text, token.start, token.end) if token.kind == "s" else iter(())


def _shown(text: str, tokens: Sequence[_Token], at: int, hits: Sequence[Highlight]) -> str:
    token = tokens[at]
    after = tokens[at + 1].kind if at + 1 < len(tokens) else ""
    match token.kind:
        case "s" if after == ":":
            return f'<span class="name">{_marked(text, token, hits)}:</span> '
        case "s" | "w":
            return _marked(text, token, hits)
        case ",":
            return _APART
        case "{":
            return "{}" if after == "}" else ""
        case "}" | ":":
            return ""
    return token.kind


def _marked(text: str, token: _Token, hits: Sequence[Highlight]) -> str:
    """A name or a value as it is meant, its hits marked."""
    pieces, at = [], token.start
    for hit in hits:
        if token.start <= hit.start and hit.end <= token.end:
            pieces.append(escaped(_meant(text, token._replace(start=at, end=hit.start))))
            pieces.append(f"<mark>{escaped(text[hit.start : hit.end])}</mark>")
            at = hit.end
    return "".join([*pieces, escaped(_meant(text, token._replace(start=at)))])


def _meant(text: str, token: _Token) -> str:
    pieces, at = [], token.start
    for found in _escapes(text, token):
        meant = str(json.loads(f'"{found[0]}"'))
        pieces += [text[at : found.start()], _LINE_END if meant == "\n" else meant]
        at = found.end()
    return "".join([*pieces, text[at : token.end]])
