"""What holds for any input: JSON stays JSON with the same structure, twice is once, lines alone are lines together."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentstore.masking import Masker
from agentstore.masking.rules import MARKER_PATTERN, MARKER_START
from tests.unit.masking_examples import fill, key_lines, tokens
from tests.unit.test_masking_names import HARMLESS, SECRETS

MASKER = Masker()
# What secrets are made of and what stands around them, in any order.
PIECES = [
    *(fill(template) for _, template in tokens()),
    *(text for text, _, _ in SECRETS),
    *HARMLESS,
    "\n".join(key_lines(lines=3)), key_lines()[0], key_lines()[-1], *key_lines(lines=2)[1:3],
    "PASSWORD", "password", "TOKEN=", "token: ", "api_key", '"secret": "', "'apiKey': '", "Bearer ", "Basic ", "://",
    "a:b@c",
    "=", ":", ": ", ", ", '"', "'", "`", "\\", "\\n", "\n", "\t", "\\u0022", "\\u003d", "{", "}", "[", "]", "(",
    "‹secret:", "›",
    "‹secret:token›", "value", "-u ", "curl ", "--token ", "<password>", "</", "sk-", "ghp_", "eyJ", ".eyJ",
    "-----BEGIN ",
    "abc12345xyz", "x", " ", "é", "…", "\ud83d\ude00", "hunter2!",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=8).map("".join)
values = st.recursive(
    texts | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(st.tuples(texts, inner), max_size=3).map(dict) | inner.map(json.dumps)
    ),
    max_leaves=6,
)


def shape(value: Any) -> Any:
    """A value with its texts left out: lists and objects keep their lengths and order, keys may be masked."""
    if isinstance(value, list):
        return [shape(one) for one in value]
    if isinstance(value, Pairs):
        return ("object", [shape(one) for _, one in value.pairs])
    return "text" if isinstance(value, str) else value


class Pairs:
    """An object as it was written."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def structure(line: bytes) -> Any:
    return shape(json.loads(line, object_pairs_hook=Pairs))


@settings(max_examples=150, deadline=None)
@given(values, st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans())
@example({"old": "PASSWORD=", "new": "x1234567"}, (",", ":"), True)
@example(["token=", 12345678, 'x"'], (",", ":"), True)
@example({"a": "say password: '", "b": "it's 1234567"}, (", ", ": "), False)
def test_json_stays_json_with_the_same_structure(value: Any, separators: tuple[str, str], escaped: bool) -> None:
    try:
        line = json.dumps(value, separators=separators, ensure_ascii=escaped).encode()
    except UnicodeEncodeError:
        line = json.dumps(value, separators=separators).encode()
    masked = MASKER.mask(line)
    assert structure(masked) == structure(line)


@settings(max_examples=150, deadline=None)
@given(values)
def test_json_within_json_stays_json(value: Any) -> None:
    inner = json.dumps(value)
    for depth in range(1, 4):
        line = inner.encode()
        for _ in range(depth):
            line = json.dumps({"text": line.decode()}).encode()
        masked = MASKER.mask(line)
        for _ in range(depth):
            masked = json.loads(masked)["text"].encode()
        assert structure(masked) == structure(inner.encode())


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, max_size=4).map("\n".join))
def test_twice_is_once(text: str) -> None:
    once = MASKER.mask_text(text)
    assert MASKER.mask_text(once) == once
    assert MASKER.mask_text(text) == once


@settings(max_examples=150, deadline=None)
@given(values)
def test_twice_is_once_in_json(value: Any) -> None:
    line = json.dumps(value).encode()
    once = MASKER.mask(line)
    assert MASKER.mask(once) == once


@settings(max_examples=150, deadline=None)
@given(st.lists(values, min_size=1, max_size=6), st.integers(0, 6))
def test_lines_alone_are_lines_together(records: list[Any], cut: int) -> None:
    lines = [json.dumps(record).encode() + b"\n" for record in records]
    whole = MASKER.mask(b"".join(lines))
    assert whole == b"".join(MASKER.mask(line) for line in lines)
    assert whole == MASKER.mask(b"".join(lines[:cut])) + MASKER.mask(b"".join(lines[cut:]))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.binary(max_size=12) | st.sampled_from([piece.encode("utf-8", "replace") for piece in PIECES]), max_size=12
    )
)
def test_any_bytes_are_masked(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    spans = MASKER.spans(data)
    assert all(0 <= span.start < span.end <= len(data) for span in spans)
    assert all(one.end <= two.start for one, two in itertools.pairwise(spans))
    once = MASKER.mask(data)
    assert MASKER.mask(once) == once


SIZE = 60_000
HOSTILE = [
    "sk-", "sk-ant-", "sk-ant-api03-", "ghp_", "eyJ", ".eyJ", "eyJ.eyJ", "eyJaaaaaaaaaaaa-", "eyJaaaaaaaaaaaa.eyJ",
    "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\\n", "-----BEGIN ", "-----", "LS0tLS1CRUdJTi",
    "password=", "password: ", '"password":"', "password='", 'token=\\"', "TOKEN=", "api_key:",
    "authorization: bearer ",
    "://", "://a:", "://a:b", "a:b@", "curl -u a:", "-u a:bcdef ", "bearer ", "bearer aaaaaaaaaaaaaaaa1 ", "basic ",
    "--token ", "<password>", "xoxb-", "SG.", "M" * 24 + ".", ".aaaaaa." + "a" * 27, ":AA" + "a" * 33, "1" * 9 + ":AA",
    "a", "A", "0", "\\", "\\\\n", '"', "'", '\\"', "{", "=", ":", "-", "_", ".", "/", "\x00", "é", "\n", "\t", " ",
    "\u2039secret:",
    "hvs." + "a" * 23, "ghp_" + "a" * 35 + "-", "ghp_" + "a1B2c3D4e" * 4 + "_", "sk-proj-" + "a1B2c3D4e5" * 2 + " ",
    "AKIA" + "A2B3" * 4,
    "x_token: abc12345,", "PASSWORD=hunter2\n", '{"token":"abc12345x"}', "mailgun -aaaaaaaa-bbbbbbbb",
    "f" * 32 + "-us1",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_what_begins_everywhere_and_ends_nowhere(piece: str) -> None:
    """Where the time grew as the square of the size, the suite's limit of two minutes would end these."""
    data = (piece * (SIZE // len(piece))).encode()
    once = MASKER.mask(data)
    assert MASKER.mask(once) == once


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes(seed: int) -> None:
    draw = random.Random(seed)
    data = (
        draw.randbytes(300_000)
        + bytes(draw.choices(b"sk-ghp_:=\"'\\ \npasswordTOKEN{}", k=300_000))
        + os.urandom(10_000)
    )
    once = MASKER.mask(data)
    assert MASKER.mask(once) == once


def test_the_marker_is_what_it_is_said_to_be() -> None:
    masked = MASKER.mask(b"PASSWORD=hunter2")
    assert masked == "PASSWORD=‹secret:password›".encode()
    found = re.search(MARKER_PATTERN, masked)
    assert found
    assert found.group().startswith(MARKER_START)
