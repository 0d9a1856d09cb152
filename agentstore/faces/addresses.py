"""Commits and pull requests as people copy them: a SHA, or the address of a page. Pure."""

from __future__ import annotations

import re
from typing import Protocol

_SHA = re.compile(r"[0-9a-fA-F]{4,64}")
_REQUEST = re.compile(
    r"(https?://[^/\s]+/(\S+?)/(?:-/)?(?:pulls?|merge_requests|pull-requests|pullrequest)/(\d+))(?!\d)\S*"
)
_SHORT_SHA = 12


class Linked(Protocol):
    """A git link."""

    @property
    def commit_sha(self) -> str: ...
    @property
    def pr_url(self) -> str: ...


def is_sha(text: str) -> bool:
    """Whether it may be a commit's SHA, or the beginning of one."""
    return _SHA.fullmatch(text) is not None


def plain_request(address: str) -> str:
    """The address of the pull request itself, of whichever of its pages; "" where it is not of one."""
    found = _REQUEST.fullmatch(address)
    return found.group(1) if found else ""


def name_of(link: Linked) -> str:
    """A commit's SHA as far as it is needed, a pull request as its repository's last name and its number."""
    if link.commit_sha:
        return link.commit_sha[:_SHORT_SHA]
    found = _REQUEST.fullmatch(link.pr_url)
    return f"{found.group(2).rpartition('/')[2]}#{found.group(3)}" if found else link.pr_url
