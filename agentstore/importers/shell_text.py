"""Which calls run a shell's command, what it is, and what of it is code.

Here-documents and quoted words are what a command says, not what it runs. No shell is parsed here (``shell_commands``
does): this looks for texts that quote commands (``grep "git commit"``, a commit's message, a document that is written)
and takes them out. Quoted words that a shell is given to run (``bash -lc "…"``, ``ssh host '…'``) stay.
Every step takes time in proportion to the text.
"""

from __future__ import annotations

import functools
import re
import shlex
from typing import Any

import msgspec

from agentstore.importers.tools import CATEGORIES, category, text_of

LONGEST = 200_000  # of a command; what stands beyond is not looked at
_HERE_DOCUMENT = re.compile(r"(?<!<)<<(?!<)[-~]?[ \t]{0,9}([\"']?)(\w{1,60})\1")
_RUNS_TEXT = re.compile(
    r"(?:^|[\s;&|(/])(?:(?:ba|z|da|k|fi)?sh|pwsh|powershell(?:\.exe)?|cmd(?:\.exe)?|su|ssh|eval|wsl)\b[^\n;&|]{0,80}$",
    re.IGNORECASE,
)
_LOOK_BACK = 80  # how far before a text stands what it is given to
# Or what is none though it looks like one: behind a backslash, and in a comment.
_QUOTE = re.compile(r"[\"']|\\.|(?<![^\s;&|(])#[^\n]*", re.DOTALL)
# So that no text makes the time grow with the square of its length. Real commands have a handful.
_MAX_OPEN_DOCUMENTS = 20
_MAX_QUOTED = 5000
_LINE_GOES_ON = re.compile(r"[\\`]\r?\n")


@functools.lru_cache(1000)
def bare_name(name: str) -> str:
    """The name without its server, its case and what joins its words: ``mcp__fs__read_file`` is ``readfile``."""
    return re.sub(r"[-_ ]", "", re.split(r"__|[./:]", name)[-1]).casefold()


# Tools that run commands and are in no list of categories: of agents, of servers that agents ask, of older versions.
_SHELLS = frozenset({
    "bash", "bashtool", "executebash", "localshell", "localshellcall", "powershell", "pwsh", "runbash",
    "runbashcommand", "runinterminal", "runshell", "runterminalcmd", "runterminalcommand", "runterminalcommandv2",
    "shellexec", "shelltool", "sh", "zsh", "copilotruninterminal",
    *(bare_name(name) for name, kind in CATEGORIES.items() if kind == "Bash"),
})  # fmt: skip
_COMMAND_KEYS = ("command", "cmd", "CommandLine", "commandLine", "command_line", "bash_command", "script", "input")
_IN_SCRIPT = re.compile(
    r"""\bcmd["']?\s{0,9}:\s{0,9}("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)""", re.DOTALL
)
_TAKES_SCRIPT = re.compile(r"(?:ba|z|da|k|fi)?sh|pwsh|powershell|cmd", re.IGNORECASE)
_SCRIPT_FOLLOWS = re.compile(r"-[a-z]{0,4}c|-Command|/c", re.IGNORECASE)
_MOST_WORDS = 10_000


@functools.lru_cache(1000)
def is_shell(name: str) -> bool:
    """Whether calls of the tool run commands, whatever its agent calls it."""
    return category(name) == "Bash" or bare_name(name) in _SHELLS


def command_of(arguments: Any) -> str:
    """The command that a shell tool was given: a text, a list of words, or within a script of the agent's own."""
    if isinstance(arguments, str):
        return _in_script(arguments)
    if not isinstance(arguments, dict):
        return ""
    for key in _COMMAND_KEYS:
        value = arguments.get(key)
        if isinstance(value, str) and value:
            words = arguments.get("args")
            if key == "command" and isinstance(words, list) and " " not in value:
                return _of_words([value, *words])
            return _in_script(value) if key == "input" else value
        if isinstance(value, list) and value:
            return _of_words(value)
    several = arguments.get("commands")
    return "\n".join(one for one in several if isinstance(one, str)) if isinstance(several, list) else ""


def _of_words(given: list[Any]) -> str:
    words = [word for word in given[:_MOST_WORDS] if isinstance(word, str)]
    program = words[0].replace("\\", "/").rpartition("/")[2].removesuffix(".exe") if words else ""
    if len(words) > 2 and _TAKES_SCRIPT.fullmatch(program):
        for number, word in enumerate(words[1:5], 1):
            if _SCRIPT_FOLLOWS.fullmatch(word) and number + 1 < len(words):
                return words[number + 1]
    return words[0] if len(words) == 1 else shlex.join(words)


def _in_script(text: str) -> str:
    """The commands that a script gives to ``exec_command``; else the text itself is one."""
    if "exec_command" not in text:
        return text
    return "\n".join(_literal(found.group(1)) for found in _IN_SCRIPT.finditer(text[:LONGEST]))


def _literal(written: str) -> str:
    inner = written[1:-1]
    if written[0] != '"':
        inner = inner.replace("\\" + written[0], written[0]).replace('"', '\\"').replace("\n", "\\n")
    try:
        return msgspec.json.decode(f'"{inner}"', type=str)
    except (msgspec.MsgspecError, UnicodeError):
        return written[1:-1]


def printed(result: str) -> str:
    """What a command printed, where the agent wraps it in JSON."""
    if not result.startswith(("{", "[{")):
        return result
    try:
        value = msgspec.json.decode(result.encode("utf-8", errors="replace"))
    except (msgspec.MsgspecError, RecursionError):
        return result
    parts = value if isinstance(value, list) else [value]
    texts = [text_of(part, "output", "stdout", "text", "aggregated_output", "content") for part in parts]
    return "\n".join(filter(None, texts)) or result


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
    position, scanned, before = 0, 0, ""
    while len(pieces) < 2 * _MAX_QUOTED and (found := _QUOTE.search(command, scanned)):
        scanned = found.end()
        if found.group() not in ("'", '"'):
            continue
        end = _end_of_quoted(command, found.start())
        if end < 0:  # an apostrophe in a comment, say: what follows is code as far as anyone can tell
            break
        between = command[position : found.start()]
        before = (before + between[-_LOOK_BACK:])[-_LOOK_BACK:]
        quoted = f"\n{command[found.end() : end]}\n" if _runs_text(before) else '""'
        pieces += (between, quoted)
        before += quoted[-_LOOK_BACK:]
        position = scanned = end + 1
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
