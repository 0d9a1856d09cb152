"""Real transcripts, masked: what is masked there was looked at by hand; what else they hold comes through as it was."""

from __future__ import annotations

import json
import pathlib
from collections import Counter
from typing import Any

import pytest

from agentstore.importers import ImportResult, import_claude_code
from agentstore.masking import Masker
from tests.unit.masking_examples import fill, key_lines
from tests.unit.test_claude_code_real import ROOT

# Every secret that is found in the real transcripts, by file and kind, each looked at by hand. There is none: whoever
# published them had masked them, and the 561 places that look like one at first sight (names with values, Bearer
# and Basic, URLs with a password, base64 with a prefix) are placeholders, code, prose and images.
CHECKED: dict[str, Counter[str]] = {}

FILES = sorted(path for path in ROOT.rglob("*") if path.is_file()) if ROOT.exists() else []
CONVERSATIONS = [path for path in FILES if path.suffix == ".jsonl" and path.is_relative_to(ROOT / "claude-code")]
SAMPLES = sorted((pathlib.Path(__file__).parents[2] / "agentstore" / "samples").rglob("projects/**/*.jsonl"))
needs_transcripts = pytest.mark.skipif(not FILES, reason=f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")

SECRETS = [
    fill("ghp_{a36}"),
    fill("sk-ant-api03-{w93}AA"),
    fill("{a8}4{a20}"),
    "hunter2-Zx81",
    key_lines()[3],
]
PLANTED = "\n".join(
    (
        f"\nexport GITHUB_TOKEN={SECRETS[0]}",
        f"curl -H 'x-api-key: {SECRETS[1]}' https://h",
        f'{{"access_token": "{SECRETS[2]}"}}',
        f"DATABASE_URL=postgres://ada:{SECRETS[3]}@db/x",
        *key_lines(),
    )
)


def name_of(path: pathlib.Path) -> str:
    return path.name


@needs_transcripts
def test_what_is_masked_was_looked_at() -> None:
    found: dict[str, Counter[str]] = {}
    for path in FILES:
        masker = Masker()
        data = path.read_bytes()
        masked = masker.mask(data)
        if masker.counts:
            found[str(path.relative_to(ROOT))] = masker.counts
        else:
            assert masked is data
    assert found == CHECKED


@needs_transcripts
def test_lines_and_blocks_are_masked_alike() -> None:
    data = b"".join(
        path.read_bytes()[:20_000].rpartition(b"\n")[0] + b"\n" + planted({"a": ""}) for path in CONVERSATIONS
    )
    masker = Masker()
    assert b"".join(masker.mask(line) for line in data.splitlines(keepends=True)) == masker.mask(data)


def planted(value: Any) -> bytes:
    """A record with secrets at the end of each text of its conversation."""
    return json.dumps(plant(value, ""), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def plant(value: Any, key: str) -> Any:
    if isinstance(value, list):
        return [plant(one, key) for one in value]
    if isinstance(value, dict):
        return {name: plant(one, name) for name, one in value.items()}
    return (
        value + PLANTED if isinstance(value, str) and key in ("text", "stdout", "prompt", "new_string", "a") else value
    )


# And their lengths.
TEXTS = (
    "first_message",
    "display_name",
    "content",
    "content_length",
    "input_json",
    "result_content",
    "result_content_length",
)


def facts(result: ImportResult) -> list[object]:
    """All that is no text: ids, places, times, numbers, links."""
    rows = [*result.sessions, *result.messages, *result.tool_calls]
    return [
        *([getattr(row, name) for name in row.__struct_fields__ if name not in TEXTS] for row in rows),
        result.git_links,
        result.problems,
        result.skipped_records,
        result.unknown_records,
        result.replaces,
        result.continued_in,
        sorted(result.titles),
    ]


@pytest.mark.parametrize("path", [*SAMPLES, *CONVERSATIONS], ids=name_of)
def test_ids_numbers_and_links_come_through(path: pathlib.Path) -> None:
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            lines.append(planted(json.loads(line)))
        except ValueError:
            lines.append(line + b"\n")
    data = b"".join(lines)
    masker = Masker()
    plain, masked = import_claude_code(data, file=path.name), import_claude_code(masker.mask(data), file=path.name)
    assert facts(masked) == facts(plain)
    everything = repr(masked)
    assert not any(secret in everything for secret in SECRETS)
    assert [one.content for one in masked.messages] == [masker.mask_text(one.content) for one in plain.messages]
    if PLANTED in "".join(one.content for one in plain.messages):
        assert set(masker.counts) == {"github-token", "anthropic-key", "token", "url-password", "private-key"}
