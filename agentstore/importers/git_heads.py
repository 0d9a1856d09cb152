"""Commits that a command made quietly, told by what it asked of ``HEAD`` afterwards.

``git commit -q -m x && git rev-parse HEAD`` prints the new commit, and no line ``[branch sha] subject``. What each
``git rev-parse`` and ``git log`` of the command prints is looked for in the order in which they run; what the first of
them after a commit says of ``HEAD`` is that commit. Sure where all between them had to succeed (``&&``, ``set -e``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentstore.importers.shell_commands import commands_in
from agentstore.importers.shell_lists import Command

_ASKS = re.compile(r"\b(?:rev-parse|log|show)\b")
_ANYWHERE = "?"  # of what is no git command
_IN_TEXT = re.compile(r"\$\(git ([^()\n]{1,200})\)")
_SHA = r"([0-9a-f]{7,64})"
_HEAD = frozenset({"HEAD", "@", "HEAD^{commit}", "HEAD^0", "HEAD~0", ""})
_WITH_VALUE = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"})
_REFUSED = re.compile(
    r"^(?:nothing (?:added )?to commit|no changes added to commit|fatal: |error: |Already up to date|Aborting)",
    re.MULTILINE,
)
_PLACEHOLDER = re.compile(r"%(?:C\([^)]{0,40}\)|C\w{1,8}|[<>]\([^)]{0,40}\)|[-+ ]?[a-zA-Z]{1,2}|%)")
# Options of a log whose first commit may be another one than HEAD.
_SELECTS = re.compile(
    r"--(?:reverse|skip|author|committer|grep|all|branches|tags|remotes|glob|since|after|until|before|no-merges|merges"
    r"|diff-filter|walk-reflogs|exclude|stdin|left-only|right-only|cherry)\b|-[gSGL]"
)
_GRAPH = r"[*|/\\_ ]{0,40}"
_MOST_LINES = 10_000


class Told(NamedTuple):
    """What a command prints of commits: lines of this kind, at most so many, the first of them ``HEAD`` or not."""

    line: re.Pattern[str]
    most: int
    of_head: bool


def heads_after_commits(command: str, result: str) -> Iterator[tuple[str, bool]]:
    """SHAs of commits made by the command, and whether that is sure."""
    if not _ASKS.search(command):
        return
    was_refused = _REFUSED.search(result) is not None
    strict, new, sure, where = False, 0, False, ""
    lines = iter(result.split("\n", _MOST_LINES)[:_MOST_LINES])
    commands = commands_in(command)
    for number, one in enumerate(commands):
        strict = strict or _sets_strict(one)
        sure = sure and (one.before in ("&&", "|", "|&") or strict)
        place, verb, options = _git(one)
        if _makes_commit(verb, options, result):
            again = new > 0 and sure and place == where
            new, where = new + 1 if again else 1, place
            sure = one.is_sure and verb == "commit"
        elif _moves_head(one, verb, options):
            new = 0
        elif told := _told(verb, options, commands[number + 1 : number + 2]) or _told_in_text(one):
            found = _take(lines, told)
            if new and told.of_head and place in (where, _ANYWHERE) and (sure or not was_refused):
                yield from ((sha, sure) for sha in found[:new])
                new = 0


def _sets_strict(command: Command) -> bool:
    words = [word.text for word in command.words[:2]]
    return len(words) == 2 and words[0] == "set" and re.fullmatch(r"-\w{0,9}e\w{0,9}", words[1]) is not None


def _git(command: Command) -> tuple[str, str, list[str]]:
    """Which repository, which subcommand, with what; "" of what is no git."""
    if command.name != "git":
        return _ANYWHERE, "", []
    words = [word.text for word in command.words[1:200]]
    first = 0
    while first < len(words) and words[first].startswith("-"):
        first += 2 if words[first] in _WITH_VALUE else 1
    place = [word for word in words[:first] if not word.startswith("--no-")]
    return " ".join(place), words[first] if first < len(words) else "", words[first + 1 :]


def _makes_commit(verb: str, options: list[str], result: str) -> bool:
    if verb == "merge":  # a fast-forward makes none
        return "Merge made by" in result or ("--no-ff" in options and "-q" in options)
    if verb == "commit":  # where -n is about hooks
        return "--dry-run" not in options
    return verb in ("cherry-pick", "revert", "am") and not {"--abort", "--quit", "--no-commit", "-n"} & set(options)


def _moves_head(command: Command, verb: str, options: list[str]) -> bool:
    """Whether ``HEAD`` may be another commit after it, of this repository or of the next one.

    What is made anew on top of another (a pull, a rebase, a merge) is the session's still.
    """
    if command.name in ("cd", "pushd", "popd"):
        return True
    if verb in ("checkout", "switch"):
        names = [word for word in options if not word.startswith("-")]
        makes_branch = len(names) == 1 and not {"-b", "-B", "-c", "-C", "--create"}.isdisjoint(options)
        return not makes_branch and "--" not in options
    return verb in ("reset", "bisect")


def _told(verb: str, options: list[str], following: list[Command]) -> Told | None:
    """What a git command prints of commits; None of one that prints none."""
    if verb == "rev-parse":
        return _rev_parse(options)
    if verb not in ("log", "show"):
        return None
    revisions, paths, most, form = _log_options(options)
    if verb == "show":
        if any(":" in one for one in revisions):
            return None  # a file as it was
        most = 1
    if following and following[0].before in ("|", "|&"):
        piped = following[0]
        if piped.name == "head":
            count = re.search(r"-(?:n\s*)?(\d{1,6})", " ".join(word.text for word in piped.words[1:4]))
            most = min(most, int(count.group(1)) if count else 10)
        elif piped.name != "cat":
            return None
    return Told(re.compile(form), most, not paths and all(one in _HEAD for one in revisions))


def _rev_parse(options: list[str]) -> Told | None:
    if any(
        word.startswith("--") and not word.startswith(("--short", "--verify", "--quiet", "--end")) for word in options
    ):
        return None
    is_short = any(word.startswith("--short") for word in options)
    named = [word for word in options if not word.startswith("-")]
    line = re.compile(rf"{_SHA}\r?$" if is_short else r"([0-9a-f]{40}|[0-9a-f]{64})\r?$")
    return Told(line, len(named), named[0] in _HEAD) if named else None


def _told_in_text(command: Command) -> Told | None:
    """What ``echo "made $(git rev-parse HEAD)"`` prints."""
    text = " ".join(word.text for word in command.words[1:20])
    found = _IN_TEXT.search(text[:2000]) if command.name == "echo" else None
    if found is None or "$" in text[: found.start()] or "`" in text[: found.start()]:
        return None
    verb, *options = found.group(1).split()
    told = _told(verb, options, [])
    return told and Told(re.compile(re.escape(text[: found.start()]) + _SHA), 1, told.of_head)


def _log_options(options: list[str]) -> tuple[list[str], bool, int, str]:
    """Revisions, whether paths narrow it, how many commits at most, and the form of a commit's line."""
    revisions, most, form = list[str](), _MOST_LINES, rf"{_GRAPH}commit {_SHA}\b"
    words = iter(options)
    for word in words:
        if word == "--":
            return revisions, next(words, None) is not None, most, form
        if count := re.fullmatch(r"-(?:n|-max-count=)?(\d{1,6})", word):
            most = int(count.group(1))
        elif word in ("-n", "--max-count"):
            number = next(words, "")
            most = int(number) if number.isdecimal() and len(number) < 7 else most
        elif word in ("--oneline", "--pretty=oneline", "--format=oneline"):
            form = rf"{_GRAPH}{_SHA}(?= |\r?$)"
        elif word.startswith(("--format=", "--pretty=")):
            form = _form(word.partition("=")[2], form)
        elif not word.startswith("-") or _SELECTS.match(word):
            revisions.append(word)
    return revisions, False, most, form


def _form(format: str, default: str) -> str:
    """The line that a format makes, as a pattern with the SHA for its group."""
    if "%" not in format:
        return default
    parts, position = [_GRAPH], 0
    text = format.removeprefix("tformat:").removeprefix("format:").split("%n")[0][:300]
    for found in _PLACEHOLDER.finditer(text):
        parts.append(re.escape(text[position : found.start()]))
        position = found.end()
        if found.group() in ("%H", "%h"):
            return "".join(parts) + rf"{_SHA}(?![0-9a-f])"
        if not found.group().startswith("%C"):
            # One for all that was before: with one for each the time would grow with a power of their number.
            parts = [_GRAPH, r"[^\n]{0,1000}?"]
    return r"(?!)()"


def _take(lines: Iterator[str], told: Told) -> list[str]:
    """The SHAs in the lines that the command printed: the first that fit, as far as there are more of them."""
    found: list[str] = []
    if told.most < 1:
        return found
    for line in lines:
        plain = line[:2000].removeprefix("Stdout: ").removeprefix("Output: ")
        if fits := told.line.match(plain):
            found.append(fits.group(1))
            if len(found) >= told.most:
                break
    return found
