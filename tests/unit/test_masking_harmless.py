"""Ids, hashes and what is made of them come through wherever they stand: of real transcripts, and drawn ones."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from agentstore.masking import Masker
from tests.unit.masking_examples import fill
from tests.unit.test_claude_code_real import ROOT
from tests.unit.test_masking_transcripts import CHECKED, FILES, PLANTED, needs_transcripts

MASKER = Masker()
UUID = "{h8}-{h4}-{h4}-{h4}-{h12}"
_id = re.compile(
    rb"(?<![0-9A-Za-z])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
    rb"|(?:toolu|msg|req|call|ses|prt|chatcmpl|resp|rs|fc|gen)[_-][0-9A-Za-z]{12,})(?![0-9A-Za-z])"
)
# What ids and hashes stand in, where nobody calls them a secret.
AROUND = (
    "commit {}", "index {}..{} 100644", "https://github.com/o/r/commit/{}", "git@github.com:o/r.git#{}", "sha256:{}",
    "etag: \"{}\"", "session: {}", "sessionId={}", "session_key={}", '"sessionKey": "agent:main:{}"', '"uuid":"{}"',
    "/home/ada/.claude/projects/-p/{}.jsonl", "key: {}", "cache-key: linux-{}", "primary_key: {}", "token_id={}",
    '"secretId": "{}"', "Idempotency-Key: {}", "x-request-id: {}", "author: {}", "  \"parentUuid\": \"{}\",", "@{}",
    "uses: actions/checkout@{} # v4", "checksum = \"{}\"", "--hash=sha256:{} \\", "build-{}.js", "trace_id={}",
    "nonce=\"{}\"", "({})", "`{}`", "'{}'", "a/{}/b", "kid: {}", "auth_time: {}", "passes: {}", "{}:{}",
)  # fmt: skip
# Of other shapes, each with what stands around it.
HARMLESS = (
    '"integrity": "sha512-{b86}=="', "golang.org/x/net v0.1.0 h1:{b43}=", 'ETag: "{h32}"', 'W/"{h40}"',
    '<script nonce="{a22}" integrity="sha384-{b64}">', "index {h7}..{h9} 100644", "SHA256:{b43} ada@h (ED25519)",
    "ssh-rsa AAAAB3NzaC1yc2E{b300}", "cacheKey: \"{h40}\"", "partitionKey={h32}", '"next_token": "{b40}"',
    '"pageToken":"{a40}"', '"continuationToken": "{a40}"', '"tokenHash": "{h64}"', "token_sha256: {h64}",
    'passwordHash: "{h64}"', '"secretName": "db-{a10}"', f"secret_version: {UUID}", 'publicKey: "{b43}="',
    '"public_key": "{h64}"', "publishable_key: pk_live_{a24}", '"id":"msg_01{a22}"', '"id":"toolu_01{a22}"',
    '"id":"call_{a24}"', '"id":"fc_{h50}"', '"id":"rs_{h50}"', '"requestId":"req_011C{a20}"', '"id":"chatcmpl-{a29}"',
    '"id":"resp_{h48}"', '"id":"gen-{d10}-{a20}"', '"id":"ses_{h12}{a14}"', '"id":"prt_{h12}{a14}"', "/tmp/tmp{a8}/x",
    "main.{h20}.chunk.js", "i-0{h16}", "vpc-{h17}", "0x{h40}", "0x{h64}", "ipfs://Qm{a44}", "urn:uuid:" + UUID,
    "data:image/png;base64,{b400}", '"signature":"{b400}"', '"thoughtSignature":"{b400}"', "/nix/store/{h32}-glibc-2",
    '"encrypted_content":"gAAAAAB{w400}"', "trace_id={h32} span_id={h16}", "traceparent: 00-{h32}-{h16}-01",
    "cf-ray: {h16}-FRA", "x-amz-id-2: {b76}", "https://docs.google.com/document/d/{w44}/edit", "https://youtu.be/{w11}",
    "https://www.figma.com/file/{a22}/x", "https://r/x.tgz#{h40}", "task-{h32}", "disk-{a40}", "key-{h32}", "SK{a20}",
    f"monkey: {UUID}", "hotkey={h32}", f'"keyId":"{UUID}"', "kid: {a43}", f"jti={UUID}", f"pass_id: {UUID}",
    "bypass={h32}", "--bypass {h32}", "tokens: {h40}", f'mask_token: "{UUID}"', "Deploy key: SHA256:{b43}",
    '"sort_key": "{h32}"', "pkey={h32}", "api_version: {h32}", "secretary: {h32}", "csrf_token: {a32}",
)  # fmt: skip


def texts(value: Any) -> Iterator[str]:
    """All texts of a JSON value, keys too, and those of JSON within a text."""
    if isinstance(value, str):
        yield value
        if value[:1] in ("{", "["):
            with contextlib.suppress(ValueError):
                yield from texts(json.loads(value))
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts(one)


def values(data: bytes) -> Iterator[Any]:
    """A document, or the records of lines; a line that is none as a text."""
    try:
        yield json.loads(data)
    except ValueError:
        for line in data.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                yield line.decode("utf-8", "replace")


def ids_in(data: bytes) -> Counter[bytes]:
    return Counter(found.group() for found in _id.finditer(data))


@needs_transcripts
def test_what_is_masked_of_texts_was_looked_at() -> None:
    """As the store is given them: each text by itself, no longer as a record has it."""
    found: dict[str, Counter[str]] = {}
    for path in FILES:
        masker, seen = Masker(), set[str]()
        for value in values(path.read_bytes()):
            for text in texts(value):
                if text not in seen:
                    seen.add(text)
                    assert masker.mask_text(text) is text or masker.counts
        if masker.counts:
            found[str(path.relative_to(ROOT))] = masker.counts
    assert found == CHECKED


@needs_transcripts
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_every_id_of_a_transcript_is_still_there(path: pathlib.Path) -> None:
    data = path.read_bytes()
    assert ids_in(MASKER.mask(data)) == ids_in(data)
    # And where some fifty lines have secrets, too, in a text of their own.
    lines = [line for line in data.splitlines() if line]
    secret, steps = b" " + json.dumps(PLANTED).encode(), max(1, len(lines) // 50)
    planted = [line + secret * (number % steps == 0) for number, line in enumerate(lines)]
    masker = Masker()
    assert ids_in(masker.mask(b"\n".join(planted))) == ids_in(b"\n".join(planted))
    assert masker.counts.total() == 5 * len(range(0, len(lines), steps))


@needs_transcripts
def test_the_ids_of_the_transcripts_come_through_wherever_they_stand() -> None:
    ids = sorted({id.decode() for path in FILES for id in ids_in(path.read_bytes())})
    assert len(ids) > 10_000
    for number, id in enumerate(ids):
        said = AROUND[number % len(AROUND)].replace("{}", id)
        for text in (said, json.dumps({"text": f"a\n{said}\nb"}), json.dumps({"text": json.dumps({"a": said})})):
            assert MASKER.mask_text(text) == text


@pytest.mark.parametrize("around", AROUND)
def test_drawn_ids_come_through(around: str) -> None:
    for seed in range(10):
        for shape in ("{h40}", "{h64}", "{h32}", UUID, "toolu_01{a22}", "msg_01{a22}", "req_011{a21}", "call_{a24}"):
            said = around.replace("{}", fill(shape, seed))
            for text in (said, json.dumps({"text": said}), json.dumps({"text": json.dumps({"a": said})})):
                assert MASKER.mask_text(text) == text


@pytest.mark.parametrize("template", HARMLESS)
def test_what_is_like_a_secret_and_is_none_comes_through(template: str) -> None:
    for seed in range(25):
        said = fill(template, seed)
        for text in (said, json.dumps({"text": said}), json.dumps({"text": json.dumps({"a": said})})):
            assert MASKER.mask_text(text) == text
