"""Values that are no secrets: what stands for one, what is made of one, and what code calls one."""

from __future__ import annotations

import math
import re
from collections import Counter

from agentstore.masking.rules import MARKER_START

# What stands in the place of a secret, whatever its name.
_stands_for = re.compile(
    rb"(?i)^(?:"
    rb"[$%{<\[(@#!~|>&*?].*"  # $VAR, %VAR%, {{ var }}, <your key>, [REDACTED], !vault, &anchor, *alias
    rb"|(?:x+|\*+|\.+|-+|_+|\?+|0+|#+|=+|1234(?:5(?:6(?:7(?:8(?:90?)?)?)?)?)?)"
    rb"|(?:none|null|nil|undefined|true|false|yes|no|on|off|required|optional|string|str|bytes|int|integer|bool|boolean|text|"
    rb"number|float|object|any|void|unknown|never|empty|default|hidden|disabled|enabled|missing|invalid|valid|expired|self|this|"
    rb"test|tests|todo|tbd|n/a|foo|bar|baz|dummy|fake|mock|sample|demo|secret|secrets|password|passwords|passwd|passphrase|"
    rb"pass|pwd|token|tokens|key|api_?key|username|user|value|hunter|foobar|change|name|field|prompt|input|env|variable)"
    rb"|(?:os\.environ|os\.getenv|process\.env|env\.|getenv|import\.meta|std::env|self\.|this\.|config\.|settings\.|secrets\."
    rb"|vault:|env:|op://|arn:|ref\+|file:|ssm:|https?://|s3://|sha(?:1|256|512)[-:]|md5[:-]).*"
    rb"|(?:~|\.{1,2})?/[\w.@-]+(?:/[\w.@-]+)*/?(?:\.\w+)?|[A-Za-z]:\\.*"  # paths
    rb"|\d+(?:\.\d+)*(?:ms|[smhdkMGB]{1,2})?|\d{4}-\d\d-\d\d.*"  # numbers, versions, durations, dates
    rb")$",
    re.DOTALL,
)
_holds = re.compile(
    rb"(?i)example|placeholder|change[_-]?(?:me|this|it)|redacted|your[_-]|[_-]your|yourpass|your(?:token|secret|api|key)|"
    rb"insert[_-]|replace[_-]|xxxx|\*\*\*|\.\.\.|<[a-z _-]+>|\$\{|\$\(|\{\{|\xe2\x80\xa6|\xe2\x80\xa2|dummy|not[_-]a[_-]?real|"
    rb"[_-]here$"
)
_dummy_token = re.compile(rb"(?i)example|placeholder|redacted|xxxxxx|000000000000")
# An expression of code: a name, perhaps with dots.
_reference = re.compile(rb"[A-Za-z_][0-9A-Za-z_]*(?:(?:\.|::|->|\?\.)[A-Za-z_][0-9A-Za-z_]*)*[;,.:!?)]*")
# snake_case with at most two digits a part: s3_connection.
_snake = re.compile(rb"[a-z]{1,20}\d{0,2}(?:_[a-z]{0,20}\d{0,2})+[;,.:!?)]*")
_words = re.compile(rb"[A-Za-z]+(?:[ _.:/-]+[A-Za-z]+)*[_.-]?\d{0,2}[;,.:!?]*")
_ends_in_name = re.compile(
    rb"(?i)(?:passw(?:or)?d|passphrase|pwd|pass|secret|token|key|credentials?|auth|hash|id|name|value|str|var)s?\d{0,2}"
    rb"[;,.:!?]*$"
)


def is_dummy(token: bytes) -> bool:
    """Whether something in the form of a token says itself that it is none."""
    return bool(_dummy_token.search(token))


def is_placeholder(value: bytes) -> bool:
    """Whether a secret's value stands for one, or was masked before."""
    return (
        MARKER_START in value
        or len(set(value)) < 3
        or bool(_stands_for.match(value))
        or bool(_holds.search(value))
    )


def is_reference(value: bytes) -> bool:
    """Whether it may be a name in code: ``self.token``, ``newPassword``, ``str``."""
    if not _reference.fullmatch(value):
        return False
    return not re.search(rb"\d", value) or bool(_ends_in_name.search(value) or _snake.fullmatch(value))


def looks_random(value: bytes) -> bool:
    """Whether a machine made it: no words, letters and digits, and much in little room."""
    if len(value) < 8 or re.search(rb"[\s\x80-\xff]", value) or _words.fullmatch(value):
        return False
    return bool(re.search(rb"\d", value) and re.search(rb"[A-Za-z]", value)) and entropy(value) >= (
        2.5 if len(value) < 20 else 3.0
    )


def looks_thought_of(value: bytes) -> bool:
    """Whether it may be a password of a person, and not the label or the error message beside the field."""
    if len(value) < 4:
        return False
    if re.search(rb"[ \t]", value):
        return bool(re.search(rb"\d", value) and re.search(rb"[!@#$%^&*+=]", value)) and len(value) <= 64
    if re.fullmatch(rb"[A-Z][a-z]+[?!.:]*", value) or re.search(rb"[\x80-\xff]", value):
        return False
    return len(value) <= 256


def entropy(value: bytes) -> float:
    """Shannon's, in bits a byte."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
