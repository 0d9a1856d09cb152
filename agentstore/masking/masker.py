"""The masker: finds what the tables name, and writes markers in its place."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from json.encoder import encode_basestring

import msgspec

from agentstore.masking import credentials, names, placeholders, private_keys, values
from agentstore.masking.escapes import free_after, free_before
from agentstore.masking.finder import Finder, probe_of
from agentstore.masking.rules import MARKER_PATTERN, MARKER_START, Rule, Span, marker
from agentstore.masking.token_formats import TOKEN_RULES

Judge = Callable[[bytes, int, int], Span | None]

# What is found by its place and not by its form. The order counts where two begin at one byte.
_PLACES: dict[str, tuple[bytes, bytes, Judge]] = {
    "key_block": (private_keys.BEGIN_PROBE, private_keys.BEGIN, private_keys.key_block),
    "wrapped_key": (private_keys.WRAPPED_PROBE, private_keys.WRAPPED, private_keys.wrapped_key),
    "url": (credentials.URL_PROBE, credentials.URL, credentials.url_password),
    "header": (credentials.HEADER_PROBE, credentials.HEADER, credentials.header_value),
    "curl": (credentials.CURL_PROBE, credentials.CURL, credentials.curl_password),
    "auth": (credentials.AUTH_PROBE, credentials.AUTH, credentials.auth_value),
    "netrc": (names.NETRC_PROBE, names.NETRC, values.option_value),
    "option": (names.OPTION_PROBE, names.OPTION, values.option_value),
    "tag": (names.TAG, names.TAG, values.tag_value),
    "name": (names.NAME_PROBE, names.NAME, values.named_value),
}
_MARKER = "marker"
_NEARBY = 200
# A marker ends what was one word before, so that there may be another secret; mostly once is enough.
_ROUNDS = 8


class Masker:
    """Replaces secrets by markers of their kind, and counts them.

    One is made once for many files; it holds nothing of what it saw but ``counts``. Threads may share one.
    """

    def __init__(self, extra: Iterable[Rule] = ()) -> None:
        rules = (*TOKEN_RULES, *extra)
        self.counts: Counter[str] = Counter()
        self._rules = {f"r{number}": rule for number, rule in enumerate(rules)}
        self._behind = {
            key: re.compile(rb"(?:" + rule.behind + rb")\Z") for key, rule in self._rules.items() if rule.behind
        }
        tokens = {key: (rule.probe or probe_of(rule.shape), rule.shape) for key, rule in self._rules.items()}
        places = {key: (probe, exact) for key, (probe, exact, _) in _PLACES.items()}
        self._finder = Finder({_MARKER: (MARKER_START, MARKER_PATTERN), **tokens, **places})
        self._tokens = Finder(tokens)

    def mask(self, data: bytes) -> bytes:
        """Whole lines of a source, masked; the very same object where there is no secret. No bytes raise."""
        spans = self.spans(data)
        if not spans:
            return data
        pieces, position = list[bytes](), 0
        for inside in _by_line(data, spans):  # only lines that changed are looked at again
            first = data.rfind(b"\n", position, inside[0].start) + 1 or position
            last = data.find(b"\n", inside[-1].end)
            last = last if last >= 0 else len(data)
            line = self._replaced(data, first, last, inside)
            for _ in range(_ROUNDS):
                again = self.spans(line)
                if not again:
                    break
                line = self._replaced(line, 0, len(line), again)
            pieces += data[position:first], line
            position = last
        pieces.append(data[position:])
        return b"".join(pieces)

    def _replaced(self, data: bytes, first: int, last: int, spans: list[Span]) -> bytes:
        """Bytes ``first`` to ``last`` with markers for the spans."""
        pieces, position = list[bytes](), first
        for start, end, kind in spans:
            pieces += data[position:start], marker(kind)
            position = end
        # One call, which no other thread comes between: += would lose some where several count.
        self.counts.update([span.kind for span in spans])
        pieces.append(data[position:last])
        return b"".join(pieces)

    def mask_text(self, text: str) -> str:
        """The same of a text, which is masked as if it stood in a record: what a line says counts for the next one."""
        data = _as_in_a_record(text)
        masked = self.mask(data)
        if masked is data:
            return text
        found: str = json.loads(masked.decode("utf-8", "surrogatepass"))
        return found

    def spans(self, data: bytes) -> list[Span]:
        """Where the secrets are, in order and without overlap."""
        found, waiting, position = list[Span](), list[Span](), 0
        while hit := self._finder.next(data, position):
            key, start, end = hit
            position = end
            if key in self._rules:
                span = self._token(data, key, start, end)
                if span and not free_after(data, end, plain=self._rules[key].plain):
                    waiting.append(span)
                elif span:
                    _accept(span, found, waiting)
            elif key in _PLACES:
                spans, position = self._place(data, key, start, end)
                for span in spans:
                    _accept(span, found, waiting)
        return found

    def _token(self, data: bytes, key: str, start: int, end: int) -> Span | None:
        """A hit of a rule as a token; whether a token may end there is another question."""
        rule = self._rules[key]
        first = self._first(data, key, start) if rule.behind else start
        if first is None or not free_before(data, first, plain=rule.plain):
            return None
        token = data[first:end]
        if len(set(token[-24:])) < rule.variety or placeholders.is_dummy(token):
            return None
        if rule.near and not _is_near(data, rule.near, first, end):
            return None
        kept = re.match(rule.keep, token) if rule.keep else None
        return Span(first + (kept.end() if kept else 0), end, rule.kind)

    def _first(self, data: bytes, key: str, start: int) -> int | None:
        """Where a token begins of which the hit is a later part."""
        window = data[max(0, start - self._rules[key].reach) : start]
        run = len(window) - len(window.rstrip(_RUN))
        found = self._behind[key].search(data, start - run, start)
        return found.start() if found else None

    def _place(self, data: bytes, key: str, start: int, end: int) -> tuple[list[Span], int]:
        """Judge a hit of a place, and say where the search goes on: what is no secret may hold one."""
        span = _PLACES[key][2](data, start, end)
        spans = list[Span]()
        if key == "url":
            user, colon = start + 3, data.index(b":", start + 3)
            # The name may be the token, as in https://TOKEN:x-oauth-basic@host
            spans = [Span(user + one.start, user + one.end, one.kind) for one in self._token_of(data[user:colon])]
            end = colon
        if span is None:
            return spans, start + 2 if key in ("header", "curl") else end
        known = [
            one for one in self._token_of(data[span.start : span.end]) if one.end - one.start == span.end - span.start
        ]
        return [*spans, span._replace(kind=known[0].kind) if known else span], span.end

    def _token_of(self, text: bytes) -> list[Span]:
        """The first token known by its form in a value, if it is one."""
        hit = self._tokens.next(text, 0)
        span = self._token(text, *hit) if hit else None
        return [span] if span and span.end == len(text) else []


def _as_in_a_record(text: str) -> bytes:
    """A text as JSON, with letters as they are."""
    try:
        return msgspec.json.encode(text)
    except UnicodeEncodeError:  # half a character, which a file may hold and UTF-8 may not
        return encode_basestring(text).encode("utf-8", "surrogatepass")


def _by_line(data: bytes, spans: list[Span]) -> Iterator[list[Span]]:
    """The spans of each line together; one that spans lines joins them."""
    inside = [spans[0]]
    for span in spans[1:]:
        if data.find(b"\n", inside[-1].end, span.start) >= 0:
            yield inside
            inside = []
        inside.append(span)
    yield inside


def _accept(span: Span, found: list[Span], waiting: list[Span]) -> None:
    """Add a span, and before it those that reach up to it: what follows them is no word any longer.

    So a second masking, which sees the marker there, finds nothing that the first did not.
    """
    chain = [span]
    while waiting and waiting[-1].end == chain[-1].start:
        chain.append(waiting.pop())
    waiting.clear()
    for one in reversed(chain):
        if not found or one.start >= found[-1].end:
            found.append(one)


_RUN = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"


def _is_near(data: bytes, word: bytes, start: int, end: int) -> bool:
    before = data[max(0, start - _NEARBY) : start].rsplit(b"\n", 1)[-1]
    after = data[end : end + _NEARBY].split(b"\n", 1)[0]
    return re.search(word, before + b"\n" + after, re.IGNORECASE) is not None
