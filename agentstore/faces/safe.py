"""The only way of foreign text to a terminal, and the first step of its way to a page (``web.rendering.text``). Pure.

A transcript holds what models, tools and web pages said: escape sequences that move the cursor, set the title or answer
in the user's name, carriage returns that hide what stood there, controls that turn the direction of writing, characters
that nobody sees. Here each becomes something that one can see; what is safe already stays as it is.
"""

from __future__ import annotations

import re

# C0 and C1 controls with DEL; soft hyphen; Arabic letter mark; fillers that show nothing; zero-width spaces, marks and
# joiners; line and paragraph separators; directions of writing; invisible operators; lone surrogates; the byte order
# mark; interlinear marks; noncharacters; tags, and variation selectors that nobody uses but to hide text.
_BEYOND = (
    "\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff"
)
_UNSAFE = re.compile(f"[\x00-\x1f{_BEYOND}]")
_UNSAFE_IN_A_BLOCK = re.compile(f"[\x00-\x08\x0b-\x1f{_BEYOND}]")
_TAB = 8
# Between two characters beyond ASCII a joiner is part of a word (Persian, Hindi) or of one emoji.
_JOINERS = "\u200c\u200d"


def line(text: str) -> str:
    """The text on one line: line ends and tabs are spaces, what is unsafe is shown."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_shown, _WHITE.sub(" ", text))


def lines(text: str) -> list[str]:
    """The lines of a text, each safe: tabs are spaces up to the next eighth column, CR LF is one end of a line."""
    return [_UNSAFE.sub(_shown, one.expandtabs(_TAB)) for one in text.replace("\r\n", "\n").split("\n")]


def block(text: str) -> str:
    """The text with its lines and tabs as they are, all else safe; CR LF is one end of a line."""
    return _UNSAFE_IN_A_BLOCK.sub(_shown, text.replace("\r\n", "\n"))


def in_json(text: str) -> str:
    """JSON that says the same, and is safe on a terminal: what is unsafe stands as ``\\uXXXX``."""
    return _UNSAFE.sub(lambda found: _escaped(ord(found.group())), text)


def in_ascii(text: str) -> str:
    """JSON that says the same in ASCII."""
    return text if text.isascii() else _BEYOND_ASCII.sub(lambda found: _escaped(ord(found.group())), text)


_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
# Spaces are looked at from where they begin: from each of them it would take minutes for some 100,000 in a row.
_WHITE = re.compile(r"(?:(?<! )[ ]++)?(?:\r\n|[\n\t])[ \t\n]*")


def _shown(found: re.Match[str]) -> str:
    character, code = found.group(), ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)  # ␛ for ESC
    if code == 0x7F:
        return "␡"
    if character in _JOINERS and _is_inside_a_word(found):
        return character
    return f"<{code:02X}>" if code < 0x100 else f"<U+{code:04X}>"


def _is_inside_a_word(found: re.Match[str]) -> bool:
    text, at = found.string, found.start()
    around = text[at - 1 : at] + text[at + 1 : at + 2]
    return len(around) == 2 and all(ord(one) > 0x2FF and not _UNSAFE.match(one) for one in around)


def _escaped(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
