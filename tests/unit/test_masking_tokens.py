"""Every token format of the tables, wherever source bytes may hold one, and what only looks like one."""

from __future__ import annotations

import json
import re
import uuid

import pytest

from agentstore.errors import ConfigError
from agentstore.masking import Masker, Rule, finder
from agentstore.masking.token_formats import TOKEN_RULES
from tests.unit.masking_examples import fill, key_lines, tokens

MASKER = Masker()
KINDS = sorted({rule.kind for rule in TOKEN_RULES})
# How source bytes hold a token: alone, in a text within JSON and JSON within that, coloured, in a diff, in a URL.
PLACES = (
    "{}",
    "use {} now\r\nand then",
    '{{"text":"{}"}}',
    '{{"text":"line one\\n{}\\nline three"}}',
    '{{"text":"\\tsaid \\"{}\\""}}',
    '{{"text":"{{\\"inner\\": \\"x\\\\n{}\\"}}"}}',
    '{{"text":"\\u001b[32m{}\\u001b[0m"}}',
    '{{"text":"a\\u003d{}\\u0026b"}}',
    '{{"text":"@@ -1 +1 @@\\n-{}\\n"}}',
    '{{"text":"https://h/?q={}&n=1"}}',
    '{{"text":"`{}`, (\'{}\')"}}',
)


def secret_of(example: str) -> str:
    """The token of an example, without the word before it that its rule needs nearby."""
    return example.rpartition(" ")[2]


def masked(text: str) -> str:
    return MASKER.mask(text.encode()).decode()


@pytest.mark.parametrize(("kind", "template"), tokens())
def test_a_token_is_masked_wherever_it_stands(kind: str, template: str) -> None:
    for place in PLACES:
        example = fill(template, place)
        text = place.replace("{}", example).replace("{{", "{").replace("}}", "}")
        got = masked(text)
        assert f"‹secret:{kind}›" in got, text
        # All of it is gone, but for a name or a host that its form begins with.
        assert secret_of(example)[-12:] not in got, text
        assert masked(got) == got
        if text.startswith("{"):
            json.loads(got)


@pytest.mark.parametrize(("kind", "template"), tokens())
def test_a_value_that_is_a_token_keeps_the_tokens_kind(kind: str, template: str) -> None:
    token = fill(template)
    if " " in token or not token[0].isalnum() or "/" in token or "Key=" in token:
        return
    assert masked(f'export MY_TOKEN={token}\nsecret: "{token}"') == (
        f'export MY_TOKEN=‹secret:{kind}›\nsecret: "‹secret:{kind}›"'
    )


@pytest.mark.parametrize("template", [example for _, example in tokens() if " " not in example])
def test_what_is_too_short_or_a_row_of_x_is_no_token(template: str) -> None:
    short = re.sub(r"\{([a-z])\d+\}.*", r"{\g<1>3}", template)
    assert masked(fill(short)) == fill(short)
    row = re.sub(r"\{[a-z](\d+)\}", lambda found: "x" * int(found.group(1)), template)
    assert masked(row) == row


@pytest.mark.parametrize(
    "template", ["AKIA{u16}", "AIza{w35}", "SK{h32}", "sk-{a48}", "hf_{l34}", "cargo cio{a32}", "r8_{a37}", "EAAA{a60}"]
)
def test_a_token_within_a_longer_word_is_none(template: str) -> None:
    for before, after in (
        ("x", ""),
        ("", "x") if "{u" in template else ("9", ""),
        ("Zm9v+", ""),
        ("ab/", ""),
        ("aB-", ""),
    ):
        word, _, token = fill(template).rpartition(" ")
        text = f"{word} {before}{token}{after}"
        if before == "ab/" and template.startswith(("sk-", "hf_", "r8_")):
            continue  # a path
        assert masked(text) == text


def test_ids_and_hashes_are_no_secrets() -> None:
    sha = fill("{h40}")
    for text in (
        sha,
        sha[:7],
        fill("{h64}"),
        fill("{h32}"),
        str(uuid.UUID(fill("{h32}"))),
        fill("sha512-{b86}=="),
        fill("sha256:{h64}"),
        fill("integrity sha384-{b64}"),
        fill("msg_01{a22}"),
        fill("toolu_01{a22}"),
        fill("req_011{a21}"),
        fill("call_{a24}"),
        fill("chatcmpl-{a29}"),
        fill("resp_{h48}"),
        fill("gen-{d10}-{a20}"),
        fill("ses_{h12}{a14}"),
        fill("data:image/png;base64,iVBORw0KGgo{b4000}="),
        fill("index {h7}..{h7} 100644"),
        fill("https://github.com/o/r/commit/{h40}"),
        fill("git@github.com:o/r.git#{h40}"),
        fill('"signature":"Eq{b400}=="'),
        fill('"encrypted_content":"gAAAAAB{w400}"'),
    ):
        line = json.dumps({"uuid": text, "text": f"a {text} b\n{text}", "nested": json.dumps({"id": text})})
        assert masked(line) == line


@pytest.mark.parametrize("seed", range(4))
def test_megabytes_of_base64_hold_no_token(seed: int) -> None:
    for template in ("{b200000}", "{w200000}", "{h200000}"):
        text = '{"data":"' + fill(template, seed) + '"}'
        assert masked(text) == text


def test_a_private_key_in_all_its_forms() -> None:
    lines = key_lines()
    block = "\n".join(lines)
    for text in (
        block,
        f"before\n{block}\nafter",
        "\r\n".join(lines),
        json.dumps({"private_key": block + "\n"}),
        json.dumps({"text": json.dumps({"private_key": block})}),
        json.dumps({"text": json.dumps({"text": json.dumps({"private_key": block})})}),
        json.dumps({"text": "\n".join(f"{number:6}→{line}" for number, line in enumerate(lines, 1))}),
        json.dumps({"text": "\n".join(f"{number:6}\t{line}" for number, line in enumerate(lines, 1))}),
        json.dumps({"text": "\n".join(f"    {line}" for line in lines)}),
        json.dumps({"text": "\n".join(f"+{line}" for line in lines)}),
        json.dumps({"text": " +\n".join(f'"{line}\\n"' for line in lines)}),
        json.dumps({"text": "\n".join(lines[:5])}),
        json.dumps({"text": "\n".join(f"{number:6}→{line}" for number, line in enumerate(lines[:5], 1))}),
    ):
        got = masked(text)
        assert got.count("‹secret:private-key›") == 1, text
        assert not any(line[:24] in got for line in lines[1:5])
        assert masked(got) == got
        if text.startswith("{"):
            assert json.loads(got).keys() == json.loads(text).keys()


def test_words_about_private_keys_stay() -> None:
    begin, end = key_lines()[0], key_lines()[-1]
    for text in (
        begin,
        f"{begin}\n...\n{end}",
        f"grep -r '{begin}' . && echo found",
        json.dumps({"a": f"starts with {begin}", "b": f"ends with {end}"}),
        "-----BEGIN CERTIFICATE-----\n" + fill("{b64}") + "\n-----END CERTIFICATE-----",
        fill("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{b48} me@host"),
    ):
        assert masked(text) == text


def test_a_key_does_not_reach_into_the_next_string() -> None:
    begin, end = key_lines()[0], key_lines()[-1]
    text = json.dumps({"a": f"{begin}\n{fill('{b64}')}", "b": "kept", "c": end})
    got = json.loads(masked(text))
    assert got == {"a": "‹secret:private-key›", "b": "kept", "c": end}


def test_a_rule_of_ones_own() -> None:
    masker = Masker([Rule("acme-key", rb"acme_[0-9a-f]{16,}", ("acme_{h16}",))])
    assert masker.mask(fill("k acme_{h20}.").encode()) == "k ‹secret:acme-key›.".encode()
    assert masker.counts == {"acme-key": 1}
    with pytest.raises(ValueError, match="kind"):
        Rule("Not A Kind", b"x", ())


def test_counts_by_kind() -> None:
    masker = Masker()
    for _ in range(2):
        masker.mask_text(fill("ghp_{a36} and ghs_{a36}"))
    masker.mask_text(fill("npm_{a36}"))
    assert masker.counts == {"github-token": 4, "npm-token": 1}
    assert set(KINDS) >= set(masker.counts)


def test_without_the_library_nothing_is_left_unmasked_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "re2", None)
    with pytest.raises(ConfigError, match=r"masking needs google-re2.*agentstore\[ingest\]"):
        Masker()
    assert finder.HINT.endswith("'agentstore[ingest]'")


def test_what_is_searched_for_everywhere_counts_little() -> None:
    """A large automaton is slow to begin with, and hopeless where it does not fit into its memory."""
    for rule in TOKEN_RULES:
        probe = rule.probe or finder.probe_of(rule.shape)
        re.compile(probe)
        counted = [int(found) for found in re.findall(rb"\{(\d+)", probe)]
        assert sum(counted) <= 40, rule
        # A repetition without a limit before other things would be searched anew from each place.
        assert not re.search(rb"(?<!\\)[*+](?![^\[]*\])|\{\d+,\}", probe), rule
    assert finder.probe_of(rb"ab(?:c|d)[0-9]{20,}(?:x)?") == rb"ab(?:c|d)[0-9]{8}"
    assert finder.probe_of(rb"ab(?:c|d[0-9]{20})") == rb"ab(?:c|d[0-9]{20})"
    assert finder.probe_of(rb"ab[0-9]{3}") == rb"ab[0-9]{3}"
