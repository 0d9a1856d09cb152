"""Families of Codex threads as Codex writes them: a model of its writers. They have little to say: much looks the same.

``style`` is the generation of the writer: "old" (0.34: no ids but of calls, tokens before the items of a response),
"turns" (ids of turns), "ids" (of items, too), "paginated" (``item_completed`` in place of events, ordinals).
"""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

WORDS = ["continue", "ok", "fix it", "why?"]
START = 1_760_000_000_000
STYLES = ("old", "turns", "ids", "paginated")
SPAWNED = (
    "You are the newly spawned agent. The prior conversation history was forked from your parent agent. Treat the next "
    "user message as your new task, and use the forked history only as background context."
)
Record = dict[str, Any]


class Clock:
    """Gives ids of version 7, as they are made one after the other."""

    def __init__(self, rng: random.Random) -> None:
        self._rng, self._now = rng, START

    def id(self) -> str:
        self._now += self._rng.randint(1, 5000)
        text = f"{self._now:012x}7{self._rng.getrandbits(12):03x}{8:x}{self._rng.getrandbits(60):015x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def time(self) -> str:
        self._now += self._rng.randint(1, 50)
        seconds = (self._now // 1000) % 86400
        return f"2026-02-03T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{self._now % 1000:03d}Z"


class Thread:
    """One thread: its file's records, and what of them is its own."""

    def __init__(self, clock: Clock, rng: random.Random, style: str, **meta: Any) -> None:
        self.id, self.style, self.meta = clock.id(), style, meta
        self.clock, self.rng = clock, rng
        self.records: list[Record] = []
        self.ends: list[tuple[int, list[int]]] = []  # where a turn is over, and what was spent until then
        self.total = [0, 0, 0]
        self.prompts = self.responses = self.summaries = self.calls = self.output = self.input = 0
        self.ordinal = 0
        payload = {"id": self.id, "timestamp": clock.time(), "cwd": "/src/app", "cli_version": style, **meta}
        if style == "paginated":
            payload["history_mode"] = "paginated"
        self.write("session_meta", payload)

    def write(self, kind: str, payload: Record, **more: Any) -> None:
        record: Record = {"timestamp": self.clock.time(), "type": kind, "payload": {**payload, **more}}
        if self.style == "paginated":
            record |= {"ordinal": self.ordinal}
            self.ordinal += 1
        self.records.append(record)

    def item(self, payload: Record) -> None:
        more = {"id": f"it_{self.clock.id()}"} if self.style in ("ids", "paginated") else {}
        self.write("response_item", payload, **more)

    def shown(self, kind: str, event: str, text: str) -> None:
        if self.style == "paginated":
            content = [{"type": "text", "text": text}]
            self.write(
                "event_msg",
                {"type": "item_completed", "item": {"type": kind, "id": self.clock.id(), "content": content}},
            )
        else:
            self.write("event_msg", {"type": event, "message": text})

    def message(self, role: str, text: str) -> Record:
        kind = "input_text" if role == "user" else "output_text"
        return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], "phase": "final_answer"}

    # --- what happens ------------------------------------------------------------------------------------------------

    def begin_turn(self) -> None:
        if self.style != "old":
            turn = self.clock.id()
            self.write("event_msg", {"type": "task_started", "turn_id": turn})
            self.write("turn_context", {"turn_id": turn, "model": "gpt-5.5", "cwd": "/src/app"})
        text = self.rng.choice(WORDS)
        self.item(self.message("user", text))
        self.shown("UserMessage", "user_message", text)
        self.prompts += 1

    def answer(self, *, calls: bool = False) -> str:
        """One response; the id of its call."""
        text, call_id = self.rng.choice(WORDS), ""
        usage = [self.rng.randint(1000, 10**6), self.rng.randint(0, 900), self.rng.randint(1, 10**6)]
        self.total = [a + b for a, b in zip(self.total, usage, strict=True)]
        self.responses += 1
        self.input += usage[0] - usage[1]
        self.output += usage[2]
        self.record(usage)
        if not calls:
            self.shown("AgentMessage", "agent_message", text) if self.style == "old" else None
        if self.style == "old":
            self.tell(usage)
        if self.rng.random() < 0.4:
            self.item({"type": "reasoning", "summary": [], "encrypted_content": self.rng.choice("abc")})
        if calls:
            call_id = f"call_{self.clock.id()}"
            self.calls += 1
            arguments = json.dumps({"command": ["bash", "-lc", "ls"]})
            self.item({"type": "function_call", "name": "shell", "arguments": arguments, "call_id": call_id})
        else:
            self.item(self.message("assistant", text))
            self.shown("AgentMessage", "agent_message", text) if self.style != "old" else None
        if self.style != "old":
            self.tell(usage)
        while self.rng.random() < 0.3:
            self.tell(usage)  # only the rate limits have changed
        return call_id

    def record(self, usage: list[int]) -> None:
        """Newer versions write it beside the event, and never into a copy."""
        if self.style == "paginated":
            self.write("token_usage_record", {"thread_id": self.id, "usage": _usage(usage)})

    def compact(self) -> None:
        """The history is summed up; of the request that does it no total tells anything."""
        usage = [self.rng.randint(1000, 10**6), self.rng.randint(0, 900), self.rng.randint(1, 10**6)]
        if self.style == "paginated":
            self.input += usage[0] - usage[1]
            self.output += usage[2]
        self.record(usage)
        summary = self.rng.choice(["", *WORDS])
        # A message of the program: the summary, where it can be read, or what it cost.
        self.summaries += bool(summary) or self.style == "paginated"
        self.write("compacted", {"message": summary, "replacement_history": []})
        self.tell([0, 0, 0])

    def tell(self, usage: list[int]) -> None:
        info = {"total_token_usage": _usage(self.total), "last_token_usage": _usage(usage)}
        self.write("event_msg", {"type": "token_count", "info": info, "rate_limits": {"n": self.rng.random()}})

    def result(self, call_id: str, text: str = "done") -> None:
        self.item({"type": "function_call_output", "call_id": call_id, "output": text})

    def turn(self) -> None:
        self.begin_turn()
        for _ in range(self.rng.randint(0, 2)):
            self.result(self.answer(calls=True))
        self.answer()
        if self.rng.random() < 0.2:
            self.compact()
        self.ends.append((len(self.records), list(self.total)))

    # --- children ----------------------------------------------------------------------------------------------------

    def fork(self) -> Thread:
        """As it was at the end of some turn; or, paginated, referring to that."""
        end, total = self.rng.choice(self.ends)
        child = Thread(self.clock, self.rng, self.style, forked_from_id=self.id, **self._base(end))
        child.total = list(total)
        if self.style != "paginated":
            child.copy(self.records[:end])
            child.ends = [(len(child.records), list(total))]
        if self.rng.random() < 0.5:
            child.tell([1, 0, 1])  # a restored thread says what was spent
        return child

    def _base(self, end: int) -> Record:
        if self.style != "paginated":
            return {}
        base = {"thread_id": self.id, "end_ordinal_exclusive": self.records[end - 1]["ordinal"] + 1}
        return {"history_base": base | {"end_byte_offset": 1}}

    def spawn(self) -> Thread:
        """A subagent, with or without the history so far; the call that starts it is a response of a turn."""
        self.begin_turn()
        if self.rng.random() < 0.5:
            self.result(self.answer(calls=True))
        call_id = self.answer(calls=True)
        source = {"subagent": {"thread_spawn": {"parent_thread_id": self.id, "depth": 1}}}
        history = self.rng.random() < 0.7
        kept = [one for one in self.records if self.style == "old" or _is_kept(one, self.style)] if history else []
        start = {"subagent_history_start_ordinal": len(kept) + 1} if kept and self.style == "paginated" else {}
        child = Thread(self.clock, self.rng, self.style, source=source, **start)
        child.copy(kept)
        if kept:
            # Newer versions give a child the history without what it cost, and it counts from nothing.
            child.total = [0, 0, 0] if self.style == "paginated" else list(self.total)
            if self.style == "old":
                child.result(call_id, SPAWNED)
        self.result(call_id, json.dumps({"agent_id": child.id}))
        self.answer()
        self.ends.append((len(self.records), list(self.total)))
        return child

    def copy(self, records: list[Record]) -> None:
        self.copied = len(records) + 1
        for record in records:
            self.write(record["type"], record["payload"])

    # --- files -------------------------------------------------------------------------------------------------------

    def data(self) -> bytes:
        return b"".join(json.dumps(record).encode() + b"\n" for record in self.records)

    def save(self, root: pathlib.Path) -> pathlib.Path:
        path = root / "sessions" / "2026" / "02" / "03" / f"rollout-2026-02-03T10-00-00-{self.id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data())
        return path


def _usage(counts: list[int]) -> Record:
    whole, cached, output = counts
    return {
        "input_tokens": whole,
        "cached_input_tokens": cached,
        "output_tokens": output,
        "reasoning_output_tokens": output // 2,
        "total_tokens": whole + output,
    }


def _is_kept(record: Record, style: str) -> bool:
    """What a subagent gets of its parent's history in newer versions: neither calls nor thoughts, and no tokens."""
    payload = record["payload"]
    if record["type"] == "token_usage_record" or (style == "paginated" and payload.get("type") == "token_count"):
        return False
    if record["type"] == "turn_context":
        return False
    return bool(record["type"] != "response_item" or payload["type"] == "message")


def family(rng: random.Random, style: str, most: int = 7) -> list[Thread]:
    """A thread with forks, subagents, forks of those, …; all go on after each of them."""
    clock = Clock(rng)
    threads = [Thread(clock, rng, style)]
    threads[0].turn()
    for _ in range(rng.randint(1, most)):
        parent = rng.choice(threads)
        threads.append(parent.fork() if rng.random() < 0.6 and parent.ends else parent.spawn())
        for thread in rng.sample(threads, rng.randint(0, len(threads))):
            thread.turn()
        threads[-1].turn()
    return threads
