"""Secrets for the tests of masking, made as they are needed: none stands in this repository."""

from __future__ import annotations

import random
import re
import string

from agentstore.masking.token_formats import TOKEN_RULES

ALPHABETS = {
    "a": string.ascii_letters + string.digits,
    "w": string.ascii_letters + string.digits + "_-",
    "h": "0123456789abcdef",
    "u": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    "d": string.digits,
    "b": string.ascii_letters + string.digits + "+/",
    "l": string.ascii_letters,
}
_part = re.compile(r"\{([awhudbl])(\d+)\}")


def fill(template: str, seed: object = 1) -> str:
    """The text of an example: {a36} becomes 36 letters and digits, the same for the same seed."""
    draw = random.Random(f"{seed} {template}")

    def part(found: re.Match[str]) -> str:
        letters, size = ALPHABETS[found.group(1)], int(found.group(2))
        middle = "".join(draw.choices(letters, k=size))
        # A sign at the edge would be taken for the text around it.
        edge = ALPHABETS["a"] if found.group(1) in "wb" else letters
        return draw.choice(edge) + middle[1:-1] + draw.choice(edge) if size > 1 else middle

    return _part.sub(part, template)


def tokens() -> list[tuple[str, str]]:
    """(kind, example) of each rule; those that need a word nearby have it before a blank."""
    return [(rule.kind, example) for rule in TOKEN_RULES for example in rule.examples]


def key_lines(seed: object = 1, lines: int = 12) -> list[str]:
    """A private key's block as lines."""
    body = [fill("{b64}", (seed, number)) for number in range(lines)]
    kind = "RSA PRIVATE" + " KEY"
    return [f"-----BEGIN {kind}-----", *body, fill("{b22}==", seed), f"-----END {kind}-----"]
