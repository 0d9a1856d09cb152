"""Words whose values are secret, and what stands between a name and its value in all the ways of writing both."""

from __future__ import annotations

import re
from typing import NamedTuple

# Each ends its name: ``token_count`` and ``passwordField`` are other things. Longer before shorter.
_WORDS = (
    rb"(?:api|secret|access)[_. -]?key|"
    rb"(?:private|auth|encryption|signing|master|account|shared|service|service[_-]role|storage|"
    rb"app|deploy|license|subscription|anon|openai|anthropic|gemini|mistral|cohere|deepseek|azure|stripe|sendgrid|mailgun|"
    rb"datadog|algolia)[_-]?key|"
    rb"passw(?:or)?d|passphrase|passwort|kennwort|[_-]pass|pwd|secret|token|authorization|:_auth|mnemonic|"
    rb"(?:seed|recovery)[_-]?phrase"
)
_SUFFIX = rb"(?:[_-]?(?:prod|dev|test|staging|live|b64|base64|base|[0-9]{1,3}))?"
_QUOTE = rb"(?:\\{0,15}[\"'`])?"
_BLANK = rb"(?:[ \t]|\\{1,15}t){0,8}"
_SIGN = rb"(?:={1,3}>?|:-|:=|:|\?=|\\{1,15}u003[dDaA])"
# Kubernetes, compose and Postman: {"name": "X_TOKEN", "value": "…"}; in YAML within JSON there is an escaped newline;
# of .NET: <add key="ApiKey" value="…"/>.
_ELSEWHERE = rb"(?:,|[ ]|(?:\\{1,15}r)?\\{1,15}n)[ \t]{0,40}" + _QUOTE + rb"value" + _QUOTE + rb"[:=]"
# define('X_TOKEN', '…'), getenv("X_TOKEN", "…"), Set("X-Api-Key", "…")
_ARGUMENT = rb"\\{0,15}[\"'],[ ]{0,4}"
NAME = (
    rb"(?i:" + _WORDS + rb")(?i:" + _SUFFIX + rb")(?:" + _QUOTE + rb"[\])]?" + _BLANK
    + rb"(?:" + _SIGN + rb"|" + _ELSEWHERE + rb")" + _BLANK + rb"|" + _ARGUMENT + rb")"
)  # fmt: skip
# The same without limits: what is searched for everywhere counts as little as possible.
NAME_PROBE = (
    rb"(?i:" + _WORDS + rb")(?i:" + _SUFFIX + rb")(?:(?:\\*[\"'`])?[\])]?(?:[ \t]|\\+t)*"
    rb"(?:[=:]|\?=|\\+u003[dDaA]|(?:,|[ ]|(?:\\+r)?\\+n)[ \t]*(?:\\*[\"'`])?value)|\\*[\"'],)"
)
# --password VALUE, --api-key VALUE, sshpass -p VALUE; ENV X_TOKEN VALUE of Dockerfiles, set -gx and setx of shells
OPTION_PROBE = (
    rb"(?:--(?:[a-z0-9]+-)?(?:[a-z0-9]+-)?(?:password|passwd|passphrase|secret|token|api-key|access-key|secret-key)"
    rb"|sshpass -p|(?:ENV|setx|set -[gU]?x)[ ][A-Z0-9_]*(?:PASSWORD|SECRET|TOKEN|(?:API|SECRET|ACCESS)_KEY))[ ]"
)
OPTION = OPTION_PROBE + rb"{1,4}"
# machine HOST login NAME password VALUE, as ~/.netrc has it
NETRC_PROBE = rb"login[ ]+[^\s\"'\\]+(?:[ \t]|\\+[nt])+password[ ]"
NETRC = rb"login[ ]{1,8}[^\s\"'\\]{1,64}(?:[ \t]|\\{1,15}[nt]){1,12}password[ ]{1,8}"
TAG = rb"(?i:passw(?:or)?d|passphrase|secret|token|api[_-]?key)>"

_word = re.compile(rb"(?i)(" + _WORDS + rb")" + _SUFFIX)
_LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.-"
_upper = re.compile(rb"[A-Z0-9_]+")
_code_point = re.compile(rb"u[0-9a-fA-F]{4}")
_called = re.compile(rb"\w\([ ]?\\{0,15}[\"']$")
# ``next_page_token`` and the like are no secrets; nor are a tokenizer's ``eos_token`` and a game's ``design_token``.
_harmless = re.compile(
    rb"(?i)(?:page|continuation|continue|cursor|cancel(?:lation)?|sync|resume|eos|bos|pad|unk|sep|cls|mask|stop|special|"
    rb"start|end|per|max|min|num|last|first|current|design|public|publickey|csrf|xsrf|syntax|prev(?:ious)?|next)[_-]?"
    rb"(?:token|secret|api[_-]?key|pass)"
)
_kinds = (
    (re.compile(rb"(?i)pass|pwd|kennwort"), "password"),
    (re.compile(rb"(?i)authorization|_auth$"), "authorization"),
    (re.compile(rb"(?i)mnemonic|phrase"), "seed-phrase"),
    (re.compile(rb"(?i)token"), "token"),
    (re.compile(rb"(?i)secret"), "secret"),
    (re.compile(rb"(?i)key"), "api-key"),
)


class Name(NamedTuple):
    """A name with a secret value: what it says of the value."""

    kind: str
    identifier: bytes
    # NAME= at the beginning of a line or a word, in capitals: a value as a shell reads it.
    environment: bool
    # "name": … and 'name': …; the value is quoted too, or no text.
    quoted: bool

    @property
    def human(self) -> bool:
        """Whether people think of the value: it may be a word."""
        return self.kind in ("password", "seed-phrase")


def read_name(data: bytes, start: int, end: int) -> Name | None:
    """The name that a hit of NAME, from ``start`` to ``end``, is about; None where its value is no secret."""
    window = data[max(0, start - 64) : start]
    head = start - len(window) + len(window.rstrip(_LETTERS))
    if head < start and data[head - 1 : head] == b"\\":  # the letter of \n, or \u00e9
        head += 5 if _code_point.match(data, head, start) else 1
    word = _word.match(data, start)
    if not word:
        return None
    identifier = data[head : word.end()]
    if _harmless.search(identifier):
        return None
    rest = data[word.end() : end]
    kind = next(kind for pattern, kind in _kinds if pattern.search(word.group(1)))
    if rest.rstrip(b" ").endswith(b",") and not _is_argument(data, head, identifier, kind):
        return None
    if kind == "api-key" and re.search(rb"(?i)secret_?access_?key", identifier):
        kind = "aws-secret-key"
    return Name(
        kind,
        identifier,
        environment=rest == b"=" and bool(_upper.fullmatch(identifier)),
        quoted=rest.lstrip(b"\\")[:1] in (b'"', b"'"),
    )


def _is_argument(data: bytes, head: int, identifier: bytes, kind: str) -> bool:
    """Whether a name in quotes, with a comma behind them, is the first argument of a call and no word of a list."""
    # Words for people come with words: fill("password", "Passwort").
    says = kind != "password" or bool(_upper.fullmatch(identifier))
    return says and _called.search(data, max(0, head - 24), head) is not None
