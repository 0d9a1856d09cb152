"""A shell's command as the simple commands in it: words, redirections, and what stands between them.

Not a shell: nothing is expanded. A word with anything in it that only a shell can tell (a variable, a substitution, a
pattern) is not ``certain``; so is all that stands in a loop or a condition, or after ``||``. Quotes, escapes, comments
and here-documents are understood; what cannot be, ends the list. Every step takes time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentstore.importers.shell_lists import MOST_NESTED, Command, Redirect, Word, in_order
from agentstore.importers.shell_text import LONGEST

_PLAIN = re.compile(r"[^\s;&|()<>'\"\\$`#*?\[{}~=!\n]+")
_SPACE = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_QUOTED = re.compile(r'[^"\\$`]+')
_DOLLAR_NAME = re.compile(r"\$(?:\w{1,200}|[@*#?!$-]|)")
_REDIRECT = re.compile(r"(?:\d{1,3}|&)?(?:<<<|<<-?|>>|>\||>&|<&|<>|>|<)|&>>?")
_OPERATOR = re.compile(r"&&|\|\||\|&|;;&?|;&|[;&|\n]")
_BRACES = re.compile(r"\{[^{}\s]{0,300}(?:,|\.\.)")
_MOST_COMMANDS = 2000


def commands_in(text: str, *, escape: str = "\\") -> list[Command]:
    """The commands of a text. ``escape`` is a backtick in PowerShell, where a backslash is one of a path."""
    return in_order(list(_Lexer(text[:LONGEST], escape).commands()))


class _Lexer:
    def __init__(self, text: str, escape: str) -> None:
        self._text = text
        self._escape = escape
        self._at = 0
        self._documents: list[tuple[list[Redirect], str, bool]] = []  # that begin at the end of the line
        self._depth = 0
        self._endless = 0  # so many texts that begin and do not end

    def commands(self) -> Iterator[Command]:
        before = ""
        for _ in range(_MOST_COMMANDS):
            words: list[Word] = []
            redirects: list[Redirect] = []
            depth = self._depth
            ended = self._simple(words, redirects)
            if words or redirects:
                yield Command(words, redirects, before, max(depth, self._depth) if ended == "(" else depth)
                before = ended
            elif ended not in ("\n", "") or not before:
                before = ended if ended not in ("(", ")") else before or ended
            if not ended:
                return

    def _simple(self, words: list[Word], redirects: list[Redirect]) -> str:
        """One command; the operator behind it, "" at the end of the text."""
        text, escape = self._text, self._escape
        while self._at < len(text):
            if escape == "\\":
                if space := _SPACE.match(text, self._at):
                    self._at = space.end()
                    continue
            elif text[self._at] in " \t\r" or text.startswith("`\n", self._at):
                self._at += 1 + (text[self._at] == "`")
                continue
            character = text[self._at]
            if character == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif escape == "\\" and text.startswith("((", self._at):
                words.append(Word(self._arithmetic(), False))
            elif character in "()":
                self._at += 1
                if character == "(" and words and text.startswith(")", self._at):
                    # The head of a function, whose body runs when it is called, if it is.
                    self._at = len(text)
                    words.clear()
                    return ""
                self._depth = max(0, self._depth + (1 if character == "(" else -1))
                return character
            elif redirect := _REDIRECT.match(text, self._at):
                self._at = redirect.end()
                self._redirect(redirect.group().lstrip("0123456789&") or ">", redirect.group(), redirects)
            elif operator := _OPERATOR.match(text, self._at):
                self._at = operator.end()
                if operator.group() == "\n" and self._documents:
                    self._read_documents()
                return operator.group()
            else:
                words.append(self._word())
        return ""

    def _arithmetic(self) -> str:
        begin = self._at
        self._at = _closing(self._text, begin)
        return self._text[begin : self._at]

    def _redirect(self, operator: str, written: str, redirects: list[Redirect]) -> None:
        text = self._text
        while self._at < len(text) and text[self._at] in " \t":
            self._at += 1
        if self._at >= len(text) or text[self._at] in "\n;|()":
            return
        target = self._word()
        if operator in ("<<", "<<-"):
            self._documents.append((redirects, target.text, operator == "<<-"))
        elif operator in (">&", "<&") and (target.text == "-" or target.text.isdigit()):
            pass
        elif not (operator == ">" and target.text.startswith("&")):
            redirects.append(Redirect(operator if written != ">&" else ">", target, written.startswith(("2", "&"))))

    def _read_documents(self) -> None:
        for redirects, end_word, indented in self._documents:
            indent = "[ \t]*" if indented else ""
            ends = re.compile(f"^{indent}{re.escape(end_word)}[ \t\r]{{0,9}}$", re.MULTILINE)
            end = ends.search(self._text, self._at)
            stop = end.start() if end else len(self._text)
            redirects.append(Redirect("<<", Word(self._text[self._at : stop], True, True)))
            self._at = min(len(self._text), end.end() + 1) if end else stop
        self._documents.clear()

    # --- words -------------------------------------------------------------------------------------------------------

    def _word(self) -> Word:
        text, parts = self._text, list[str]()
        certain, quoted = True, False
        begin = self._at
        while self._at < len(text):
            at = self._at
            if plain := _PLAIN.match(text, at):
                parts.append(plain.group())
                self._at = plain.end()
                continue
            character = text[at]
            if character in " \t\r\n;&|()<>":
                break
            if character == self._escape:
                parts.append(text[at + 1 : at + 2])
                self._at = at + 2
                quoted = True
            elif (end := self._document_end(at)) >= 0:
                parts[-1:] = [parts[-1][:-1], text[at + 1 : end].strip("\r\n")]
                self._at, quoted = end + 3, True
                certain = certain and character == "'"
            elif character == "'":
                end = text.find("'", at + 1)
                end = len(text) if end < 0 else end
                parts.append(text[at + 1 : end])
                self._at, quoted = end + 1, True
            elif character == '"':
                self._at, quoted = at + 1, True
                certain = self._double_quoted(parts) and certain
            elif character in "$`":
                parts.append(self._expansion())
                certain = False
            else:
                certain = certain and not self._is_pattern(character, at == begin)
                parts.append(character)
                self._at = at + 1
        return Word("".join(parts), certain, quoted)

    def _is_pattern(self, character: str, is_first: bool) -> bool:
        if character in "*?[":
            return True
        if character == "{":
            return _BRACES.match(self._text, self._at) is not None
        # ~ is the home of somebody else where a name follows it.
        return character == "~" and is_first and self._text[self._at + 1 : self._at + 2] not in ("/", "", " ", "\n")

    def _document_end(self, at: int) -> int:
        """Where a text ends that PowerShell quotes by @' at a line's end and '@ at a line's start; -1 if it is none."""
        text = self._text
        if self._escape != "`" or not at or text[at] not in "'\"" or text[at - 1] != "@" or self._endless > MOST_NESTED:
            return -1
        if not text.startswith(("\n", "\r\n"), at + 1):
            return -1
        end = text.find(f"\n{text[at]}@", at)
        self._endless += end < 0
        return end

    def _double_quoted(self, parts: list[str]) -> bool:
        text, certain = self._text, True
        while self._at < len(text) and text[self._at] != '"':
            if plain := _QUOTED.match(text, self._at):
                parts.append(plain.group())
                self._at = plain.end()
            elif text[self._at] == self._escape:
                following = text[self._at + 1 : self._at + 2]
                parts.append(following if following in '"\\$`' else "" if following == "\n" else "\\" + following)
                self._at += 2
            elif text[self._at] == "\\":  # of a path, in PowerShell
                parts.append("\\")
                self._at += 1
            else:
                parts.append(self._expansion())
                certain = False
        self._at += 1
        return certain

    def _expansion(self) -> str:
        """A variable or a substitution, as it is written."""
        text, begin = self._text, self._at
        if text[begin] == "`":
            end = text.find("`", begin + 1)
            self._at = len(text) if end < 0 else end + 1
        elif text.startswith(("$(", "${"), begin):
            self._at = _closing(text, begin + 1)
        elif text.startswith("$'", begin):
            end = text.find("'", begin + 2)
            self._at = len(text) if end < 0 else end + 1
        else:
            name = _DOLLAR_NAME.match(text, begin)
            self._at = max(begin + 1, name.end() if name else 0)
        return text[begin : self._at]


_BRACKETS = re.compile(r"[(){}'\"\\]|<<-?[ \t]{0,9}['\"]?(\w{1,60})")


def _closing(text: str, at: int) -> int:
    """Behind the bracket that closes the one at ``at``; the end of the text if none does."""
    depth, position = 0, at
    while depth <= MOST_NESTED and (found := _BRACKETS.search(text, position)):
        position = found.end()
        character = found.group()
        if character == "\\":
            position += 1
        elif character in "'\"":
            position = _quote_end(text, position, character)
        elif character in "({":
            depth += 1
        elif character in ")}":
            depth -= 1
            if depth == 0:
                return position
        else:  # what a here-document says is no code
            end = re.compile(rf"^[ \t]{{0,99}}{found.group(1)}[ \t\r]{{0,9}}$", re.MULTILINE).search(text, position)
            position = end.end() if end else len(text)
    return len(text)


def _quote_end(text: str, position: int, quote: str) -> int:
    end = text.find(quote, position)
    while end > 0 and quote == '"' and text[end - 1] == "\\":
        end = text.find(quote, end + 1)
    return len(text) if end < 0 else end + 1
