"""Which files the cmdlets of PowerShell read, write, edit, delete or move, under all names that they have there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agentstore.importers.patches import Touched
from agentstore.importers.shell_lists import Word


def has_ending(path: str) -> bool:
    """Whether this looks like a file's name, not like a folder's."""
    return "." in path.rpartition("/")[2].lstrip(".")


def _of_powershell(operation: str) -> Callable[[list[Word]], Iterator[Touched]]:
    def touched(words: list[Word]) -> Iterator[Touched]:
        named: dict[str, Word] = {}
        operands: list[Word] = []
        rest = iter(words[1:])
        for word in rest:
            if not word.text.startswith("-") or word.is_quoted:
                operands.append(word)
            elif word.text.casefold() not in ("-raw", "-force", "-recurse", "-append", "-nonewline", "-wait"):
                named[word.text.casefold()] = next(rest, Word(""))
        first = named.get("-path") or named.get("-literalpath") or named.get("-filepath")
        first = first or (operands.pop(0) if operands else Word(""))
        second = named.get("-destination") or (operands[0] if operands else Word(""))
        if not first.is_certain or not first.text or "," in first.text:
            return
        if operation in ("move", "copy"):
            if not second.is_certain or not second.text or has_ending(first.text) != has_ending(second.text):
                return
            if operation == "move":
                yield Touched("move", first.text, second.text)
            else:
                yield from (Touched("read", first.text), Touched("write", second.text))
        elif operation == "delete":
            if has_ending(first.text):
                yield Touched("delete", first.text)
        else:
            yield Touched("read" if operation == "read" else "edit" if operation == "edit" else "write", first.text)

    return touched


HANDLERS_OF_WINDOWS = {
    name: _of_powershell(operation)
    for operation, names in {
        "read": "get-content gc type cat",
        "write": "set-content out-file",
        "edit": "add-content ac",
        "delete": "remove-item ri del erase rm",
        "move": "move-item mi move mv",
        "copy": "copy-item cpi copy cp",
    }.items()
    for name in names.split()
}
