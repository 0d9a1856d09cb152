"""Commits and pull requests that a session made, read from the results of its tool calls.

high    a line ``[branch sha] subject`` printed by a ``git commit`` call; what is told of ``HEAD`` right after a ``git
        commit`` that printed none (``git_heads``); the URL printed by ``gh pr create`` and its like; what an MCP
        server's ``create_pull_request`` or ``create_merge_request`` answers; a ``pr-link`` record
medium  such a line printed by ``git cherry-pick``, ``revert``, ``merge``, ``am`` or ``rebase``, which write commits
        anew that may be others'; ``HEAD`` where the commit before may have failed; the URL that a failed ``gh pr
        create`` prints, because the request was open already, or one that is asked for in the same call

The branch may be any that git allows, or ``detached HEAD``, with ``(root-commit)`` after it, in any language. A command
counts where it is run, not where a text quotes it (``shell_text``). Commits and requests that are only mentioned (logs,
diffs, documents that were read, a push that says where a request could be opened) are left out. So are fast-forwards,
and aliases of git, which nothing tells.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from agentstore.importers.git_heads import heads_after_commits
from agentstore.importers.shell_text import bare_name, code_of, command_of, is_shell, printed
from agentstore.importers.tools import text_of
from agentstore.models import Confidence, GitLink, LinkType

# Bounded, here and below: a hostile text must not make the time grow with the square of its length. The options are
# read in one way only (``(?>…)``): each of them could be read in two, all of them in a million.
_GIT = (
    r"(?<![\w.-])git(?:\.exe)?"
    r"(?>(?:\s{1,99}(?:-[cC]\s{0,9}\S{1,300}|--(?:git-dir|work-tree|namespace)\s{1,9}\S{1,300}|--?[a-zA-Z][\w-]{0,40}"
    r"(?:=\S{0,300})?)){0,20})"
    r"\s{1,99}"
)
_COMMITS = re.compile(_GIT + r"commit(?![\w.-])")
_APPLIES_COMMITS = re.compile(_GIT + r"(?:cherry-pick|revert|merge|am|rebase)(?![\w.-])")
# The name of a branch has no "[", but it may have "]". What agents put before the first line of an output may be there.
_COMMIT_LINE = re.compile(
    r"^(?:(?:Stdout|Output|stdout|output):[ \t]?|<(?:std)?out(?:put)?>)?"
    r"\[[^\s\[][^\[\n]{0,1000}? ([0-9a-f]{7,64})\](?: |\r?$)",
    re.MULTILINE,
)
_OPTIONS = r"(?:\s{1,9}--?\w[\w-]{0,39}+(?:[=\s]\S{1,300}+)?){0,5}\s{1,9}"
_CREATES_REQUEST = re.compile(
    rf"\b(?:gh|glab|tea|fj|bb)(?:\.exe)?\b{_OPTIONS}(?:prs?|mrs?|pulls?){_OPTIONS}(?:create|new|c)\b"
    rf"|\baz(?:\.cmd)?\b{_OPTIONS}repos\s{{1,9}}pr\s{{1,9}}create\b|\bhub\s{{1,9}}pull-request\b"
    r"|\bgit\b[^\n;&|]{0,200}?\spush\b[^\n;&|]{0,300}?\smerge_request\.create\b"
)
_ASKS_REQUEST = re.compile(
    rf"\b(?:gh|glab|tea|fj|bb)(?:\.exe)?\b{_OPTIONS}(?:prs?|mrs?|pulls?){_OPTIONS}(?:view|list|ls|show|status)\b"
)
_REQUEST_URL = re.compile(
    r"https?://[^\s\"'<>()\[\]]{1,300}/(?:pull|pulls|merge_requests|pull-requests|pullrequest)/\d+"
)
_PROGRAMS = ("git", "gh", "glab", "tea ", "fj ", "bb ", "hub ", "az ")
_EXISTED = re.compile(r"\b(?:pull|merge) request\b[^\n]{0,300}? already exists", re.IGNORECASE)
_OF_API = re.compile(r"https?://api\.|/_apis/|/api/v\d|/rest/api/")
_REQUEST_TOOLS = ("createpullrequest", "createmergerequest")


class FoundLink(NamedTuple):
    link_type: LinkType
    confidence: Confidence
    commit_sha: str = ""
    pr_url: str = ""

    def row(self, message_ordinal: int, moment: dt.datetime | None) -> GitLink:
        """The link, of a session that is named later."""
        return GitLink(
            "",
            self.link_type,
            self.confidence,
            message_ordinal=message_ordinal,
            commit_sha=self.commit_sha,
            pr_url=self.pr_url,
            detected_at=moment,
        )


def may_link(name: str, input_json: str) -> bool:
    """Whether a call may have links: few do, and only those are looked at closely."""
    if is_shell(name):
        return any(program in input_json for program in _PROGRAMS)
    return opens_request(name)


def opens_request(name: str) -> bool:
    """Whether the tool opens pull or merge requests: that of any server, however it writes the name."""
    return bare_name(name).endswith(_REQUEST_TOOLS)


def links_in(name: str, arguments: object, result: str, *, is_error: bool) -> Iterator[FoundLink]:
    """The commits and pull requests that the result of this tool call proves."""
    if opens_request(name):
        yield from _requests(result, is_error=is_error)
    elif is_shell(name):
        command = command_of(arguments)
        if may_link(name, command):
            yield from _links_of(command, result, is_error=is_error)


def _links_of(command: str, result: str, *, is_error: bool) -> Iterator[FoundLink]:
    code = code_of(command)
    commits = _COMMITS.search(code) is not None
    applies = _APPLIES_COMMITS.search(code) is not None
    if commits or applies:
        yield from _commits(command, printed(result), "high" if commits else "medium")
    if creates := [found.start() for found in _CREATES_REQUEST.finditer(code)]:
        # One that is looked at in the same call may be another one, and the only one: ``gh pr view || gh pr create``.
        asked = _ASKS_REQUEST.search(code)
        is_first = asked is not None and asked.start() > creates[-1]
        is_sure = not is_error and asked is None
        yield from _requests(printed(result), is_error=not is_sure, most=len(creates), is_first=is_first)


def _commits(command: str, result: str, confidence: Confidence) -> Iterator[FoundLink]:
    told = [found.group(1) for found in _COMMIT_LINE.finditer(result)]
    if told:
        for sha in told:
            yield FoundLink("commit", confidence, commit_sha=sha)
        return
    for sha, is_sure in heads_after_commits(command, result):
        yield FoundLink("commit", "high" if is_sure else "medium", commit_sha=sha)


def _requests(result: str, *, is_error: bool, most: int = 1, is_first: bool = False) -> Iterator[FoundLink]:
    # Only the last URL: it is what the command prints at its end. Warnings above it may name other requests.
    # Where others are asked for behind it, the first.
    answered = _answered(result)
    urls = [answered] if answered else [url for url in _REQUEST_URL.findall(result) if not _OF_API.search(url)]
    # What failed may be no error of the call: ``gh pr create || true``.
    is_sure = not is_error and (answered != "" or not _EXISTED.search(result))
    different = list(dict.fromkeys(urls)) if is_first else list(dict.fromkeys(reversed(urls)))
    for url in different[:most] if is_first else different[:most][::-1]:
        yield FoundLink("pr", "high" if is_sure else "medium", pr_url=url)


def _answered(result: str) -> str:
    """The URL of the request that a service answers with, as JSON; "" if the result is none."""
    begin = result.find("{")
    if begin < 0 or not _is_blank(result[:begin]):
        return ""
    try:
        value = msgspec.json.decode(result[begin : result.rfind("}") + 1].encode("utf-8", errors="replace"))
    except (msgspec.MsgspecError, RecursionError):
        return ""
    return _url_in(value) if isinstance(value, dict) else ""


def _is_blank(before: str) -> bool:
    return len(before) < 400 and "http" not in before


def _url_in(value: dict[str, Any], depth: int = 0) -> str:
    links = value.get("links") or value.get("_links")
    html = links.get("html") or links.get("self") if isinstance(links, dict) else None
    html = html[0] if isinstance(html, list) and html else html
    told = [text_of(value, key) for key in ("html_url", "web_url", "webUrl", "url", "pr_url", "link", "href")]
    for url in [*told[:3], text_of(html, "href", "html"), *told[3:]]:
        found = _REQUEST_URL.match(url)
        if found and not _OF_API.search(url):
            return found.group()
    repository, number = value.get("repository"), value.get("pullRequestId")
    if type(number) is int and isinstance(repository, dict) and (web := text_of(repository, "webUrl", "remoteUrl")):
        return f"{web}/pullrequest/{number}"
    # Where a server puts the answer of another one into its own.
    for key in ("pull_request", "merge_request", "pullRequest", "data", "result", "structuredContent"):
        inner = value.get(key)
        if depth < 3 and isinstance(inner, dict) and (url := _url_in(inner, depth + 1)):
            return url
    text = text_of(value, "text", "output")
    return _answered(text) if text and depth < 3 and text.lstrip().startswith("{") else ""
