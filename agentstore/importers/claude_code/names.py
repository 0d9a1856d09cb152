"""What a Claude Code session is called.

What its user called it (``custom-title``), else what the agent did (``ai-title``), else for a subagent what it was
asked to do (``agent-<id>.meta.json`` beside its file), else the summary of its latest record that has one. The program
stamps ``custom-title`` with the name of the worktree it made for the session: that is no title.
"""

from __future__ import annotations

import msgspec

_KEPT = 64  # of the titles a person gave: which of them is a worktree's name may be known only later
_MAX_META = 65536


class Names(msgspec.Struct, array_like=True):
    """The titles that the records of one file give to its session, but for summaries."""

    custom: list[str] = []
    worktrees: list[str] = []
    ai: str = ""

    def take_custom(self, title: str) -> None:
        if title:  # given again, it is the latest
            self.custom = [*(other for other in self.custom if other != title), title][-_KEPT:]

    def take_ai(self, title: str) -> None:
        self.ai = title or self.ai

    def take_worktree(self, name: str) -> None:
        if name and name not in self.worktrees:
            self.worktrees = [*self.worktrees, name][-_KEPT:]

    def best(self, meta: bytes = b"", summary: str = "") -> str:
        """``meta`` is the file beside a subagent's, ``summary`` that of the latest record which has one."""
        own = next((title for title in reversed(self.custom) if title not in self.worktrees), "")
        return own or self.ai or agent_title(meta) or summary


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
