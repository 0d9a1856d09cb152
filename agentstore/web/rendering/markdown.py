"""What people and models write as HTML: CommonMark with tables and strikethrough. Pure.

It was written by anybody. Raw HTML is text. Links go to the web and to mail only, images are named and never loaded,
nothing carries a style. Every text comes through ``shown_html``, every element is one of this module's: what the parser
has in its tokens' attributes is looked at for links, numbers of lists and alignments, and for nothing else.

A text that would cost more than its bound (``bounds``) is plain, in ``<div class="plain">``. Rendering is work for a
thread where a text is not short: ``threads.in_thread``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from agentstore.web.rendering.bounds import DEEPEST, left_for
from agentstore.web.rendering.code import Run, can_be_highlighted, highlighted, language_named, runs_html
from agentstore.web.rendering.marks import Find, marked, nothing, spread
from agentstore.web.rendering.text import shown_html, text_html, visible

_SCHEMES = ("http", "https", "mailto")
_LONGEST_ADDRESS = 2_000
_BARE = re.compile(r"(?<![A-Za-z0-9+.-])https?://[!#-;=?-Z_a-z~\[\]]{1,2000}")
_CODE_COST = 6  # of a character that is highlighted (``bounds``)
_SENTENCE = ".,;:!?'*"
# The parser writes addresses in ASCII, percent-encoded. What is not is no link.
_ADDRESS = re.compile(r"(?:https?://[^/\s\"'<>\\^`{|}\x00-\x20\x7f-\U0010ffff]|mailto:[^/])[\x21-\x7e]*", re.IGNORECASE)


_ELEMENTS = {
    "paragraph": "p",
    "blockquote": "blockquote",
    "bullet_list": "ul",
    "list_item": "li",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "em": "em",
    "strong": "strong",
    "s": "s",
}
_ALIGNED = {"text-align:center": "center", "text-align:right": "right"}


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """All are parsed, so that what is refused is seen: the text of the link stays, and its address beside it."""
        return True


_PARSER = _Parser("commonmark", {"html": False, "maxNesting": DEEPEST}).enable(["table", "strikethrough"])


def markdown_html(text: str, find: Find = nothing) -> Markup:
    """A message as HTML; plain where it is too much. Hits are marked in what is read, code included."""
    shown = visible(text)
    left = left_for(shown)
    if left < 0:
        return plain_html(shown, find)
    return _Rendering(find, left // _CODE_COST).blocks(_PARSER.parse(shown))


def plain_html(text: str, find: Find = nothing) -> Markup:
    """A message as it was written, its lines kept by CSS (``.plain`` is ``pre-wrap``)."""
    return Markup('<div class="plain">{}</div>').format(text_html(text, find))


def link_of(address: str) -> str:
    """The address where a link may go there, else ""."""
    if len(address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
        return ""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    # A name before the host is there to be taken for the host.
    is_plain = "@" not in parts.netloc and port != 0
    return address if parts.scheme in _SCHEMES and is_plain else ""


class _Rendering:
    """One text. ``room`` is what is left of the characters that may be highlighted."""

    def __init__(self, find: Find, room: int) -> None:
        self.find = find
        self.room = room

    def blocks(self, tokens: Sequence[Token]) -> Markup:
        return Markup("").join(map(self._block, tokens))

    def _block(self, token: Token) -> Markup:
        if token.type == "inline":
            return self._inline(token.children or [])
        if token.type in ("fence", "code_block"):
            return self._code(token)
        if token.hidden:  # the paragraphs of a tight list
            return Markup("")
        if token.type == "hr":
            return Markup("<hr>\n")
        name, _, end = token.type.rpartition("_")
        return _closing(name, token) if end == "close" else _opening(name, token)

    def _code(self, token: Token) -> Markup:
        shown = visible(token.content)
        language = language_named(token.info) if token.type == "fence" else ""
        runs = [Run(shown)]
        if len(shown) <= self.room and can_be_highlighted(shown, language):
            runs = highlighted(shown, language)
            self.room -= len(shown)
        return Markup('<pre class="code"><code>{}</code></pre>\n').format(runs_html(runs, self.find))

    def _inline(self, tokens: Sequence[Token]) -> Markup:
        """Texts are looked through together: a hit may go on in the next element."""
        tokens = list(_with_addresses(tokens))
        texts = [_text_of(token) for token in tokens]
        shares = spread(texts, self.find)
        links: list[str] = []
        pieces = []
        for token, text, spans in zip(tokens, texts, shares, strict=True):
            pieces.append(_INLINE.get(token.type, _plainly)(token, marked(text, spans), links))
        return Markup("").join(pieces)


def _with_addresses(tokens: Sequence[Token]) -> Iterator[Token]:
    """Addresses that stand in the text become links; none inside of a link."""
    depth = 0
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        if token.type != "text" or depth or "://" not in token.content:
            yield token
            continue
        reached = 0
        for found in _BARE.finditer(token.content):
            address = _trimmed(found.group())
            if not link_of(address):
                continue
            yield Token("text", "", 0, content=token.content[reached : found.start()])
            yield Token("link_open", "a", 1, attrs={"href": address})
            yield Token("text", "", 0, content=address)
            yield Token("link_close", "a", -1)
            reached = found.start() + len(address)
        yield Token("text", "", 0, content=token.content[reached:])


def _trimmed(address: str) -> str:
    """Without what ends the sentence, or the bracket around it."""
    address = address.rstrip(_SENTENCE)
    while address.endswith(")") and address.count(")") > address.count("("):
        address = address[:-1].rstrip(_SENTENCE)
    return address


def _text_of(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    if token.type == "image":
        return f"image: {visible(token.content) or 'unnamed'} ({_address(token, 'src')})"
    return visible(token.content) if not token.type.endswith(("_open", "_close")) else ""


def _address(token: Token, name: str) -> str:
    return visible(str(token.attrGet(name) or ""))


def _plainly(token: Token, html: Markup, _links: list[str]) -> Markup:
    name, _, end = token.type.rpartition("_")
    if name in ("em", "strong", "s"):
        return Markup(f"</{name}>" if end == "close" else f"<{name}>")
    return html


def _link(token: Token, _html: Markup, links: list[str]) -> Markup:
    """A link that goes nowhere is its text, and its address to be read."""
    address = _address(token, "href")
    links.append(address)
    if not link_of(address):
        return Markup('<span class="no-link">')
    return Markup('<a href="{}" rel="noopener noreferrer nofollow" referrerpolicy="no-referrer">').format(address)


def _link_end(_token: Token, _html: Markup, links: list[str]) -> Markup:
    address = links.pop()
    if link_of(address):
        return Markup("</a>")
    return Markup(" ({})</span>").format(shown_html(address)) if address else Markup("</span>")


_INLINE: dict[str, Callable[[Token, Markup, list[str]], Markup]] = {
    "link_open": _link,
    "link_close": _link_end,
    "code_inline": lambda _token, html, _links: Markup("<code>{}</code>").format(html),
    "image": lambda _token, html, _links: Markup('<span class="image">{}</span>').format(html),
    "hardbreak": lambda _token, _html, _links: Markup("<br>\n"),
}


def _opening(name: str, token: Token) -> Markup:
    if name == "heading":
        return Markup(f"<{_heading(token)}>")
    if name == "table":
        return Markup('<div class="table"><table>\n')
    if name in ("th", "td"):
        side = _ALIGNED.get(str(token.attrGet("style")))
        return Markup(f'<{name} class="{side}">' if side else f"<{name}>")
    if name == "ordered_list":
        start = token.attrGet("start")
        return Markup(f'<ol start="{int(start)}">\n' if start is not None else "<ol>\n")
    element = _ELEMENTS.get(name)
    return Markup(f"<{element}>") if element else shown_html(visible(token.content))


def _closing(name: str, token: Token) -> Markup:
    if name == "heading":
        return Markup(f"</{_heading(token)}>\n")
    if name == "table":
        return Markup("</table></div>\n")
    if name == "ordered_list":
        return Markup("</ol>\n")
    element = name if name in ("th", "td") else _ELEMENTS.get(name)
    return Markup(f"</{element}>\n") if element else Markup("")


def _heading(token: Token) -> str:
    """Below the page's own headings: the first level is ``h3``."""
    return f"h{min(int(token.tag[1:]) + 2, 6)}"
