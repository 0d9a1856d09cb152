"""What a Claude Code session is called.

What its user called it (``custom-title``), else what the agent did (``ai-title``), else for a subagent what it was
asked to do (``agent-<id>.meta.json`` beside its file), else the summary of its latest record that has one. The program
stamps ``custom-title`` with the name of the worktree it made for the session: that is no title.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

_KEPT = 64  # of the titles a person gave: which of them is a worktree's name may be known only later
_MAX_META = 65536


class Titles:
    """The titles that the records of one file give to its session."""

    def __init__(self) -> None:
        self._custom: dict[str, None] = {}
        self._worktrees: dict[str, None] = {}
        self._ai = ""

    def take_custom(self, title: str) -> None:
        if title:
            self._custom.pop(title, None)  # given again: now it is the latest
            self._custom[title] = None
            if len(self._custom) > _KEPT:
                del self._custom[next(iter(self._custom))]

    def take_ai(self, title: str) -> None:
        self._ai = title or self._ai

    def take_worktree(self, name: str) -> None:
        if name and len(self._worktrees) < _KEPT:
            self._worktrees[name] = None

    def best(self, meta: bytes = b"", summaries: Iterable[str | None] = ()) -> str:
        """``meta`` is the file beside a subagent's; ``summaries`` those of the session's records, the latest first."""
        own = next((title for title in reversed(self._custom) if title not in self._worktrees), "")
        return own or self._ai or agent_title(meta) or next(filter(None, summaries), "")


class _Meta(msgspec.Struct):
    agentType: object = None
    description: object = None


_meta = msgspec.json.Decoder(_Meta)


def agent_title(meta: bytes) -> str:
    """What a subagent was asked to do, or what kind of agent it is; "" for whatever else the file may hold."""
    if not meta or len(meta) > _MAX_META:
        return ""
    try:
        read = _meta.decode(meta.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    texts = (value.strip() for value in (read.description, read.agentType) if isinstance(value, str))
    return next(filter(None, texts), "")


def summary_titles(summaries: Mapping[str, str], uuids: Mapping[str, None], titles: Mapping[str, str]) -> list[str]:
    """The summaries of a file's records, the latest record first: its own, else those that other files hold."""
    found = (summaries.get(uuid) or titles.get(uuid) for uuid in reversed(list(uuids)))
    return [title for title in found if title]
