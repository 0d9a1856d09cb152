"""A chat as rows.

Each message of the chat is one; those without a text, a thought, a call and tokens are left out, and so are those
that only bring answers of tools: these belong to the calls. ``source_id`` is ``gemini:<session>:<message>``: the ids
of messages that gemini-cli makes from texts are the same in all chats.

Tokens are those of one response each (counted: no total is the sum of those before). ``input`` includes what was
``cached``, and not what tools brought (``tool``); ``thoughts`` stand beside ``output``. The sums in the ``total`` of
real files agree.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from agentstore.importers.conversation import Conversation, OpenMessage, Usage, tokens
from agentstore.importers.gemini.directory import Prover, is_hash, proved
from agentstore.importers.gemini.records import Chat
from agentstore.importers.gemini.speech import (
    ROLES,
    answer_of,
    calls_of,
    is_injected,
    response_text,
    responses_in,
    said_text,
    thoughts_of,
    typed_text,
)
from agentstore.importers.git_remotes import Seen
from agentstore.importers.importer import Options
from agentstore.importers.jsonl import Record, Report, to_json
from agentstore.importers.projects import Project
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.states import ImportState
from agentstore.importers.times import parse_time
from agentstore.importers.tools import text_of
from agentstore.models import Session

PREFIX = "gemini:"


class Place(msgspec.Struct, frozen=True):
    """Who a file is, by all files: its session's id, its parent's, and what is known about its directory."""

    id: str = ""
    parent: str = ""
    relationship: str = ""
    cwd: str = ""
    folder: str = ""  # the name of its project's folder


class ChatReader:
    """Turns a chat into the rows of one session."""

    def __init__(self, chat: Chat, report: Report) -> None:
        self._chat = chat
        self._report = report
        self._conversation = Conversation()
        self._prover = Prover(self.project_hash)
        self._seen: set[str] = set()  # what was said, and the ids of calls

    def read(self) -> None:
        chat, see = self._chat, self._conversation.see_time
        for written in [*chat.times, text_of(chat.meta, "startTime"), text_of(chat.meta, "lastUpdated")]:
            see(parse_time(written), written)
        for id, message in chat.messages.items():
            try:
                self._take(id, message)
            except RecursionError:
                self._report(0, f"message {id[:80]}: nested too deeply")

    def _take(self, id: str, message: Record) -> None:
        kind = text_of(message, "type")
        role = ROLES.get(kind)
        if role is None:
            self._count(self._chat.unknown, kind[:80] or "(no type)")
            return
        written = text_of(message, "timestamp")
        moment = parse_time(written)
        self._conversation.see_time(moment, written)
        if role == "assistant":
            self._take_response(id, message, moment)
            return
        for response in responses_in(message):
            answer = response_text(response)
            self._conversation.answer(text_of(response, "id"), answer.text, is_error=answer.is_error, moment=moment)
        text = typed_text(message) if role == "user" else said_text(message)
        if not text.strip():
            self._count(self._chat.skipped, f"{kind}/empty")
            return
        if self._is_again(id, f"{role}/{text}"):
            self._count(self._chat.skipped, f"{kind}/again")
            return
        if role == "user" and (id in self._chat.injected or is_injected(text)):
            self._prover.see(text)
            role = "system"
        self._conversation.add(role, text, moment, source_id=self._source(id))

    def _take_response(self, id: str, message: Record, moment: dt.datetime | None) -> None:
        thoughts, text, calls = thoughts_of(message), said_text(message), calls_of(message)
        usage = usage_of(message.get("tokens"))
        text = "" if text.strip() and self._is_again(id, f"assistant/{text}") else text
        calls = [
            call for call in calls if not (text_of(call, "id") and self._is_again(id, f"call/{text_of(call, 'id')}"))
        ]
        if not (thoughts or text.strip() or calls or usage.output or usage.context):
            self._count(self._chat.skipped, "gemini/empty")
            return
        model = text_of(message, "model")
        added = self._conversation.add("assistant", "", moment, source_id=self._source(id), model=model)
        for thought in thoughts:
            self._conversation.think(added, thought)
        self._conversation.say(added, text)
        for call in calls:
            self._take_call(added, call, moment)
        self._conversation.spend(added, usage)

    def _is_again(self, id: str, said: str) -> bool:
        """Whether a message that only what the model is shown has repeats this: a chat that was resumed is shown under
        other ids."""
        again = id in self._chat.injected and said in self._seen
        self._seen.add(said)
        return again

    def _take_call(self, message: OpenMessage, call: Record, moment: dt.datetime | None) -> None:
        arguments = call.get("args")
        arguments = arguments if isinstance(arguments, dict) else {}
        made = self._conversation.call(message, text_of(call, "id"), text_of(call, "name") or "unknown", arguments)
        if agent := text_of(call, "agentId"):
            self._conversation.starts(made, PREFIX + agent)
        self._prover.see(arguments)
        written = text_of(call, "timestamp")
        at = parse_time(written)
        self._conversation.see_time(at, written)
        if found := answer_of(call):
            self._prover.see(found.text)
            self._conversation.answer_of(made, found.text, is_error=found.is_error, moment=at or moment)

    def _source(self, id: str) -> str:
        return "" if id.startswith("#") else f"{PREFIX}{self._chat.session_id}:{id}"

    def _count(self, counts: dict[str, int], label: str) -> None:
        counts[label] = counts.get(label, 0) + 1

    # --- rows --------------------------------------------------------------------------------------------------------

    def directory(self, place: Place) -> str:
        """The chat's directory; "" where nothing tells."""
        own, listed = self.directories
        return own or place.cwd or listed

    @property
    def directories(self) -> tuple[str, str]:
        """What the chat itself says: the directory that has its hash, and of a subagent the first that it lists, which
        counts where nothing else tells: they are those of the workspace, the project's first."""
        meta = self._chat.meta
        listed = meta.get("directories")
        directories = listed if isinstance(listed, list) else []
        is_subagent = meta.get("kind") == "subagent"
        first = next((one for one in directories if isinstance(one, str)), "") if is_subagent else ""
        return proved(self.project_hash, directories) or self._prover.found, first

    def result(
        self,
        file: str,
        place: Place,
        options: Options,
        project: Project,
        problems: list[ImportProblem],
        state: ImportState | None,
    ) -> ImportResult:
        session = Session(
            id=place.id,
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name or ("" if is_hash(place.folder) else place.folder),
            project_path=project.path,
            machine=options.machine,
            agent_type="gemini",
            parent_session_id=place.parent,
            relationship_type=place.relationship,
            display_name=text_of(self._chat.meta, "summary").strip(),
        )
        messages, calls, links = self._conversation.rows(place.id, options.user_id)
        return ImportResult(
            file=file,
            sessions=self._conversation.totals(session),
            messages=messages,
            tool_calls=calls,
            git_links=links,
            file_touches=self._conversation.file_touches(place.id, project.path),
            problems=problems,
            skipped_records=dict(self._chat.skipped),
            unknown_records=dict(self._chat.unknown),
            state=state,
        )

    @property
    def project_hash(self) -> str:
        return text_of(self._chat.meta, "projectHash")

    @property
    def seen_remotes(self) -> list[Seen]:
        return self._conversation.memory.seen


def usage_of(value: Any) -> Usage:
    if not isinstance(value, dict):
        return Usage()
    given, cached = tokens(value.get("input")), tokens(value.get("cached"))
    return Usage(
        input=max(given - cached, 0) + tokens(value.get("tool")),
        cache_read=cached,
        output=tokens(value.get("output")) + tokens(value.get("thoughts")),
        raw=to_json(value),
    )
