"""The commands of a shell's text in their lists: which of them are run for sure, and which only if others succeed."""

from __future__ import annotations

from typing import NamedTuple

_OPENS = frozenset({"if", "for", "while", "until", "case", "select", "function"})
_CLOSES = frozenset({"fi", "done", "esac"})
_PASSES = frozenset({"then", "do", "else", "elif", "!", "time", "{", "}"})
_KEYWORDS = _OPENS | _CLOSES | _PASSES
MOST_NESTED = 40
_MOST_NEEDS = 10


class Word(NamedTuple):
    text: str
    is_certain: bool = True
    is_quoted: bool = False


class Redirect(NamedTuple):
    """``operator`` without the number before it: ``>``, ``>>``, ``<``, ``<<`` (the text is the document) …

    ``of_errors``: it is about what the program says of its failures."""

    operator: str
    target: Word
    of_errors: bool = False


class Command(NamedTuple):
    """A simple command. ``before`` is the operator in front of it, "" at the start; ``depth`` counts the subshells
    around it. ``is_sure``: it runs whenever all before it succeed. ``needs``: the commands of its list that have to
    succeed, or it is not run. ``is_last``: no list follows the one that it is in, so that the whole fails with it."""

    words: list[Word]
    redirects: list[Redirect]
    before: str = ""
    depth: int = 0
    is_sure: bool = True
    needs: tuple[str, ...] = ()
    is_last: bool = True

    @property
    def name(self) -> str:
        """The program, without its folder."""
        return self.words[0].text.replace("\\", "/").rpartition("/")[2].removesuffix(".exe") if self.words else ""


def in_order(commands: list[Command]) -> list[Command]:
    """The same without keywords, and with what is known of each: whether it is run for sure."""
    found: list[Command] = []
    inside = 0
    lists: list[list[int]] = [[]]  # numbers of commands that && and || and pipes join
    doubtful: set[int] = set()
    groups = _Groups()
    for command in commands:
        words = command.words
        groups.leave(command.depth)
        if command.before not in ("&&", "||", "|", "|&"):
            lists.append([])
        elif command.before == "||":
            doubtful.update(lists[-1], {len(found)})
        elif lists[-1] and lists[-1][-1] in doubtful:
            doubtful.add(len(found))
        first = 0
        while first < min(len(words), MOST_NESTED) and words[first].text in _KEYWORDS and not words[first].is_quoted:
            keyword = words[first].text
            inside += (keyword in _OPENS) - (keyword in _CLOSES)
            groups.brace(keyword, len(found))
            # Behind the others stands no command, but the names and words of a loop.
            first = first + 1 if keyword not in _OPENS or keyword in ("if", "while", "until") else len(words)
        words = words[first:]
        inside = max(0, inside)
        groups.enter(command.depth, len(found))
        if inside or groups.any_of(doubtful):
            doubtful.add(len(found))
        lists[-1].append(len(found))
        found.append(command._replace(words=words, needs=_needs(command, found, groups)))
    last = lists[-1][0] if lists[-1] else 0
    return [one._replace(is_sure=number not in doubtful, is_last=number >= last) for number, one in enumerate(found)]


def _needs(command: Command, found: list[Command], groups: _Groups) -> tuple[str, ...]:
    if command.before in ("&&", "||", "|", "|&") and found:
        before = found[-1]
        needs = (*before.needs, before.name) if command.before in ("&&", "||") else before.needs
    else:
        needs = found[groups.first].needs if groups.first is not None and groups.first < len(found) else ()
    return needs if len(needs) <= _MOST_NEEDS else ("?",)


class _Groups:
    """Braces and subshells that are open, each by the number of the first command in it."""

    def __init__(self) -> None:
        self._open: list[tuple[str, int]] = []
        self._depth = 0

    @property
    def first(self) -> int | None:
        return self._open[-1][1] if self._open else None

    def leave(self, depth: int) -> None:
        while self._depth > depth:
            while self._open and self._open.pop()[0] != "(":
                pass
            self._depth -= 1

    def enter(self, depth: int, number: int) -> None:
        if depth > self._depth:
            self._open += [("(", number)] * min(depth - self._depth, MOST_NESTED)
            self._depth = depth

    def brace(self, keyword: str, number: int) -> None:
        if keyword == "{":
            self._open.append(("{", number))
        elif keyword == "}" and self._open and self._open[-1][0] == "{":
            self._open.pop()

    def any_of(self, doubtful: set[int]) -> bool:
        return any(number in doubtful for _, number in self._open[-MOST_NESTED:])
