"""What is said in a rollout, by whom, once each, and which response tokens belong to.

Up to three streams say the same; the first to do so makes the message, and the others are echoes of it
(``memory.heard``).
"""

from __future__ import annotations

import datetime as dt

import msgspec

from agentstore.importers.codex import calls as shapes
from agentstore.importers.codex.memory import DONE, EVENT, ITEM, Answering, Echo, State, heard, known_by
from agentstore.importers.codex.records import strings
from agentstore.importers.codex.speech import IMAGE, contains_other, is_injected, request_of, shown, text_in
from agentstore.importers.codex.survey import PREFIX
from agentstore.importers.codex.trail import Stretch
from agentstore.importers.codex.usage import spent, totals_of
from agentstore.importers.conversation import Conversation, OpenMessage, Usage, first_line
from agentstore.importers.jsonl import Record, to_json

_MOST_LABELS = 1000  # kinds of records that are counted apart
_TEXT, _CALL, _THOUGHT, _TOKENS = 3, 2, 1, 0  # parts of a response; what it is known by, the best first


class Talk:
    """Takes what is said in order. Of each record ``turn_to`` tells first whose it is, and when it was written."""

    def __init__(self, state: State, *, has_parent: bool) -> None:
        self.conversation = self._talk = Conversation(state.talk)
        self._state = state
        self._has_parent = has_parent
        self._thread, self.is_own, self._counts = "", True, True
        self._moment: dt.datetime | None = None

    def turn_to(self, stretch: Stretch, moment: dt.datetime | None, *, is_own: bool) -> None:
        self._thread, self._moment, self.is_own = stretch.thread, moment, is_own
        self._counts = stretch.is_whole

    def skip(self, label: str) -> None:
        count(self._state.skipped, label)

    # --- who speaks --------------------------------------------------------------------------------------------------

    def ask(self, text: str) -> None:
        """A message with the role of the user: a prompt, if nothing says otherwise."""
        state = self._state
        if heard(state.asked, ITEM, text) is not None:
            state.events_lead = True
            return
        is_late = state.has_events and state.events_lead
        message = self._add("system" if not text or is_late or is_injected(text) else "user", text, "user")
        state.asked[-1].ordinal = message.ordinal
        if message.role == "user":
            self._name(message)
            if state.has_events:
                state.unconfirmed = message.ordinal
            elif not state.has_answered:
                state.early.append(message.ordinal)

    def _give_up(self) -> None:
        """No event has said that this was typed, and the conversation goes on."""
        message = self._talk.at(self._state.unconfirmed) if self._state.unconfirmed >= 0 else None
        if message is not None:
            self._talk.recast(message, "system")
        self._state.unconfirmed = -1

    def typed(self, stream: int, text: str, *, has_images: bool = False) -> None:
        """A person typed this, and what no event says was not typed."""
        state = self._state
        text = text or (IMAGE if has_images else "")
        if not text:
            return
        echo = heard(state.asked, stream, text)
        if echo is None:
            echo = self._shown_otherwise(text, stream)
        message = self._talk.at(echo.ordinal) if echo is not None else None
        if message is not None:
            state.events_lead = False
            state.unconfirmed = -1 if state.unconfirmed == message.ordinal else state.unconfirmed
        if not state.has_events:
            state.has_events = True
            for ordinal in state.early:
                if (early := self._talk.at(ordinal)) is not None and early is not message:
                    self._talk.recast(early, "system")
            state.early = []
        if echo is None:
            message = self._add("user", text, "user")
            state.asked[-1].ordinal = message.ordinal
        state.is_asked |= self.is_own
        if message is not None:
            self._talk.recast(message, "user")
            self._name(message)

    def _shown_otherwise(self, text: str, stream: int) -> Echo | None:
        """The latest message of the model's side that holds what was typed, with what was put around it."""
        own = self._state.asked.pop()
        for echo in reversed(self._state.asked):
            message = self._talk.at(echo.ordinal)
            if (
                message is None
                or echo.ordinal < self._state.answering.ordinal
                or echo.streams & (EVENT | DONE)
                or (message.role != "system" and self._state.has_events and echo.ordinal != self._state.unconfirmed)
            ):
                continue
            said = "\n".join(message.parts)
            if not is_injected(said) and contains_other(said, text):
                echo.streams |= stream
                return echo
        self._state.asked.append(own)
        return None

    def _name(self, message: OpenMessage) -> None:
        """A session is called by its first prompt, without what an editor put before it."""
        memory, text = self._talk.memory, "\n".join(message.parts)
        if memory.first_message in ("", first_line(text)):
            memory.first_message = first_line(request_of(text))

    def inject(self, text: str, label: str) -> None:
        if text:
            self._add("system", text, label)
        else:
            self.skip(f"{label}/empty")

    def _add(self, role: str, text: str, label: str) -> OpenMessage:
        self.end_response()
        self._give_up()
        self._state.is_prompted = True
        self._state.is_asked |= self.is_own and (role == "user" or label == "letter")
        return self._talk.add(role, text, self._moment, source_id=self._source(f"{label}\0{text}"))

    def _source(self, key: str) -> str:
        """What this message is known by in all sessions that have it."""
        known = f"{PREFIX}{self._thread}:{_digits(key)}"
        number = self._state.count(known)
        return known if number == 1 else f"{known}.{number}"

    # --- the model ---------------------------------------------------------------------------------------------------

    def end_response(self) -> None:
        """What comes next is no part of it. One that has neither text nor call is known by what else it has."""
        now = self._state.answering
        message = self._talk.at(now.ordinal) if not now.is_over and not now.is_known and now.key else None
        if message is not None:
            message.source_id = self._source(now.key)
            self._talk.spend(message, message.usage)  # the same tokens: so it is given out again
        now.is_over, now.is_known = True, now.is_known or message is not None

    def _response(self, part: int, key: str) -> OpenMessage:
        """The message of the response at hand, or a new one. ``key`` is what this part of it is known by."""
        self._give_up()
        state, now = self._state, self._state.answering
        message = self._talk.at(now.ordinal) if now.ordinal >= 0 else None
        if message is None or now.is_over or (part == _TEXT and now.is_known):
            self.end_response()
            message = self._talk.add("assistant", "", self._moment, model=state.model)
            now = state.answering = Answering(message.ordinal)
            state.is_prompted = False
            state.early = []
        if self.is_own and part != _TOKENS:
            state.has_answered = True
        message.model = message.model or state.model
        if not now.is_known and part >= _CALL:
            now.is_known, message.source_id = True, self._source(f"{part}\0{key}")
        elif not now.is_known:
            now.key = f"{part}\0{key}"[:1000]
        return message

    def tell(self, stream: int, text: str) -> None:
        if text and heard(self._state.told, stream, shown(text)) is None:
            self._talk.say(self._response(_TEXT, text), text)

    def think(self, stream: int, payload: Record) -> None:
        texts = [strings(payload, "text")] if "text" in payload else []
        for key in ("summary", "content"):
            value = payload.get(key)
            texts += [text_in(part) for part in (value if isinstance(value, list) else [value])]
        new = [text for text in texts if text and heard(self._state.thought, stream, text) is None]
        if not new and (any(texts) or stream != ITEM):
            return
        key = "\0".join(filter(None, texts)) or strings(payload, "encrypted_content")
        message = self._response(_THOUGHT, key)
        for text in new:
            self._talk.think(message, text)
        self._talk.think(message)

    def take_call(self, payload: Record) -> None:
        call = shapes.call_of(payload)
        if call.id and self._is_known(call.id):
            self.skip("call/again")
            return
        message = self._response(_CALL, call.id or f"{call.name}\0{to_json(call.arguments)}")
        self._talk.call(message, call.id, call.name, call.arguments)

    def _is_known(self, id: str) -> bool:
        """A call that is written again is the same one; but ids that only count come again for other calls."""
        number = self._state.count(f"call\0{id}")
        return number > 1 and not (shapes.may_come_again(id) and self._talk.waiting(id) is None)

    def take_result(self, payload: Record) -> None:
        result = shapes.result_of(payload)
        call = self._talk.waiting(result.id)
        self.end_response()
        if call is None:
            self.skip("result/no such call")
            return
        is_error = result.is_error or result.id in self._state.failed
        if shapes.starts_agents(call.name):
            self.started(result.id, shapes.started_agent(result.text))
            self._state.spawn(call)
        self._talk.answer(result.id, result.text, is_error=is_error, moment=self._moment)

    def started(self, call_id: str, thread: str) -> None:
        """A call started this thread: its result says so, or an event before or after that."""
        call = self._talk.waiting(call_id) or next((one for one in self._state.spawns if one.id == call_id), None)
        if call is not None and thread and not call.subagent and shapes.starts_agents(call.name):
            self._talk.starts(call, PREFIX + thread)

    def spend(self, info: object) -> None:
        state = self._state
        usage = spent(info, state.totals)
        state.totals = totals_of(info) or state.totals
        # What a child tells before it has answered anything is what its parent had spent.
        inherits = self.is_own and self._has_parent and not state.has_answered and not state.is_asked
        if usage is None or not self._counts or inherits or self._is_recorded(usage):
            return
        now = state.answering
        message = self._talk.at(now.ordinal) if now.ordinal >= 0 else None
        if message is None or now.is_spent or state.is_prompted:
            self.end_response()
            message = self._response(_TOKENS, f"{state.totals}\0{usage.raw}")
            state.answering.is_over = False
        state.answering.is_spent = True
        self._talk.spend(message, self._in_tier(usage))

    def _in_tier(self, usage: Usage) -> Usage:
        """With the service tier of the thread's settings, which the usage does not tell."""
        tier, raw = self._state.tier, usage.raw
        if not tier or '"service_tier":' in raw:
            return usage
        return msgspec.structs.replace(usage, raw=f'{raw[:-1]},"service_tier":{to_json(tier)}}}')

    def _is_recorded(self, usage: Usage) -> bool:
        """Whether these are the tokens that were counted where the history was summed up."""
        state, known = self._state, _numbers(usage)
        is_known = known == _numbers(state.summed_up)
        is_echo = known == _numbers(state.recorded)
        state.summed_up = None
        state.recorded, state.counted = None if is_echo else state.recorded, None if is_echo else usage
        return is_known

    def record(self, usage: Usage | None) -> None:
        """What a request of this thread cost; an event tells it before or after this, if it is not the next one's."""
        state = self._state
        if usage is not None:
            is_echo = _numbers(usage) == _numbers(state.counted)
            state.recorded, state.counted = None if is_echo else usage, None

    def sum_up(self, text: str) -> None:
        """The history was summed up for the model. A record that no event has told again is of that request."""
        self.end_response()
        usage, self._state.recorded = self._state.recorded, None
        if text or usage:
            message = self._add("system", text, f"compacted\0{usage.raw}" if usage and not text else "compacted")
            if usage:
                message.model = self._state.model
                self._talk.spend(message, self._in_tier(usage))
                self._state.summed_up = usage

    def host(self, payload: Record) -> None:
        """What the provider ran inside of the response."""
        message = self._response(_CALL, strings(payload, "id") or strings(payload, "type"))
        self._talk.say(message, shapes.described_hosted(payload))

    def plan(self, plan: str) -> None:
        """A plan is told once: here, or in the text of the response."""
        last = self._talk.last()
        if not (last and any(plan in part for part in last.parts)):
            self.tell(DONE, plan)


def count(counts: dict[str, int], label: str) -> None:
    label = label[:200]
    if label in counts or len(counts) < _MOST_LABELS:
        counts[label] = counts.get(label, 0) + 1


def _numbers(usage: Usage | None) -> tuple[int, ...]:
    return (usage.input, usage.cache_read, usage.cache_write, usage.output) if usage else ()


def _digits(key: str) -> str:
    return f"{known_by(key):016x}"
