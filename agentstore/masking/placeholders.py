"""Values that are no secrets: what stands for one, what is made of one, and what code calls one."""

from __future__ import annotations

import math
import re
from collections import Counter

from agentstore.masking.rules import MARKER_START

# What stands in the place of a secret, whatever its name.
_stands_for = re.compile(
    rb"(?i)^(?:"
    rb"(?:\$[a-z_{(\d]|%[a-z_({]|[{<\[(]).*"  # $VAR, $2b$…, %VAR%, {{ var }}, <your key>, [REDACTED]
    rb"|[!&*|>~#@?][a-z_-]*"  # of YAML: !vault, &anchor, *alias
    rb"|(?:x+|\*+|\.+|-+|_+|\?+|0+|#+|=+|1234(?:5(?:6(?:7(?:8(?:90?)?)?)?)?)?)"
    rb"|(?:none|null|nil|undefined|true|false|yes|no|on|off|required|optional|string|str|bytes|int|integer|bool|boolean|"
    rb"text|number|float|object|any|void|unknown|never|empty|default|hidden|disabled|enabled|missing|invalid|valid|expired|"
    rb"self|this|test|tests|todo|tbd|n/a|foo|bar|baz|foobar|dummy|fake|mock|sample|demo|secret|secrets|password|passwords|"
    rb"passwd|passphrase|pass|pwd|token|tokens|key|api_?key|username|user|value|change|name|field|prompt|input|env|variable)"
    rb"|(?:os\.environ|os\.getenv|process\.env|env\.|getenv|import\.meta|std::env|self\.|this\.|config\.|settings\.|"
    rb"secrets\.|vault:|env:|op://|arn:|ref\+|file:|ssm:|https?://|s3://|sha(?:1|256|512)[-:]|md5[:-]).*"
    rb"|(?:~|\.{1,2})/.*|/(?-i:[A-Za-z][a-z0-9._-]{0,20})(?:/[\w.@-]+)*/?|[a-z]:\\.*"  # paths
    rb"|\d+(?:\.\d+)+|\d+(?:ms|[smhdkgb]{1,2})|\d{4}-\d\d-\d\d.*"  # versions, durations and sizes, dates
    rb")$",
    re.DOTALL,
)
_holds = re.compile(
    rb"(?i)example|placeholder|change[_-]?(?:me|this|it)|redacted|your[_-]|[_-]your|yourpass|your(?:token|secret|api|key)|"
    rb"insert[_-]|replace[_-]|xxxx|\*\*\*|\.\.\.|<[a-z _-]+>|\$\{|\$\(|\{\{|\xe2\x80[\xa2\xa6]|\\u202[26]|dummy|"
    rb"not[_-]a[_-]?real|[_-]here$"
)
_dummy_token = re.compile(rb"(?i)example|placeholder|redacted|xxxxxx|000000000000")
# An expression of code: a name, perhaps with dots.
_reference = re.compile(rb"[A-Za-z_][0-9A-Za-z_]*(?:(?:\.|::|->|\?\.)[A-Za-z_][0-9A-Za-z_]*)*[;,.:!?)]*")
# snake_case with at most two digits a part: s3_connection.
_snake = re.compile(rb"[a-z]{1,20}\d{0,2}(?:_[a-z]{0,20}\d{0,2})+[;,.:!?)]*")
_words = re.compile(rb"[A-Za-z]+(?:[ _.:/-]+[A-Za-z]+)*[_.-]?\d{0,2}[;,.:!?]*")
_digit = re.compile(rb"\d")
_letter = re.compile(rb"[A-Za-z]")
_sign = re.compile(rb"[!@#$%^&*+=]")
_not_made = re.compile(rb"[\s\x80-\xff]")
_label = re.compile(rb"[A-Z][a-z]+[?!.:]*")
_ends_in_name = re.compile(
    rb"(?i)(?:passw(?:or)?d|passphrase|pwd|pass|secret|token|key|credentials?|auth|hash|id|name|value|str|var)s?\d{0,2}"
    rb"[;,.:!?]*$"
)


def is_dummy(token: bytes) -> bool:
    """Whether something in the form of a token says itself that it is none."""
    return bool(_dummy_token.search(token))


def is_placeholder(value: bytes) -> bool:
    """Whether a secret's value stands for one, or was masked before."""
    return MARKER_START in value or len(set(value)) < 3 or bool(_stands_for.match(value)) or bool(_holds.search(value))


def is_reference(value: bytes) -> bool:
    """Whether it may be a name in code: ``self.token``, ``newPassword``, ``str``."""
    if not _reference.fullmatch(value):
        return False
    return not _digit.search(value) or bool(_ends_in_name.search(value) or _snake.fullmatch(value))


def looks_random(value: bytes) -> bool:
    """Whether a machine made it: no words, letters and digits, and much in little room."""
    if len(value) < 8 or not _digit.search(value) or not _letter.search(value) or _not_made.search(value):
        return False
    return not _words.fullmatch(value) and entropy(value) >= (2.5 if len(value) < 20 else 3.0)


def looks_thought_of(value: bytes) -> bool:
    """Whether it may be a password of a person, and not the label or the error message beside the field."""
    if not 4 <= len(value) <= 256:
        return False
    if b" " in value or b"\t" in value:
        return len(value) <= 64 and bool(_digit.search(value) and _sign.search(value))
    return not _label.fullmatch(value) and value.isascii()


def entropy(value: bytes) -> float:
    """Shannon's, in bits a byte."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
