"""What of a shell command is code: here-documents and quoted words are what it says, not what it runs.

No shell is parsed: this looks for texts that quote commands (``grep "git commit"``, a commit's message, a document that
is written) and takes them out. Quoted words that a shell is given to run (``bash -lc "…"``, ``ssh host '…'``) stay.
Every step takes time in proportion to the text.
"""

from __future__ import annotations

import re

LONGEST = 200_000  # of a command; what stands beyond is not looked at
_HERE_DOCUMENT = re.compile(r"(?<!<)<<(?!<)[-~]?[ \t]{0,9}([\"']?)(\w{1,60})\1")
_RUNS_TEXT = re.compile(
    r"(?:^|[\s;&|(/])(?:(?:ba|z|da|k|fi)?sh|pwsh|powershell(?:\.exe)?|cmd(?:\.exe)?|su|ssh|eval|wsl)\b[^\n;&|]{0,80}$",
    re.IGNORECASE,
)
_LOOK_BACK = 80  # how far before a text stands what it is given to
_QUOTE = re.compile("[\"']")
# So that no text makes the time grow with the square of its length. Real commands have a handful.
_MAX_OPEN_DOCUMENTS = 20
_MAX_QUOTED = 5000
_LINE_GOES_ON = re.compile(r"[\\`]\r?\n")


def code_of(command: str) -> str:
    """The command without here-documents and without what stands in quotes."""
    return _LINE_GOES_ON.sub(" ", _without_quoted(_without_here_documents(command[:LONGEST])))


def _without_here_documents(command: str) -> str:
    pieces: list[str] = []
    position = without_end = 0
    while without_end < _MAX_OPEN_DOCUMENTS and (found := _HERE_DOCUMENT.search(command, position)):
        begin = command.find("\n", found.end()) + 1
        end = _end_of_document(command, begin, found.group(2)) if begin else -1
        without_end += end < 0
        # What a shell is given to run is code, too.
        keep = end < 0 or _runs_text(command[max(0, found.start() - _LOOK_BACK) : found.start()])
        pieces.append(command[position : found.end() if keep else begin])
        position = found.end() if keep else end
    return "".join(pieces) + command[position:]


def _end_of_document(command: str, begin: int, word: str) -> int:
    """Where the line that ends a here-document ends; -1 if there is none. The line may be indented (``<<-``)."""
    found = re.compile(rf"^[ \t]{{0,99}}{word}[ \t\r]{{0,9}}$", re.MULTILINE).search(command, begin)
    return found.end() if found else -1


def _without_quoted(command: str) -> str:
    pieces: list[str] = []
    position, before = 0, ""
    while len(pieces) < 2 * _MAX_QUOTED and (found := _QUOTE.search(command, position)):
        end = _end_of_quoted(command, found.start())
        if end < 0:  # an apostrophe in a comment, say: what follows is code as far as anyone can tell
            break
        between = command[position : found.start()]
        before = (before + between[-_LOOK_BACK:])[-_LOOK_BACK:]
        quoted = f"\n{command[found.end() : end]}\n" if _runs_text(before) else '""'
        pieces += (between, quoted)
        before += quoted[-_LOOK_BACK:]
        position = end + 1
    return "".join(pieces) + command[position:]


def _runs_text(before: str) -> bool:
    return _RUNS_TEXT.search(before) is not None


def _end_of_quoted(command: str, start: int) -> int:
    end = command.find(command[start], start + 1)
    while end >= 0 and command[start] == '"' and _is_escaped(command, end):
        end = command.find('"', end + 1)
    return end


def _is_escaped(command: str, position: int) -> bool:
    first = position
    while first > 0 and command[first - 1] == "\\":
        first -= 1
    return (position - first) % 2 == 1
