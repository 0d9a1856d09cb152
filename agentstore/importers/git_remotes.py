"""Where a git repository comes from, in one spelling: ``github.com/owner/repository``.

All of these are that one::

    git@github.com:owner/repository.git           ssh://git@ssh.github.com:443/owner/repository
    https://user:secret@GitHub.com/owner/repository.git/
    git@github.com-work:owner/repository          (a name of the host in somebody's ``~/.ssh/config``)

Who and what opens the door (user, password, token) is no part of it, and never comes through: not from the place where
it belongs, nor from a URL that is spelled so that it looks like something else. Ports are none either: one server has
one for ssh and another for https. Paths of this or another machine's disk name no repository that others know.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from agentstore.importers.shell_text import code_of

_LONGEST = 1024
_SCHEMES = frozenset({"ssh", "git", "http", "https", "git+ssh", "ssh+git", "git+https"})
# ``host:path`` of ssh, its user taken off.
_SCP = re.compile(r"(?:\[([0-9a-f:]{2,45})\]|([\w.-]{1,255})):(?!//)(.+)", re.IGNORECASE)
# Scheme, host and path; everything before the last "@" of its part is who comes, everything after the path a question.
_URL = re.compile(
    r"([a-z][a-z0-9+.-]{0,20})://(?:[^/?#]*@)?(\[[0-9a-f:]{2,45}\]|[^/:?#@\[\]]+)(?::\d*)?(/[^?#]*)", re.I
)
_ESCAPE = re.compile(r"%([2-7][0-9a-f])", re.I)
_HOST = re.compile(r"[\w.-]{1,255}|[0-9a-f:]{2,45}")
_SAME_HOST = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
    "vs-ssh.visualstudio.com": "dev.azure.com",
}
_ALIAS = re.compile(r"(github\.com|gitlab\.com|bitbucket\.org)[-_.][\w.-]+")
# Their paths are the same in any case.
_FOLDING = frozenset({"github.com", "gitlab.com", "bitbucket.org", "dev.azure.com"})
_PART = re.compile(r"(?! )[^@:?#\\\x00-\x1f\x7f\ud800-\udfff]{1,255}(?<! )")

_REMOTE_LINE = re.compile(r"^origin[ \t]{1,9}(\S{1,1024}) \(fetch\)", re.MULTILINE)
_TALK_LINE = re.compile(r"^(?:To|From) (\S{1,1024})$", re.MULTILINE)
_URL_LINE = re.compile(r"\s*(\S{1,1024})\s*")
_GIT = r"(?<![\w./-])git\s{1,9}"
_LISTS = re.compile(_GIT + r"remote\s{1,9}(?:-v|--verbose|show)\b")
_TELLS = re.compile(_GIT + r"(?:remote\s{1,9}get-url\s{1,9}origin|config\s{1,9}(?:--get\s{1,9})?remote\.origin\.url)\b")
_TALKS = re.compile(_GIT + r"(?:push|fetch|pull)\b")
# What runs elsewhere tells nothing about the directory of the session.
_ELSEWHERE = re.compile(r"(?<![\w-])(?:cd|pushd|ssh|docker|podman|kubectl|chroot|git\s{1,9}-C|--git-dir)\b")


class Remote(NamedTuple):
    """A repository: what it is known by, and its name as somebody wrote it. Both "" where there is none."""

    key: str = ""
    name: str = ""

    def __bool__(self) -> bool:
        return bool(self.key)


class Seen(NamedTuple):
    """A remote that a command printed: that of ``origin``, or one that was pushed to or fetched from, maybe a fork."""

    remote: Remote
    is_origin: bool = True


def remote_of(url: str) -> Remote:
    """The repository that a remote's URL names; none for a local path and for anything else."""
    url = url.strip()
    if not url or len(url) > _LONGEST:
        return Remote()
    host, path = _host_and_path(url)
    host = host.lower().strip(".").removeprefix("www.")
    alias = _ALIAS.fullmatch(host)
    host = _SAME_HOST.get(host) or (alias.group(1) if alias else host)
    parts = [part for part in path.split("/") if part]
    if parts:
        parts[-1] = re.sub(r"(?i)\.git$", "", parts[-1])
    host, parts = _on_every_way(host, parts)
    if not _HOST.fullmatch(host) or host in ("localhost", "::1") or host.startswith("127."):
        return Remote()
    # A part with "@" or ":" would be a password that has a slash in it.
    if not parts or ".." in parts or "." in parts or not all(map(_PART.fullmatch, parts)):
        return Remote()
    key = "/".join(parts)
    return Remote(f"{host}/{key.lower() if host in _FOLDING else key}", parts[-1])


def _on_every_way(host: str, parts: list[str]) -> tuple[str, list[str]]:
    """The spelling that ssh and https share, of servers where they differ."""
    if host.endswith(".visualstudio.com"):
        host, parts = "dev.azure.com", [host.partition(".")[0], *parts]
    if host == "dev.azure.com":
        return host, [part for part in parts if part not in ("v3", "_git", "DefaultCollection")]
    return host, parts[1:] if parts[:1] == ["scm"] and len(parts) > 2 else parts  # Bitbucket's own servers


def _host_and_path(url: str) -> tuple[str, str]:
    if "://" in url:
        parts = _URL.match(url)
        if not parts or parts.group(1).lower() not in _SCHEMES:
            return "", ""
        return parts.group(2).strip("[]"), _ESCAPE.sub(lambda found: chr(int(found.group(1), 16)), parts.group(3))
    before, colon, _ = url.partition(":")
    if not colon or "/" in before or "\\" in before or len(before) == 1:  # a path, with a drive's letter maybe
        return "", ""
    found = _SCP.fullmatch(url.rpartition("@")[2] if "@" in url.partition("/")[0] else url)
    return (found.group(1) or found.group(2), found.group(3)) if found else ("", "")


def remote_of_request(url: str) -> Remote:
    """The repository of a pull request: its URL up to where the request begins."""
    repository, found, _ = url.partition("/-/merge_requests/")
    if not found:
        repository = re.split(r"/(?:pull|pulls|merge_requests|pull-requests|pullrequest)/\d", url, maxsplit=1)[0]
    remote = remote_of(repository) if repository != url else Remote()
    return remote if remote.key.count("/") >= 2 else Remote()


def seen_in(command: str, result: str) -> Seen | None:
    """What a git command prints about where the repository it runs in comes from; None where it tells nothing, or goes
    to another directory or machine first."""
    if not any(word in command for word in ("remote", "push", "fetch", "pull")):
        return None
    code = code_of(command)
    if _ELSEWHERE.search(code):
        return None
    if _LISTS.search(code):
        found = _REMOTE_LINE.findall(result)[:1]
    elif _TELLS.search(code):
        whole = _URL_LINE.fullmatch(result[:2048])
        found = [whole.group(1)] if whole else []
    else:
        talks = set(map(remote_of, _TALK_LINE.findall(result))) if _TALKS.search(code) else set[Remote]()
        return Seen(talks.pop(), is_origin=False) if len(talks) == 1 and Remote() not in talks else None
    remote = remote_of(found[0]) if found else Remote()
    return Seen(remote) if remote else None
