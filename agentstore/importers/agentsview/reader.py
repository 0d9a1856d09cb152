"""One session of agentsview's database as the rows of one of ours."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator

import msgspec

from agentstore.importers.agentsview.calls import Calls, Result
from agentstore.importers.agentsview.identity import CLAUDE, Identities, Owner
from agentstore.importers.agentsview.tables import MESSAGES, USAGE, number, records, text
from agentstore.importers.agentsview.usage import added, usage_of, usage_of_event
from agentstore.importers.claude_code.prompts import read_prompt
from agentstore.importers.conversation import Conversation, OpenMessage, Usage
from agentstore.importers.counts import Counts, count
from agentstore.importers.importer import Options
from agentstore.importers.jsonl import Record, read_document
from agentstore.importers.opencode.identity import AGENTS as LIKE_OPENCODE
from agentstore.importers.opencode.identity import prompt_key, response_key
from agentstore.importers.pi.identity import AGENTS as LIKE_PI
from agentstore.importers.pi.identity import message_key
from agentstore.importers.projects import Project, Repositories
from agentstore.importers.results import ImportResult
from agentstore.importers.sqlite_files import Database
from agentstore.importers.times import parse_time
from agentstore.models import Session, ToolCall

_HERE = re.compile(r"|local|[0-9a-f]{32}")  # since 0.45 an installation has a number for a name
_COMMAND = re.compile(r"/([\w:.-]{1,100})(?: (.*))?", re.DOTALL)
_LIKE_CLAUDE = frozenset({CLAUDE, "qwen", "iflow"})


class Reader:
    """Reads the rows of one session; ``parts`` are those of it and of its branches."""

    def __init__(self, database: Database, identities: Identities, row: Record, parts: list[str]) -> None:
        self._database = database
        self._identities = identities
        self._row = row
        self._parts = parts
        self._agent = text(row["agent"])
        self.owner: Owner = identities.owner(text(row["id"]))
        self._conversation = Conversation()
        self.cwd = text(row["cwd"])
        self._began = parse_time(row["started_at"])
        self._has_older = False
        for name in ("started_at", "ended_at"):
            self._conversation.see_time(parse_time(row[name]), text(row[name]))
        self._skipped: Counts = {}
        self._seen: set[bytes] = set()
        self._lengths: dict[tuple[int, int], int] = {}  # of results that were left out
        self._spent = False
        self._last: OpenMessage | None = None

    def result(self, file: str, options: Options, repositories: Repositories) -> ImportResult:
        calls = {part: Calls(self._database, part) for part in self._parts}
        usages = {part: self._usages(part) for part in self._parts}
        for message in self._messages():
            part = text(message["session_id"])
            if part in calls:  # an index of a damaged database may give others
                self._take(message, calls[part], usages[part])
        for left in usages.values():
            self._spend_rest(left)
        id = self.owner.id
        messages, rows, links = self._conversation.rows(id, options.user_id)
        return ImportResult(
            file=file,
            sessions=self._conversation.totals(self._session(options, repositories)),
            messages=messages,
            tool_calls=[self._with_length(row) for row in rows],
            git_links=links,
            file_touches=self._conversation.file_touches(id, text(self._row["cwd"])),
            skipped_records=self._skipped,
        )

    # --- messages ----------------------------------------------------------------------------------------------------

    def _messages(self) -> Iterator[Record]:
        """In their order; branches go in between by their times, as in the file that they come from."""
        marks = ", ".join("?" * len(self._parts))
        order = "ordinal" if len(self._parts) == 1 else "timestamp, session_id, ordinal"
        rest = f"WHERE session_id IN ({marks}) ORDER BY {order}"
        return records(self._database, "messages", MESSAGES, rest, *self._parts)

    def _take(self, row: Record, calls: Calls, usages: dict[int | None, list[tuple[str, Usage]]]) -> None:
        moment = parse_time(row["timestamp"])
        self._see_time(moment, text(row["timestamp"]))
        usage = usage_of(row, self._agent)
        events = usages.pop(number(row["ordinal"]), [])
        for _, more in [] if usage.raw else events:
            usage = added(usage, more)
        self._spent = self._spent or bool(usage.raw)
        known = list(calls.of(number(row["id"]), number(row["ordinal"])))
        content = _content(row)
        if not (content.strip() or known or usage.output or usage.context):
            count(self._skipped, "message/empty")
            return
        role, typed = self._speaker(row, content)
        key = self._key(row, role, moment, usage)
        message = self._conversation.find(key) if role == "assistant" else None
        if message is None and self._is_repeated(role, key, moment, content):
            count(self._skipped, "message/repeated")
            return
        if message is None:
            model = text(row["model"]) if role == "assistant" else ""
            message = self._conversation.add(role, typed, moment, source_id=key, model=model)
            message.parts = []
        self._fill(message, row, content, usage)
        for call, result in known:
            self._call(message, call, result)

    def _see_time(self, moment: dt.datetime | None, written: str) -> None:
        if moment and self._began and moment < self._began:
            self._has_older = True  # a fork begins with itself, not with what it has of another session
        else:
            self._conversation.see_time(moment, written)

    def _fill(self, message: OpenMessage, row: Record, content: str, usage: Usage) -> None:
        if content not in message.parts:  # a response that was written again
            self._conversation.say(message, content)
        message.has_thinking = message.has_thinking or row["has_thinking"] == 1 or bool(text(row["thinking_text"]))
        # Of a response that stands in several rows the one with the most output is the whole.
        if usage.output >= message.usage.output:
            self._conversation.spend(message, usage)
        if message.role == "assistant":
            self._last = message

    def _call(self, message: OpenMessage, row: Record, result: Result | None) -> None:
        id, name = text(row["tool_use_id"]), text(row["tool_name"])
        if id and self._has_seen(f"call/{id}"):
            count(self._skipped, "tool_call/repeated")
            return
        said = list(message.parts)
        call = self._conversation.call(message, id, name, _arguments(text(row["input_json"])))
        message.parts = said  # the content shows its calls already
        subagent = text(row["subagent_session_id"])
        if result is not None:
            subagent = subagent or result.subagent
            self._conversation.answer_of(call, result.text, is_error=result.is_error, moment=message.timestamp)
            if result.length:
                self._lengths[call.ordinal, call.index] = result.length
        if subagent:
            self._conversation.starts(call, self._subagent(subagent))

    def _subagent(self, id: str) -> str:
        native = self._identities.native(id, self._agent)
        if self._agent == CLAUDE and native.startswith("agent-"):
            # It is not in the database: it belongs to the session at the top of this one.
            return f"{self.owner.id.partition(':')[0]}:{native}"
        return native

    def _speaker(self, row: Record, content: str) -> tuple[str, str]:
        """The role of a message, and what a person typed of it."""
        role = row["role"]
        is_program = row["is_system"] == 1 or row["is_compact_boundary"] == 1
        # Prompts of a subagent that stands in the session that asked for it were written by the agent.
        is_inside = row["is_sidechain"] == 1 and role == "user" and self.owner.relationship != "subagent"
        if is_program or is_inside or role not in ("user", "assistant"):
            return "system", ""
        if role == "user" and self._agent in _LIKE_CLAUDE:
            prompt = read_prompt(_as_written(content))
            return prompt.role, prompt.typed
        return str(role), content if role == "user" else ""

    def _key(self, row: Record, role: str, moment: dt.datetime | None, usage: Usage) -> str:
        """What our own importer of this agent knows the message by."""
        uuid = text(row["source_uuid"])
        if self._agent in _LIKE_CLAUDE:
            return text(row["claude_message_id"]) or uuid
        model = text(row["model"])
        if self._agent in LIKE_PI:
            told = role if role == "assistant" else f"{role}/{text(row['content'])[:64]}"
            return message_key(self._agent, uuid, moment, told, model, usage if role == "assistant" else None)
        if self._agent in LIKE_OPENCODE and moment is not None:
            created = round(moment.timestamp() * 1000)
            if role != "assistant":
                return prompt_key(self._agent, created, text(row["content"]))
            cache = {"read": usage.cache_read, "write": usage.cache_write}
            told_ = {"input": usage.input, "output": usage.output, "cache": cache}
            return response_key(self._agent, created, model, told_)
        return f"{self.owner.id}#{uuid}" if uuid else ""

    def _is_repeated(self, role: str, key: str, moment: dt.datetime | None, content: str) -> bool:
        """A history that was written again into its file, or a message that two branches have."""
        if self._agent not in _LIKE_CLAUDE:
            return False
        known = self._has_seen(f"message/{key}") if key else False
        is_prompt = role == "user" and moment is not None
        return (is_prompt and self._has_seen(f"prompt/{moment}/{content}")) or known

    def _has_seen(self, what: str) -> bool:
        digest = hashlib.blake2b(what.encode("utf-8", "replace"), digest_size=8).digest()
        known = digest in self._seen
        self._seen.add(digest)
        return known

    # --- tokens of a session as a whole ------------------------------------------------------------------------------

    def _usages(self, part: str) -> dict[int | None, list[tuple[str, Usage]]]:
        found: dict[int | None, list[tuple[str, Usage]]] = {}
        for row in records(self._database, "usage_events", USAGE, "WHERE session_id = ? ORDER BY rowid", part):
            ordinal = row["message_ordinal"] if type(row["message_ordinal"]) is int else None
            found.setdefault(ordinal, []).append((text(row["model"]), usage_of_event(row)))
        return found

    def _spend_rest(self, usages: dict[int | None, list[tuple[str, Usage]]]) -> None:
        """What no message has is of the last response: a session has to have its tokens somewhere."""
        last = self._last
        if self._spent or last is None:
            return
        for model, usage in (one for many in usages.values() for one in many):
            last.model = last.model or model
            self._conversation.spend(last, added(last.usage, usage))

    # --- the session -------------------------------------------------------------------------------------------------

    def _session(self, options: Options, repositories: Repositories) -> Session:
        row, owner = self._row, self.owner
        is_fork = self._has_older and self._agent in LIKE_OPENCODE and not owner.relationship
        project = self._project(repositories)
        machine = text(row["machine"])
        machine = "" if _HERE.fullmatch(machine) else machine
        return Session(
            copied_by="agentsview",
            id=owner.id,
            user_id=options.user_id,
            user_name=options.user_name,
            project_id=project.id,
            project_name=project.name,
            project_path=project.path,
            machine=(machine or owner.host) if owner.host else (options.machine or machine),
            agent_type=owner.agent_type,
            parent_session_id=owner.parent,
            relationship_type="fork" if is_fork else owner.relationship,
            display_name=text(row["display_name"]) or text(row["session_name"]),
            git_branch=text(row["git_branch"]),
        )

    def _project(self, repositories: Repositories) -> Project:
        cwd, name = self.cwd, text(self._row["project"])
        origins = [seen.remote for seen in self._conversation.memory.seen if seen.is_origin]
        if cwd or origins:
            return repositories.project(cwd, *origins[:1], is_sure=bool(origins))
        if name in ("", "unknown"):
            return Project("", "", "")
        # Before 0.20 a name is all that there is.
        return Project(hashlib.sha256(f"agentsview/{name}".encode("utf-8", "replace")).hexdigest()[:16], name, "")

    def _with_length(self, row: ToolCall) -> ToolCall:
        length = self._lengths.get((row.message_ordinal, row.call_index))
        # A damaged database may say anything.
        return msgspec.structs.replace(row, result_content_length=length) if length and length > 0 else row


def _as_written(content: str) -> str:
    """A command as Claude Code writes it, where agentsview shows what was typed."""
    command = _COMMAND.fullmatch(content)
    if command is None:
        return content
    return f"<command-name>/{command.group(1)}</command-name><command-args>{command.group(2) or ''}</command-args>"


def _content(row: Record) -> str:
    content, thought = text(row["content"]), text(row["thinking_text"])
    if thought.strip() and "[Thinking]" not in content:
        return "\n".join(filter(None, (f"[Thinking]\n{thought}\n[/Thinking]", content)))
    return content


def _arguments(input_json: str) -> object:
    """The arguments of a call; what is no object as it is written."""
    if not input_json:
        return {}
    found = read_document(input_json.encode("utf-8", "replace"), lambda _line, _reason: None)
    return input_json if found is None else found
