"""Prompts that were typed while the model worked: ``queue-operation`` lines.

``enqueue`` holds the text, a later ``remove`` or ``dequeue`` takes the oldest one out (or the one it names), and then
it is a prompt, at that moment. ``popAll`` gives all back to the person: they are none. Newer versions write the prompt
once more, as ``attachment/queued_command`` or, of a dequeued one, as an ordinary ``user`` line: that is the same
prompt, in whichever order the two lines stand.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from agentstore.importers.claude_code.known import digest

_MOST = 200
# A person may well type the same word again. A dequeued prompt is written as a line of its own at once; one that was
# removed is not, as a rule.
_SOON = dt.timedelta(minutes=1)
_AT_ONCE = dt.timedelta(seconds=5)


class Queued(msgspec.Struct, array_like=True):
    """A text that waits. ``is_spoken``: it stands in the file as a line of its own already."""

    text: str
    is_spoken: bool = False


class Removed(msgspec.Struct, array_like=True):
    """A text that became the message ``ordinal`` when it was taken out of the queue."""

    text: int
    ordinal: int
    timestamp: dt.datetime | None
    is_dequeued: bool = False

    def is_near(self, said: dt.datetime | None) -> bool:
        if self.timestamp is None or said is None:
            return self.is_dequeued
        return abs(said - self.timestamp) <= (_SOON if self.is_dequeued else _AT_ONCE)


class Queue(msgspec.Struct, array_like=True):
    """The queue of one session as far as its file tells."""

    waiting: list[Queued] = []
    removed: list[Removed] = []

    def put(self, text: str) -> None:
        self.waiting = [*self.waiting, Queued(text)][-_MOST:]

    def clear(self) -> None:
        self.waiting = []

    def take(self, named: str) -> str:
        """The text that a removal makes a prompt; "" if there is none, or if it stands in the file already."""
        if not self.waiting:
            return ""
        found = next((place for place, item in enumerate(self.waiting) if item.text.strip() == named.strip()), 0)
        item = self.waiting.pop(found)
        return "" if item.is_spoken else item.text

    def became(self, text: str, ordinal: int, moment: dt.datetime | None, *, is_dequeued: bool) -> None:
        self.removed = [*self.removed, Removed(_known_by(text), ordinal, moment, is_dequeued)][-_MOST:]

    def twin(self, text: str, moment: dt.datetime | None, *, is_attachment: bool) -> int | None:
        """The ordinal of the message that this line repeats.

        A line that stands before its removal is a message itself, and makes the removal none.
        """
        number = _known_by(text)
        for place, item in enumerate(self.removed):
            if item.text == number and (is_attachment or item.is_near(moment)):
                return self.removed.pop(place).ordinal
        for queued in self.waiting:
            if not queued.is_spoken and _known_by(queued.text) == number:
                queued.is_spoken = True
                break
        return None


def _known_by(text: str) -> int:
    return digest(text.strip())
