"""Which files a shell's command reads, writes, edits, deletes or moves, as far as it says so for certain.

Certain is what runs whenever the command succeeds, with a path that is written out: no variable, no pattern, nothing in
a loop or a condition, nothing after ``||``. What the output says could not be found was not touched.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence

from agentstore.importers.file_paths import joined
from agentstore.importers.patches import Touched, in_patch
from agentstore.importers.shell_commands import commands_in
from agentstore.importers.shell_lists import Command, Word
from agentstore.importers.shell_windows import HANDLERS_OF_WINDOWS, has_ending

# Most commands touch nothing that they name: only what may is taken apart. Each begins with what is found fast.
_PROGRAM = (
    r"[ \t\"']{0,20}(?:\w{1,80}=\S{0,200}\s{1,9}){0,5}(?:/\S{1,80}/)?"
    r"(?:cat\b(?!\s{0,9}<<)|(?:head|tail)\b(?!(?:\s{1,9}-?\w{1,9}){0,3}\s{0,9}(?:$|[|;&\n)\"']))"
    r"|(?:tac|nl|less|more|bat|batcat|sed|perl|rm|unlink|mv|cp|tee|patch|apply_?patch)\b"
    r"|git\b[^\n;&|]{0,300}?\s(?:mv|rm|apply|am)\b"
    r"|(?i:(?:get|set|add|remove|move|copy)-(?:content|item)|out-file|type|gc|del|copy|move)\b)"
)
_PROGRAM_FIRST = re.compile(_PROGRAM)
_PROGRAM_LATER = re.compile(r"[;&|(`\n\"']" + _PROGRAM)
_PROGRAM_WITHIN = re.compile(r"\b(?:sudo|env|then|do)\b" + _PROGRAM)
_WITHIN = ("sudo ", "env ", "then ", "do ")
_WRITES = re.compile(r">(?<![-=<&]>)(?![&=>(]|\s?/dev/null)")
_READS = re.compile(r"<(?<![<\d]<)(?![<(=&])")
# Parts of what programs say of a file that they could not take.
_REFUSALS = (
    "o such file", "annot access", "annot open", "annot stat", "annot remove", "annot find", "ermission denied",
    "s a directory", "ot found", "does not exist", "did not match any",
)  # fmt: skip
_MOST_REFUSALS, _AROUND = 50, 500
_PREFIXES = frozenset({"sudo", "command", "builtin", "nohup", "env", "exec", "time", "nice", "stdbuf"})
_ASSIGNS = re.compile(r"[A-Za-z_]\w{0,100}=")
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
_MOST_DEPTH = 4
# Options with a value in the next word, of programs that only read what they are given.
_READERS: dict[str, frozenset[str]] = {
    "cat": frozenset(),
    "tac": frozenset({"-s"}),
    "nl": frozenset({"-b", "-d", "-f", "-h", "-i", "-l", "-n", "-s", "-v", "-w"}),
    "head": frozenset({"-n", "-c", "--lines", "--bytes"}),
    "tail": frozenset({"-n", "-c", "-s", "--lines", "--bytes", "--pid"}),
    "less": frozenset({"-p"}),
    "more": frozenset({"-n"}),
    "bat": frozenset({"-r", "--line-range", "-l", "--language", "--theme", "--style", "-H", "--color", "--paging"}),
}
_READERS["batcat"] = _READERS["bat"]
_IN_PLACE = re.compile(r"-[nErszu]{0,6}i.{0,40}|--in-place(?:=.{0,40})?")
_PERL_IN_PLACE = re.compile(r"-[acFlnpsw0-7]{0,8}i")
# Of && lists that others follow: what never fails but in silence would tell of it, and nobody knows of the rest.
_HARMLESS = frozenset({
    "", "cd", "pushd", "popd", "echo", "printf", "export", "mkdir", "touch", "set", "true", ":", "source", ".", "pwd",
    "cat", "nl", "head", "tail", "sed", "wc", "rm", "mv", "cp", "tee", "chmod", "sleep",
})  # fmt: skip
# So that a patch is only looked at, or taken back.
_TRIES = frozenset({
    "--check", "--stat", "--numstat", "--summary", "--cached", "--dry-run", "-R", "--reverse", "-n", "--abort",
    "--quit",
})  # fmt: skip


def in_command(command: str, result: str, *, escape: str = "\\") -> list[Touched]:
    """The files of a command whose ``result`` was no error."""
    if not _may_touch(command):
        return []
    found = list(_Shell("", escape, 0).touched(command))
    refused = "\n".join(_refusals(result)) if found else ""
    if not refused:
        return found
    # Something failed: what needs it may not have run.
    found = list(_Shell("", escape, 0, harmless=frozenset()).touched(command))
    return [one for one in found if one.path not in refused]


def _refusals(result: str) -> Iterator[str]:
    """The lines that say so, a thousand characters of each."""
    for words in _REFUSALS:
        at = result.find(words)
        for _ in range(_MOST_REFUSALS):
            if at < 0:
                break
            begin = max(at - _AROUND, result.rfind("\n", max(0, at - _AROUND), at) + 1)
            end = result.find("\n", at, at + _AROUND)
            yield result[begin : end if end >= 0 else at + _AROUND]
            at = result.find(words, at + 1)


def _may_touch(command: str) -> bool:
    return (
        _PROGRAM_FIRST.match(command) is not None
        or _PROGRAM_LATER.search(command) is not None
        or (">" in command and _WRITES.search(command) is not None)
        or ("<" in command and _READS.search(command) is not None)
        or (any(word in command for word in _WITHIN) and _PROGRAM_WITHIN.search(command) is not None)
    )


class _Shell:
    """Follows the directory that a command is in. ``base`` is None where nobody knows."""

    def __init__(self, base: str | None, escape: str, depth: int, harmless: frozenset[str] = _HARMLESS) -> None:
        self._harmless = harmless
        self._base = base
        self._escape = escape
        self._depth = depth

    def touched(self, text: str) -> Iterator[Touched]:
        outer: list[str | None] = []  # where those around a subshell are
        commands = commands_in(text, escape=self._escape)
        for number, command in enumerate(commands):
            while len(outer) < command.depth:
                outer.append(self._base)
            while len(outer) > command.depth:
                self._base = outer.pop()
            words = _without_prefixes(command.words)
            name = command._replace(words=words).name
            if name in ("cd", "pushd", "popd", "Set-Location"):
                self._go(words, command, commands[number + 1 : number + 2])
            elif name in ("exit", "return") and command.is_sure and not command.depth:
                return
            elif command.is_sure and self._base is not None and self._is_run(command):
                told = _says_what_failed(command, commands[number + 1 : number + 2])
                yield from self._of(name, words, command, told=told)

    def _is_run(self, command: Command) -> bool:
        return command.is_last or self._harmless.issuperset(command.needs)

    def _go(self, words: Sequence[Word], command: Command, following: Sequence[Command]) -> None:
        names = [word for word in words[1:] if word.text != "--"]
        or_ends = bool(following) and following[0].before == "||" and following[0].name in ("exit", "return")
        known = command.is_sure or or_ends
        if known and self._base is not None and len(names) == 1 and names[0].is_certain and names[0].text != "-":
            self._base = joined(self._base, names[0].text)
        else:
            self._base = None

    def _of(self, name: str, words: list[Word], command: Command, *, told: bool) -> Iterator[Touched]:
        base = self._base or ""
        if name == "[[":  # which compares with < and >
            return
        if not told:
            pass
        elif name in _SHELLS and self._depth < _MOST_DEPTH:
            yield from self._nested(words)
        elif name in ("apply_patch", "applypatch", "patch") or (name == "git" and _verb(words)[1] in ("apply", "am")):
            yield from (one._replace(base=base) for text in _patches(words, command) for one in in_patch(text))
        else:
            if name == "git":
                place, name, words = _verb(words)
                base = joined(base, place)
                name = {"mv": "mv", "rm": "git rm"}.get(name, "")
            handle = HANDLERS_OF_WINDOWS.get(name.casefold()) if self._escape == "`" else None
            handle = handle or _HANDLERS.get(name)
            if handle:
                yield from (one._replace(base=base) for one in handle(words) if _is_path(one))
        for redirect in command.redirects:
            target = redirect.target
            if target.is_certain and redirect.operator not in ("<<", "<<-", "<<<", "<>", "<&", ">&"):
                operator = redirect.operator
                touched = Touched("read" if operator == "<" else "edit" if ">>" in operator else "write", target.text)
                if _is_path(touched):
                    yield touched._replace(base=self._base or "")

    def _nested(self, words: Sequence[Word]) -> Iterator[Touched]:
        for option, script in itertools.pairwise(words[1:5]):
            if re.fullmatch(r"-[a-z]{0,4}c", option.text) and script.is_certain:
                yield from _Shell(self._base, "\\", self._depth + 1, self._harmless).touched(script.text)
                return


def _says_what_failed(command: Command, following: Sequence[Command]) -> bool:
    """Whether it would be known that it failed: by what it prints, or as the whole fails with it."""
    is_piped = bool(following) and following[0].before in ("|", "|&")
    if command.is_last and not is_piped:
        return True
    return not any(one.of_errors and one.target.text == "/dev/null" for one in command.redirects)


def _without_prefixes(words: list[Word]) -> list[Word]:
    first = 0
    while first < min(len(words), 40) and (_ASSIGNS.match(words[first].text) or words[first].text in _PREFIXES):
        first += 1
    return words[first:]


def _verb(words: Sequence[Word]) -> tuple[str, str, list[Word]]:
    """Of a git command: the directory that it is told, the subcommand, and its words from there on."""
    place, first = "", 1
    while first < min(len(words), 40) and words[first].text.startswith("-"):
        if words[first].text in ("-C", "-c", "--git-dir", "--work-tree"):
            place = words[first + 1].text if words[first].text == "-C" and first + 1 < len(words) else place
            first += 1
        first += 1
    return place, words[first].text if first < len(words) else "", list(words[first:])


def _patches(words: Sequence[Word], command: Command) -> Iterator[str]:
    if not _TRIES.isdisjoint(word.text for word in words[:40]):
        return
    yield from (redirect.target.text for redirect in command.redirects if redirect.operator in ("<<", "<<<"))
    yield from (word.text for word in words[1:3] if word.is_certain and word.text.startswith("*** Begin Patch"))


def _is_path(touched: Touched) -> bool:
    return touched.path not in ("", "-") and not touched.path.startswith("/dev/")


# --- programs ------------------------------------------------------------------------------------------------------


def _split(words: Sequence[Word], valued: frozenset[str] = frozenset()) -> tuple[list[str], list[Word]]:
    """The options of a program, and its operands."""
    options: list[str] = []
    operands: list[Word] = []
    rest = iter(words[1:])
    for word in rest:
        if word.text == "--":
            operands += rest
        elif word.text.startswith("-") and len(word.text) > 1:
            options.append(word.text)
            if word.text in valued:
                options.append(next(rest, Word("")).text)
        else:
            operands.append(word)
    return options, operands


def _certain(operands: Sequence[Word]) -> Iterator[str]:
    return (word.text for word in operands if word.is_certain and word.text)


def _reader(valued: frozenset[str]) -> Callable[[list[Word]], Iterator[Touched]]:
    def read(words: list[Word]) -> Iterator[Touched]:
        # +5 is where to begin.
        return (Touched("read", path) for path in _certain(_split(words, valued)[1]) if not path.startswith("+"))

    return read


def _sed(words: list[Word]) -> Iterator[Touched]:
    options, operands = _split(words, frozenset({"-e", "-f", "-l", "--expression", "--file"}))
    operands = [word for word in operands if word.text]  # BSD's -i has a suffix, which may be ''
    if not any(option.startswith(("-e", "-f", "--expression", "--file")) for option in options):
        operands = operands[1:]
    in_place = any(_IN_PLACE.fullmatch(option) for option in options)
    return (Touched("edit" if in_place else "read", path) for path in _certain(operands))


def _perl(words: list[Word]) -> Iterator[Touched]:
    options, operands = _split(words, frozenset({"-e", "-E", "-I", "-M"}))
    scripts = [option for option in options if re.fullmatch(r"-\w{0,8}[eE]", option)]
    if scripts and any(_PERL_IN_PLACE.match(option) for option in options):
        operands = operands if scripts[0] in ("-e", "-E") else operands[1:]
        yield from (Touched("edit", path) for path in _certain(operands))


def _rm(words: list[Word]) -> Iterator[Touched]:
    options, operands = _split(words)
    if not {"--cached", "--dry-run", "-n"}.isdisjoint(options):
        return
    recursive = any(re.fullmatch(r"-\w{0,6}[rR]\w{0,6}|--recursive", option) for option in options)
    for path in _certain(operands):
        # Of a folder nothing tells which files were in it.
        if not path.endswith("/") and (not recursive or has_ending(path)):
            yield Touched("delete", path)


def _targets(words: list[Word]) -> Iterator[tuple[str, str]]:
    """Of a copy or a move: from where to where, file by file."""
    options, operands = _split(words, frozenset({"-t", "--target-directory", "-S", "--suffix"}))
    into = next((after for option, after in itertools.pairwise(options) if option == "-t"), "")
    into = into or next((one.partition("=")[2] for one in options if one.startswith("--target-directory=")), "")
    if not into:
        if len(operands) < 2 or not operands[-1].is_certain:
            return
        into = operands.pop().text
        last = into.rstrip("/").rpartition("/")[2]
        is_folder = into.endswith("/") or last in (".", "..") or len(operands) > 1
        if not is_folder:
            (source,) = list(_certain(operands)) or [""]
            # What has no ending may be a folder, as nothing tells.
            if source and has_ending(source) and has_ending(into):
                yield source, into
            elif source:
                yield source, ""
            return
    for source in _certain(operands):
        if name := source.rstrip("/").rpartition("/")[2]:
            yield source, f"{into.rstrip('/')}/{name}"


def _mv(words: list[Word]) -> Iterator[Touched]:
    return (Touched("move", source, target) for source, target in _targets(words) if target)


def _cp(words: list[Word]) -> Iterator[Touched]:
    if any(re.fullmatch(r"-\w{0,6}[rRa]\w{0,6}|--recursive|--archive", option) for option in _split(words)[0]):
        return
    for source, target in _targets(words):
        yield Touched("read", source)
        if target:
            yield Touched("write", target)


def _tee(words: list[Word]) -> Iterator[Touched]:
    options, operands = _split(words)
    operation = "edit" if {"-a", "--append"} & set(options) else "write"
    return (Touched("edit" if operation == "edit" else "write", path) for path in _certain(operands))


_HANDLERS: dict[str, Callable[[list[Word]], Iterator[Touched]]] = {
    **{name: _reader(valued) for name, valued in _READERS.items()},
    "sed": _sed,
    "perl": _perl,
    "rm": _rm,
    "unlink": _rm,
    "git rm": _rm,
    "mv": _mv,
    "cp": _cp,
    "tee": _tee,
}
