"""Commits and pull requests that a session made, read from the results of its tool calls.

high    a line ``[branch sha] subject`` printed by a ``git commit`` call; the URL printed by ``gh pr create`` (``glab mr
        create``, an MCP ``create_pull_request``); a ``pr-link`` record
medium  such a line printed by ``git cherry-pick``, ``revert``, ``merge``, ``am`` or ``rebase``, which write commits
        anew that may be others'; the URL that a failed ``gh pr create`` prints, because the request was open already

The branch may be ``detached HEAD`` (in a rebase; git translates the words), with ``(root-commit)`` after it. A command
counts where it is run, not where a text quotes it (``shell_text``). Commits and requests that are only mentioned (logs,
diffs, documents that were read) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentstore.importers.shell_text import code_of
from agentstore.importers.tools import category, text_of
from agentstore.models import Confidence, LinkType

# Bounded, here and below: a hostile text must not make the time grow with the square of its length.
_GIT = (
    r"(?<![\w.-])git(?:\.exe)?"
    r"(?:\s{1,99}(?:-[cC]\s{0,9}\S{1,300}|--(?:git-dir|work-tree|namespace)\s{1,9}\S{1,300}|--?[a-zA-Z][\w-]{0,40}"
    r"(?:=\S{0,300})?)){0,20}"
    r"\s{1,99}"
)
_COMMITS = re.compile(_GIT + r"commit(?![\w.-])")
_APPLIES_COMMITS = re.compile(_GIT + r"(?:cherry-pick|revert|merge|am|rebase)(?![\w.-])")
_COMMIT_LINE = re.compile(r"^\[\S[^\]\n]{0,300} ([0-9a-f]{7,64})\](?: |\r?$)", re.MULTILINE)
_CREATES_REQUEST = re.compile(
    r"\b(?:gh|glab)\b(?:\s{1,9}--?[\w-]{1,40}(?:[=\s]\S{1,300})?){0,5}\s{1,9}(?:pr|mr)"
    r"(?:\s{1,9}--?[\w-]{1,40}(?:[=\s]\S{1,300})?){0,5}\s{1,9}(?:create|new)\b"
)
_REQUEST_URL = re.compile(
    r"https?://[^\s\"'<>()\[\]]{1,300}/(?:pull|pulls|merge_requests|pull-requests|pullrequest)/\d+"
)


class FoundLink(NamedTuple):
    link_type: LinkType
    confidence: Confidence
    commit_sha: str = ""
    pr_url: str = ""


def links_in(name: str, arguments: object, result: str, *, is_error: bool) -> Iterator[FoundLink]:
    """The commits and pull requests that the result of this tool call proves."""
    if name.endswith("create_pull_request"):
        yield from _requests(result, is_error=is_error)
    elif category(name) == "Bash":
        command = text_of(arguments, "command", "cmd")
        if "git" in command or "gh" in command or "glab" in command:  # few do, and the rest takes longer
            yield from _links_of(code_of(command), result, is_error=is_error)


def _links_of(code: str, result: str, *, is_error: bool) -> Iterator[FoundLink]:
    if _COMMITS.search(code):
        yield from _commits(result, "high")
    elif _APPLIES_COMMITS.search(code):
        yield from _commits(result, "medium")
    if _CREATES_REQUEST.search(code):
        yield from _requests(result, is_error=is_error)


def _commits(result: str, confidence: Confidence) -> Iterator[FoundLink]:
    for found in _COMMIT_LINE.finditer(result):
        yield FoundLink("commit", confidence, commit_sha=found.group(1))


def _requests(result: str, *, is_error: bool) -> Iterator[FoundLink]:
    # Only the last URL: it is what the command prints at its end. Warnings above it may name other requests.
    urls = _REQUEST_URL.findall(result)
    if urls:
        yield FoundLink("pr", "medium" if is_error else "high", pr_url=urls[-1])
