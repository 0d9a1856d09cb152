"""HTML as a browser reads it, looked at for what could harm."""

from __future__ import annotations

from html.parser import HTMLParser

_BARE = "p em strong s br hr blockquote mark dt dd table thead tbody tr h3 h4 h5 h6"
_WITH_CLASS = "code dl div ul li th td"
ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "rel", "referrerpolicy"},
    "ol": {"start"},
    "pre": {"class", "data-start"},
    "span": {"class", "data-old", "data-new"},
    **{tag: {"class"} for tag in _WITH_CLASS.split()},
    **{tag: set() for tag in _BARE.split()},
}
VOID = {"br", "hr"}
SCHEMES = ("http://", "https://", "mailto:")


class Page(HTMLParser):
    """What is read of some HTML, and what is wrong with it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.deepest = 0
        self.texts: list[str] = []
        self.marked: list[str] = []
        self.feed(html)
        self.close()
        if self.open:
            self.wrong.append(f"left open: {self.open}")

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.deepest = max(self.deepest, len(self.open))
        allowed = ATTRIBUTES.get(tag)
        if allowed is None:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if allowed is None or name not in allowed or len({name for name, _ in attrs}) != len(attrs):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name == "href":
                self._link(dict(attrs), value or "")
            if name in ("start", "data-start", "data-old", "data-new") and not (value or "").isdecimal():
                self.wrong.append(f"{name}={value!r}")

    def _link(self, attributes: dict[str, str | None], address: str) -> None:
        self.links.append(address)
        if not address.lower().startswith(SCHEMES) or not address.isascii() or not address.isprintable():
            self.wrong.append(f"goes to {address!r}")
        if attributes.get("rel") != "noopener noreferrer nofollow" or attributes["referrerpolicy"] != "no-referrer":
            self.wrong.append(f"tells where it came from: {address!r}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "mark" in self.open:
            self.marked.append(data)

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append(f"a declaration: {decl!r}")

    def handle_pi(self, data: str) -> None:
        self.wrong.append(f"an instruction: {data!r}")

    def unknown_decl(self, data: str) -> None:
        self.wrong.append(f"a section: {data!r}")
