"""One rollout: its records become one session, its messages, tool calls and git links.

What becomes a message, in the order of the file, ordinals from 0:

* one response of the model, that is its thoughts, its text and its calls, is one message of role "assistant"; of a
  response with several texts (comments between calls, in newer versions) each begins a message
* what a person typed is one of role "user"; all else that has the role of the user, of the developer or the system, and
  what agents say to each other, is one of role "system" (``speech``)

The same is said by up to three streams: ``response_item`` (what the model saw), ``event_msg`` (what a person saw), in
paginated rollouts ``item_completed``. Whichever comes first makes the message; the others are echoes of it, known by
their text, and what only one of them says is kept. Events decide what was typed.

Tokens go to the response they belong to. Up to 0.4x they come before its items, later behind (counted; read in source).

``source_id`` is ``codex:<thread>:<16 digits>``, made from what the message says (or the id of its first call), with a
number where a thread says the same again. ``thread`` is the one whose record it was first: a copy in a fork or a
subagent has the id that the original has, whichever is read first. Tokens of inherited messages are left to the
parent's, or the same as in the parent, where all of its records are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from agentstore.importers.codex import calls as shapes
from agentstore.importers.codex.memory import DONE, EVENT, ITEM, State, heard
from agentstore.importers.codex.meta import Meta, meta_of
from agentstore.importers.codex.records import Entry, entries_of, strings
from agentstore.importers.codex.speech import directory_in, text_in
from agentstore.importers.codex.survey import Told
from agentstore.importers.codex.talk import Talk, count
from agentstore.importers.codex.usage import used
from agentstore.importers.git_remotes import Remote, remote_of
from agentstore.importers.importer import Options
from agentstore.importers.jsonl import MAX_LINE_BYTES, Record
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState, StaleStateError
from agentstore.models import Session

AGENT = "codex"
_INJECTED = frozenset({"user_instructions", "environment_context"})  # kinds of user_message events, up to 0.3x
_KEPT_OUT = frozenset(
    {"ghost_snapshot", "compaction", "context_compaction", "additional_tools", "configuration_update"}
)  # of response items
_SILENT = """
    state world_state inter_agent_communication_metadata agent_response_observation realtime_item retained_context
    security_risk_score
"""  # records that say nothing of the conversation
# Between two responses.
_ENDS = frozenset(
    {"task_started", "turn_started", "task_complete", "turn_complete", "turn_aborted", "context_compacted"}
)


class Around(NamedTuple):
    """What is known beside the file."""

    told: Told
    options: Options
    repositories: Repositories
    title: str = ""


class Reader:
    """Takes the lines of one file in order and gives its rows, piece by piece."""

    def __init__(self, file: str, around: Around, state: ImportState | None = None) -> None:
        self.lines = state.line if state else 0
        self._file = file
        self._around = around
        self._state = _unpacked(state) if state else State(totals=list(around.told.totals))
        self._talk = Talk(self._state, has_parent=bool(around.told.parent))
        self._conversation = self._talk.conversation
        self._problems: list[ImportProblem] = []
        self._pieces = 1 if state and state.offset else 0  # that were given out
        self._entry = Entry("", {})
        self._takers: dict[str, Callable[[], None]] = {
            "response_item": self._take_item,
            "event_msg": self._take_event,
            "session_meta": self._take_meta,
            "turn_context": self._take_turn,
            "compacted": self._take_compacted,
            "token_usage_record": self._take_record,
            "inter_agent_communication": self._take_letter,
        }

    # --- lines -------------------------------------------------------------------------------------------------------

    def take(self, data: bytes, *, complete: bool = True) -> None:
        """Whole lines; or the last one, whose end is missing (``complete``)."""
        before = self.lines
        for _, entry in entries_of(data, lambda line, reason: self.report(before + line, reason)):
            self.take_entry(entry)
        self.lines += data.count(b"\n") + (not complete)

    def take_entry(self, entry: Entry) -> None:
        state, kin = self._state, self._around.told.kin
        self._entry = entry
        is_own = state.records >= kin.until
        stretch = kin.at(state.records, self._around.told.scope)
        self._talk.turn_to(stretch, entry.moment, is_own=is_own)
        state.records += 1
        if is_own or state.records == 1:
            self._conversation.see_time(entry.moment, entry.written)
        try:
            self._takers.get(entry.kind, self._take_rest)()
        except RecursionError:  # the decoder may accept what is nested a little too deeply to be encoded again
            self.report(self.lines + 1, "nested too deeply")

    def skip_line(self) -> None:
        self.lines += 1
        self.report(self.lines, f"a line of more than {MAX_LINE_BYTES:,} bytes, skipped")

    def report(self, line: int, reason: str) -> None:
        self._problems.append(ImportProblem(self._file, line, reason))

    def _take_rest(self) -> None:
        kind = self._entry.kind
        count(self._state.skipped if kind in _SILENT.split() else self._state.unknown, kind)

    # --- facts -------------------------------------------------------------------------------------------------------

    def _take_meta(self) -> None:
        meta = meta_of(self._entry.payload)
        if self._state.meta is None or not self._state.meta.thread:
            self._state.meta = meta
            self._state.model = meta.model
            self._conversation.be_in(meta.cwd)
        self._talk.skip("session_meta")

    def _take_turn(self) -> None:
        self._state.model = strings(self._entry.payload, "model") or self._state.model
        self._see_directory(strings(self._entry.payload, "cwd"))
        self._state.answering.is_over = True
        self._talk.skip("turn_context")

    def _see_directory(self, cwd: str) -> None:
        """Where a session runs, for those whose first record does not say it: the bare format."""
        if cwd and self._talk.is_own:
            meta = self._state.meta = self._state.meta or Meta()
            meta.cwd = meta.cwd or cwd
            self._conversation.be_in(cwd)

    def _take_compacted(self) -> None:
        """Where the history was summed up for the model; the summary, if it can be read, is a message."""
        self._talk.sum_up(strings(self._entry.payload, "message"))
        self._talk.skip("compacted")

    def _take_record(self) -> None:
        """The tokens of one request again. Copies in a fork or a subagent have none of these."""
        payload, meta = self._entry.payload, self._state.meta
        if self._talk.is_own and strings(payload, "thread_id") in ("", meta.thread if meta else ""):
            self._talk.record(used(payload.get("usage")))
        self._talk.skip("token_usage_record")

    # --- response_item -----------------------------------------------------------------------------------------------

    def _take_item(self) -> None:
        payload, kind = self._entry.payload, self._entry.type
        if kind == "message":
            text = text_in(payload.get("content"))
            role = strings(payload, "role")
            if role == "assistant":
                self._talk.tell(ITEM, text)
            elif role == "user":
                self._see_directory(directory_in(text))
                self._talk.ask(text)
            else:
                self._talk.inject(text, role or "message")
        elif kind == "reasoning":
            self._talk.think(ITEM, payload)
        elif kind in shapes.CALLS:
            self._talk.take_call(payload)
        elif kind in shapes.RESULTS:
            self._talk.take_result(payload)
        elif kind in shapes.HOSTED:
            self._talk.host(payload)
        elif kind == "agent_message":
            self._take_letter()
        else:
            count(self._state.skipped if kind in _KEPT_OUT else self._state.unknown, f"response_item/{kind}")

    def _take_letter(self) -> None:
        """What one agent says to another."""
        payload = self._entry.payload
        text = text_in(payload.get("content")) or text_in(payload.get("message"))
        author = strings(payload, "author", "sender")
        if text and heard(self._state.told, ITEM if self._entry.kind == "response_item" else EVENT, text) is None:
            self._talk.inject(f"[{author}]\n{text}" if author else text, "letter")
        else:
            self._talk.skip("agent_message")

    # --- event_msg ---------------------------------------------------------------------------------------------------

    def _take_event(self) -> None:
        payload, kind, state = self._entry.payload, self._entry.type, self._state
        if kind == "user_message" and strings(payload, "kind") not in _INJECTED:
            has_images = any(payload.get(key) for key in ("images", "local_images"))
            self._talk.typed(EVENT, strings(payload, "message"), has_images=has_images)
        elif kind == "agent_message":
            self._talk.tell(EVENT, strings(payload, "message"))
        elif kind in ("agent_reasoning", "agent_reasoning_raw_content"):
            self._talk.think(EVENT, payload)
        elif kind == "token_count":
            self._talk.spend(payload.get("info"))
        elif kind == "item_completed":
            self._take_done(payload)
        elif kind == "thread_name_updated":
            own = state.meta.thread if state.meta else ""
            if self._talk.is_own and strings(payload, "thread_id") in ("", own):
                state.title = strings(payload, "thread_name").strip() or state.title
        elif kind in ("sub_agent_activity", "collab_agent_spawn_end"):
            thread = strings(payload, "new_thread_id", "agent_thread_id")
            self._talk.started(strings(payload, "call_id", "event_id"), thread)
        elif kind == "thread_settings_applied":
            settings = payload.get("thread_settings")
            state.model = strings(settings, "model") or state.model
            state.tier = strings(settings, "service_tier")[:32]
        else:
            state.fail(shapes.failed_call(payload))
            if kind in _ENDS:
                self._talk.end_response()
        self._talk.skip(f"event_msg/{kind}"[:100])

    def _take_done(self, payload: Record) -> None:
        """An item of a paginated rollout; those of calls are echoes of their ``response_item``."""
        item = payload.get("item")
        kind = strings(item, "type")
        if not isinstance(item, dict):
            return
        if kind == "UserMessage":
            self._talk.typed(DONE, text_in(item.get("content")))
        elif kind == "AgentMessage":
            self._talk.tell(DONE, text_in(item.get("content")))
        elif kind == "Reasoning":
            self._talk.think(DONE, {"summary": item.get("summary_text"), "content": item.get("raw_content")})
        elif kind == "Plan":
            self._talk.plan(strings(item, "text"))
        elif kind == "CommandExecution" and shapes.is_failure(item.get("exit_code")):
            self._state.fail(strings(item, "id"))

    # --- rows --------------------------------------------------------------------------------------------------------

    def memory(self) -> bytes:
        """All that is remembered of the lines so far; later lines do not change it."""
        self._state.talk = self._conversation.held()
        return msgspec.msgpack.encode(self._state)

    def piece(self, state: ImportState | None) -> ImportResult:
        """The rows that are new or have changed since the piece before."""
        told, options = self._around.told, self._around.options
        messages, calls, links = self._conversation.rows(told.id, options.user_id)
        problems, self._problems = self._problems, []
        self._pieces += 1
        return ImportResult(
            file=self._file,
            sessions=self._conversation.totals(self._session()),
            messages=messages,
            tool_calls=calls,
            git_links=links,
            file_touches=self._conversation.file_touches(told.id),
            problems=problems,
            skipped_records=dict(self._state.skipped),
            unknown_records=dict(self._state.unknown),
            piece=self._pieces - 1,
            state=state,
        )

    def _session(self) -> Session:
        told, options, meta = self._around.told, self._around.options, self._state.meta
        cwd = meta.cwd if meta else ""
        remote = remote_of(meta.remote) if meta else Remote()
        is_sure = bool(remote)
        if not remote:
            remote = next((one.remote for one in self._conversation.memory.seen if one.is_origin), Remote())
        project = self._around.repositories.project(cwd, remote, is_sure=is_sure)
        return Session(
            id=told.id,
            user_id=options.user_id,
            user_name=options.user_name,
            machine=options.machine,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            agent_type=AGENT,
            parent_session_id=told.parent,
            relationship_type=told.relationship,
            display_name=self._around.title or self._state.title or (meta.title if meta else ""),
            git_branch=meta.branch if meta else "",
        )


def _unpacked(state: ImportState) -> State:
    try:
        return msgspec.msgpack.decode(state.memory, type=State)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StaleStateError(f"what the state remembers cannot be read: {error}") from error
