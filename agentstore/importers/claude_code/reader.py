"""Reads the lines of one Claude Code file in order: which conversation a record belongs to, and what kind it is."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from agentstore.importers.claude_code.blocks import blocks_of
from agentstore.importers.claude_code.conversation import Conversation
from agentstore.importers.claude_code.facts import Owner
from agentstore.importers.claude_code.identity import Identity, identity_of, subagent_id
from agentstore.importers.claude_code.kin import HEAD, agent_of
from agentstore.importers.claude_code.lines import Chunk, Line, line_of
from agentstore.importers.claude_code.memory import Context, Memory, add
from agentstore.importers.claude_code.outputs import ReadOutput
from agentstore.importers.jsonl import BOM, MAX_LINE_BYTES, Record
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState, StaleStateError
from agentstore.importers.times import parse_time
from agentstore.models import FileTouch, GitLink, Message, Session, ToolCall

_SHOWN_SYSTEM = frozenset({"local_command", "away_summary"})
_KEPT_OUT = frozenset({
    "agent-color", "agent-name", "agent-setting", "atis-latch", "attachment", "attribution-snapshot", "bridge-session",
    "content-replacement", "continued-in", "conversation_reset", "ended-by-model", "failed",
    "file-history-delta", "file-history-snapshot", "fork-context-ref", "frame-link", "history-suppression",
    "isolation-latch", "last-prompt", "launched", "mode", "observer-ref", "permission-mode", "progress",
    "queue-operation", "relocated", "result", "started", "system", "tag", "worktree-state",
})  # fmt: skip
_KEPT_OUT_KINDS = ("artifact-", "marble-origami-")
_MOST_AGENTS = 200  # whose messages stand in one file


class FileMemory(msgspec.Struct, array_like=True):
    """What is remembered of a file, packed into ``ImportState.memory``."""

    conversation: msgspec.Raw
    agents: dict[str, msgspec.Raw]
    skipped: dict[str, int]
    unknown: dict[str, int]
    continued_in: str
    agent: str
    last_session_id: str


class Around(NamedTuple):
    """What is known from outside of the file: see ``import_claude_code``. ``last_session_id`` is what the end of the
    file calls its session, where its name does not; ``continues`` a session that says it goes on in this one."""

    titles: Mapping[str, str] = {}
    agent_files: Collection[str] | None = None
    read_output: ReadOutput | None = None
    meta: bytes = b""
    identity: Identity | None = None
    repositories: Repositories | None = None
    last_session_id: str = ""
    continues: str = ""


_T = TypeVar("_T", bound=msgspec.Struct)


def _unpacked(packed: bytes | msgspec.Raw, kind: type[_T]) -> _T:
    try:
        return msgspec.msgpack.decode(packed, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StaleStateError(f"what the state remembers cannot be read: {error}") from error


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Without the cyclic garbage collector for some milliseconds: it would look through rows, which hold no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Reader:
    """Takes the lines of one file in order and gives its rows, piece by piece."""

    def __init__(self, file: str, owner: Owner, around: Around, state: ImportState | None = None) -> None:
        self.lines = state.line if state else 0
        self._at_start = state is None or not state.offset
        self._file = file
        self._owner = owner
        self._around = around
        self._problems: list[ImportProblem] = []
        memory = _unpacked(state.memory, FileMemory) if state else None
        self._skipped = memory.skipped if memory else {}
        self._unknown = memory.unknown if memory else {}
        self._continued_in = memory.continued_in if memory else ""
        self._agent = memory.agent if memory else ""
        # Once known it stays: the rows that were given out have this id.
        self._last_session_id = memory.last_session_id if memory else around.last_session_id
        self._context = Context(self._report, self._skipped, self._unknown, self._whole, around.read_output)
        remembered = _unpacked(memory.conversation, Memory) if memory else Memory()
        self._main = Conversation(remembered, self._context, around.titles)
        self._agents = {
            agent: self._conversation(_unpacked(raw, Memory))
            for agent, raw in (memory.agents if memory else {}).items()
        }
        self._pieces = 0 if self._at_start else 1  # that were given out
        self._number = 0  # of the line at hand
        self._whole_record: Record = {}
        self._chunk: Chunk | None = None
        self._line = Line()
        self._takers: dict[str, Callable[[Line], None]] = {
            "user": self._main.take_user,
            "assistant": self._main.take_assistant,
            "progress": self._take_progress,
            "summary": self._main.see_summary,
            "custom-title": self._main.facts.see_title,
            "ai-title": self._main.facts.see_title,
            "pr-link": self._main.add_link,
            "queue-operation": self._main.take_queue,
            "cost-state": self._main.take_total,
        }

    def _conversation(self, memory: Memory) -> Conversation:
        return Conversation(memory, self._context, {})

    def memory(self) -> bytes:
        """All that is remembered of the lines so far; later lines do not change it."""
        agents = {agent: msgspec.Raw(one.memory()) for agent, one in self._agents.items()}
        main = msgspec.Raw(self._main.memory())
        return msgspec.msgpack.encode(
            FileMemory(
                main, agents, self._skipped, self._unknown, self._continued_in, self._agent, self._last_session_id
            )
        )

    # --- lines -------------------------------------------------------------------------------------------------------

    def take(self, data: bytes, *, complete: bool = True) -> None:
        """Whole lines; or the last one, whose end is missing (``complete``)."""
        body = data.removeprefix(BOM) if self._at_start else data
        self._at_start = False
        self._agent = self._agent or agent_of(self._file, body[:HEAD])
        self._chunk = chunk = Chunk(body, self.lines + 1, self._report_at, complete=complete)
        with _without_collecting():
            self._main.see_uuids([line.uuid for _, line in chunk if line.uuid])
            see, takers, rest = self._main.see, self._takers, self._take_rest
            for self._number, line in chunk:
                self._line = line
                try:
                    see(line)
                    takers.get(line.type or "", rest)(line)
                except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
                    self._report("nested too deeply")
        self.lines += chunk.count
        self._chunk = None

    def skip_line(self) -> None:
        self.lines += 1
        self._report_at(self.lines, f"a line of more than {MAX_LINE_BYTES:,} bytes, skipped")

    def _report(self, reason: str) -> None:
        self._report_at(self._number, reason)

    def _report_at(self, number: int, reason: str) -> None:
        self._problems.append(ImportProblem(self._file, number, reason))

    def _whole(self) -> Record:
        """All of the record at hand, for the few of which what was decoded is not enough."""
        return self._chunk.whole(self._number, self._line) if self._chunk else {}

    def _take_rest(self, line: Line) -> None:
        kind = line.type or ""
        if line.worktreeSession is not None:
            self._main.facts.see_worktree(line.worktreeSession)
        if kind not in _KEPT_OUT and not kind.startswith(_KEPT_OUT_KINDS):
            add(self._unknown, kind or "(no type)")
            return
        attachment = line.attachment if kind == "attachment" else None
        subtype = (attachment.type if attachment else line.subtype if kind == "system" else None) or ""
        content = line.content if isinstance(line.content, str) else ""
        if kind == "system" and subtype in _SHOWN_SYSTEM and content:
            self._main.add_system(line, content, injected=subtype != "local_command")
        elif attachment and subtype == "queued_command" and attachment.commandMode in (None, "prompt"):
            self._main.add_prompt(line, blocks_of(attachment.prompt), attached=True)
        else:
            self._main.calls.take_notifications(content)
            if line.snapshot is not None and not line.timestamp and (written := line.snapshot.timestamp):
                self._main.facts.see_time(parse_time(written), written)
            if kind == "continued-in":
                self._continued_in = line.continuedInSessionId or self._continued_in
            add(self._skipped, f"{kind}/{subtype}" if subtype else kind)

    # --- subagents whose messages stand in this file ------------------------------------------------------------------

    def _take_progress(self, line: Line) -> None:
        data = line.data
        subtype = (data.type if data else None) or ""
        if data and subtype == "agent_progress" and data.agentId:
            self._main.calls.take_agent(line.parentToolUseID or "", data.agentId)
            agent_files = self._around.agent_files
            if agent_files is not None and data.agentId not in agent_files:
                self._take_embedded(data.agentId, line, line_of(data.message))
                return
        add(self._skipped, f"progress/{subtype}" if subtype else "progress")

    def _take_embedded(self, agent: str, outer: Line, line: Line | None) -> None:
        if line is None or line.type not in ("user", "assistant") or (
            agent not in self._agents and len(self._agents) >= _MOST_AGENTS
        ):  # fmt: skip
            add(self._skipped, "progress/agent_progress")
            return
        if agent not in self._agents:
            self._agents[agent] = self._conversation(Memory())
        # What its own file would say on each line stands around it here.
        line.cwd, line.gitBranch = line.cwd or outer.cwd, line.gitBranch or outer.gitBranch
        line.sessionId, line.agentId, line.isSidechain = outer.sessionId, agent, True
        conversation = self._agents[agent]
        conversation.see(line)
        if line.type == "user":
            conversation.take_user(line)
        else:
            conversation.take_assistant(line)

    # --- rows --------------------------------------------------------------------------------------------------------

    def piece(self, state: ImportState) -> ImportResult:
        """The rows that are new or have changed since the piece before."""
        identity = self._identity()
        sessions: list[Session] = []
        messages: list[Message] = []
        calls: list[ToolCall] = []
        links: list[GitLink] = []
        touches: list[FileTouch] = []
        told = [(self._main, identity)]
        for agent, conversation in self._agents.items():
            # Its id is the one that its own file, if it is found one day, will have.
            own = Identity(subagent_id(identity.root, agent), identity.root, "subagent", identity.root)
            told.append((conversation, own))
        for conversation, who in told:
            sessions += self._session(conversation, who)
            new_messages, new_calls = conversation.changed(who.id, who.root)
            messages += new_messages
            calls += new_calls
            links += conversation.changed_links(who.id, self._owner.user_id)
            touches += conversation.changed_touches(who.id)
        problems, self._problems = self._problems, []
        self._pieces += 1
        return ImportResult(
            file=self._file,
            sessions=sessions,
            messages=messages,
            tool_calls=calls,
            git_links=links,
            file_touches=touches,
            problems=problems,
            skipped_records={label: number for label, number in self._skipped.items() if number},
            unknown_records=dict(self._unknown),
            titles=dict(self._main.titles.memory.others),
            replaces=[id for id in identity.replaces if id != identity.id],
            continued_in=self._continued_in,
            piece=self._pieces - 1,
            state=state,
        )

    def _identity(self) -> Identity:
        own = self._around.identity or identity_of(self._file, self._main.facts.named(self._last_session_id))
        continues = self._around.continues
        if own.relationship or continues in ("", own.id):
            return own
        return own._replace(parent=continues, relationship="continuation")

    def _session(self, conversation: Conversation, identity: Identity) -> list[Session]:
        facts = conversation.facts
        meta = self._around.meta if conversation is self._main else b""
        project = facts.project(self._around.repositories)
        return conversation.window.with_totals(facts.session(identity, self._owner, self._agent, project, meta))
