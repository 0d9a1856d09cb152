"""Private keys in their blocks: whole, in strings with escaped newlines, indented, numbered by a tool, cut off."""

from __future__ import annotations

import base64
import binascii
import re

from agentstore.masking.rules import Span

BEGIN = rb"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----"
BEGIN_PROBE = rb"-----BEGIN[ A-Z0-9]*PRIVATE KEY"
# A whole block once more in base64, as Kubernetes writes keys: it begins with "-----BEGIN".
WRAPPED = rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]{40,}={0,2}"
WRAPPED_PROBE = rb"LS0tLS1CRUdJTi"
_end = re.compile(rb"-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_key_text = re.compile(rb"[A-Za-z0-9+/]{24}")
# Between two lines: indentation, quotes of code, a line number.
_line = re.compile(
    rb"(?:[ \t\r\n>|+,]|\\+[nrt]|\\+\"){0,48}"
    rb"(?:[0-9]{1,6}(?:[ \t]|\\+t|\xe2\x86\x92|\\+u2192){1,8})?([A-Za-z0-9+/]{16,}={0,2})"
)
_quote = re.compile(rb"(\\*)\"")
MAX_BLOCK = 32 * 1024


def key_block(data: bytes, start: int, end: int) -> Span | None:
    """The key whose BEGIN line is from ``start`` to ``end``."""
    stop = data.find(b"-----", end, end + MAX_BLOCK)
    closing = _end.match(data, stop) if stop > 0 else None
    if closing:
        body = data[end:stop]
        if _key_text.search(body) and len(set(body)) > 12 and not _leaves_its_string(body):
            return Span(start, closing.end(), "private-key")
    return _cut_off(data, start, end)


def _leaves_its_string(body: bytes) -> bool:
    """Whether a double quote ends the JSON string that the block stands in."""
    return any(len(found.group(1)) % 2 == 0 for found in _quote.finditer(body))


def _cut_off(data: bytes, start: int, end: int) -> Span | None:
    """A block without its END, as ``head`` shows it: as far as lines of base64 go."""
    position = end
    while position - end < MAX_BLOCK and (line := _line.match(data, position)):
        position = line.end()
    if len(set(data[end:position])) < 12:
        return None
    return Span(start, position, "private-key")


def wrapped_key(data: bytes, start: int, end: int) -> Span | None:
    """A block in base64, if it is a private key and no certificate."""
    head = data[start : start + 80]
    try:
        plain = base64.b64decode(head[: len(head) // 4 * 4])
    except binascii.Error:
        return None
    return Span(start, end, "private-key") if b"PRIVATE KEY" in plain else None
