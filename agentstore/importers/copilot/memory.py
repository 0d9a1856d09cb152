"""What is remembered of a file of Copilot events between two of its pieces."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from agentstore.importers.conversation import Memory, OpenCall, Usage
from agentstore.importers.copilot.usage import Ledger
from agentstore.importers.git_remotes import Remote, remote_of
from agentstore.importers.states import ImportState, StaleStateError
from agentstore.importers.tools import text_of

_HOSTS = {"github": "github.com", "ado": "dev.azure.com"}
_MOST = 4096  # characters of what names a place or a title


class Facts(msgspec.Struct, array_like=True):
    """What records say about the session as a whole."""

    cwd: str = ""
    branch: str = ""
    remote: Remote = Remote()
    title: str = ""
    parent: str = ""
    model: str = ""  # that is selected now

    def see_context(self, context: Any) -> None:
        """Where the session is: the first directory stays, the branch is the newest that has a name."""
        self.cwd = self.cwd or text_of(context, "cwd")[:_MOST]
        self.branch = text_of(context, "branch")[:_MOST] or self.branch
        self.remote = self.remote or remote_in(context)


class Told(msgspec.Struct, array_like=True):
    """The tokens of a request whose response has not come yet."""

    usage: Usage
    model: str
    source_id: str
    moment: dt.datetime | None = None


class SubagentMemory(msgspec.Struct, array_like=True):
    """A subagent whose messages stand in the file of its session."""

    conversation: Memory
    title: str = ""
    started_by: OpenCall | None = None
    started_in: str = ""
    thought: str = ""
    early: dict[str, Told] = {}


class FileMemory(msgspec.Struct, array_like=True):
    conversation: Memory = msgspec.field(default_factory=Memory)
    subagents: dict[str, SubagentMemory] = {}  # by the id of the call that started them
    instances: dict[str, str] = {}  # their own ids, and those of the calls
    facts: Facts = msgspec.field(default_factory=Facts)
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    thought: str = ""
    early: dict[str, Told] = {}
    calls: set[int] = set()  # 8 bytes of the id of each
    skipped: dict[str, int] = {}
    unknown: dict[str, int] = {}


def remote_in(context: Any) -> Remote:
    """The repository of a context, where it says on which server it is."""
    repository = text_of(context, "repository")
    host = text_of(context, "repositoryHost") or _HOSTS.get(text_of(context, "hostType"), "")
    return remote_of(f"https://{host}/{repository}") if host and repository else Remote()


def unpacked(state: ImportState | None) -> FileMemory:
    if state is None:
        return FileMemory()
    try:
        return msgspec.msgpack.decode(state.memory, type=FileMemory)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StaleStateError(f"what the state remembers cannot be read: {error}") from error
