"""From a secret name to the bytes of its value, and whether they are a secret: the judgement of this room."""

from __future__ import annotations

import re

from agentstore.masking import placeholders
from agentstore.masking.escapes import opening_quote, quoted
from agentstore.masking.names import Name, read_name
from agentstore.masking.rules import MARKER_START, Span

# \u0026 and its like are letters of a value, and so are the dots that say that it is none. What ends it in a shell, and
# what ends it elsewhere; a letter beyond ASCII is one of the sentence around it.
_ESCAPED_SIGN = rb"|\\{1,15}u00(?:26|2[bBfF]|3[dD])|\\{1,15}/|\xe2\x80[\xa2\xa6]|\\{1,15}u202[26]"
_in_shell = re.compile(rb"(?:[^\s\"'`\\;<>|()\x00-\x1f\x80-\xff]++" + _ESCAPED_SIGN + rb")++")
_in_text = re.compile(rb"(?:[^\s\"'`\\,;<>|(){}\[\]&\x00-\x1f\x80-\xff]++" + _ESCAPED_SIGN + rb")++")
_uncommon = re.compile(rb"[0-9!@#%^*+]|=$")  # base64 of a word may have no digit
_LONGEST = 512  # that is judged
_calls = re.compile(rb"[(\[{]")
_annotation = re.compile(rb"[&A-Za-z_][0-9A-Za-z_.\[\]<>|&? ]{0,40}=[ ]{0,4}")
_scheme = re.compile(rb"(?i)(?:bearer|basic|token|api-?key|key|ssws|splunk|geniekey|bot)[ ]+")
# A text that begins so is what stands after a closing quote, not after an opening one.
_not_inside = re.compile(rb"[,:)}\]+.; \t]|\\{1,15}[nrt]")
_tag_value = re.compile(rb"([^<>\s\"'\\]{4,256})</")
_pair = re.compile(rb"[a-z_-]{1,16}=")  # --secret id=npm,src=… of docker
_TAG_LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.:-"
_option_value = re.compile(rb"[^\s\"'`\\;<>|()$&\x80-\xff-][^\s\"'`\\;<>|()$&\x80-\xff]{3,256}")


def named_value(data: bytes, start: int, end: int) -> Span | None:
    """The value of the name that a hit of NAME from ``start`` to ``end`` is about, if it is a secret."""
    name = read_name(data, start, end)
    return _value(data, end, name) if name else None


def option_value(data: bytes, start: int, end: int) -> Span | None:
    """The value after ``--password`` and a blank."""
    said = data[start:end].lower()
    kind = "password" if b"pass" in said else "api-key" if b"key" in said else "token"
    name = Name(kind, data[start:end].strip(b"- "), environment=False, quoted=False)
    if opening_quote(data, end):
        return _quoted_value(data, end, name)
    found = _option_value.match(data, end)
    if not found or _pair.match(found.group()) or not _is_secret_text(found.group(), name):
        return None
    if data.startswith(MARKER_START, found.end()):
        return None
    return Span(found.start(), found.end(), kind)


def tag_value(data: bytes, start: int, end: int) -> Span | None:
    """The text of ``<password>…</password>``."""
    opened = data.rfind(b"<", max(0, start - 32), start)
    if opened < 0 or data[opened + 1 : start].translate(None, _TAG_LETTERS):
        return None
    tag = data[start:end].lower()
    kind = "password" if b"pass" in tag else "token" if b"token" in tag else "secret" if b"secret" in tag else "api-key"
    found = _tag_value.match(data, end)
    if not found or placeholders.is_placeholder(found.group(1)):
        return None
    name = Name(kind, tag, environment=False, quoted=True)
    return Span(end, found.end(1), kind) if _is_secret_literal(found.group(1), name) else None


def _value(data: bytes, position: int, name: Name) -> Span | None:
    if opening_quote(data, position):
        return _quoted_value(data, position, name)
    if name.quoted:
        return None  # a number, a list or code: a marker in its place would be no JSON
    if name.kind == "authorization" and (scheme := _scheme.match(data, position)):
        position = scheme.end()
    annotated = None if name.environment else _annotation.match(data, position)
    if annotated and opening_quote(data, annotated.end()):
        return _quoted_value(data, annotated.end(), name)
    letters = _in_shell if name.environment else _in_text
    found = letters.match(data, position, position + _LONGEST)
    if not found or data.startswith(MARKER_START, found.end()):
        return None
    if not name.environment and _calls.match(data, found.end()):
        return None
    if not (_is_secret_in_shell if name.environment else _is_secret_text)(found.group(), name):
        return None
    whole = letters.match(data, position) or found
    return Span(position, position + len(whole.group().rstrip(b"" if name.environment else b".,;:")), name.kind)


def _quoted_value(data: bytes, position: int, name: Name) -> Span | None:
    opened = opening_quote(data, position)
    within = quoted(data, opened) if opened else None
    if not within:
        return None
    start = within.start
    if _not_inside.match(data, start):
        return None
    if name.kind == "authorization" and (scheme := _scheme.match(data, start)):
        start = scheme.end()
    value = data[start : within.end]
    return Span(start, within.end, name.kind) if _is_secret_literal(value, name) else None


def _is_secret_literal(value: bytes, name: Name) -> bool:
    """Of a text in quotes."""
    if len(value) < 4:
        return False
    if name.kind == "seed-phrase" and len(value.split()) >= 12:
        return not placeholders.is_placeholder(value)
    return _made(value, name) and not placeholders.is_placeholder(value)


def _is_secret_in_shell(value: bytes, name: Name) -> bool:
    """Of the text after ``NAME=``."""
    return len(value) >= 4 and _made(value, name) and not placeholders.is_placeholder(value)


def _is_secret_text(value: bytes, name: Name) -> bool:
    """Of a text without quotes: as likely code or prose as YAML."""
    value = value.rstrip(b".,;:")
    if len(value) < 6 or not _made(value, name):
        return False
    if name.human and not _uncommon.search(value):
        return False
    return not placeholders.is_reference(value) and not placeholders.is_placeholder(value)


def _made(value: bytes, name: Name) -> bool:
    """Whether it was made up by a person, if that is usual for such a name, or else by a machine."""
    return placeholders.looks_thought_of(value) if name.human else placeholders.looks_random(value)
