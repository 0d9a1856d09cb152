"""Commits and pull requests that a session made, read from the results of its tool calls.

high    a line ``[branch sha] subject`` printed by a ``git commit`` call; the URL printed by ``gh pr create`` (``glab mr
        create``, an MCP ``create_pull_request``); a ``pr-link`` record
medium  such a line printed by ``git cherry-pick``, ``revert``, ``merge`` or ``am``; the URL that a failed ``gh pr
        create`` prints, because the request was open already

Commits and requests that are only mentioned (logs, diffs, documents that were read) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentstore.importers.tools import category, text_of
from agentstore.models import Confidence, LinkType

# Bounded, here and below: a hostile text must not make the time grow with the square of its length.
_COMMITS = re.compile(r"\bgit\b[^\n;&|]{0,300}?\scommit\b")
_APPLIES_COMMITS = re.compile(r"\bgit\b[^\n;&|]{0,300}?\s(?:cherry-pick|revert|merge|am)\b")
_COMMIT_LINE = re.compile(r"^\[\S[^\]\n]* ([0-9a-f]{7,64})\] \S", re.MULTILINE)
_CREATES_REQUEST = re.compile(r"\bgh\s+pr\s+create\b|\bglab\s+mr\s+create\b")
_REQUEST_URL = re.compile(r"https?://[^\s\"'<>()\[\]]{1,300}/(?:pull|merge_requests|pull-requests)/\d+")


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
        if _COMMITS.search(command):
            yield from _commits(result, "high")
        elif _APPLIES_COMMITS.search(command):
            yield from _commits(result, "medium")
        if _CREATES_REQUEST.search(command):
            yield from _requests(result, is_error=is_error)


def _commits(result: str, confidence: Confidence) -> Iterator[FoundLink]:
    for found in _COMMIT_LINE.finditer(result):
        yield FoundLink("commit", confidence, commit_sha=found.group(1))


def _requests(result: str, *, is_error: bool) -> Iterator[FoundLink]:
    # Only the last URL: it is what the command prints at its end. Warnings above it may name other requests.
    urls = _REQUEST_URL.findall(result)
    if urls:
        yield FoundLink("pr", "medium" if is_error else "high", pr_url=urls[-1])
