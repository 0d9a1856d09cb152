"""What a trajectory file holds: runs, and who each of them is.

One JSON object, written anew after each step:

* SWE-agent (``.traj``; counted on 15 real files and 3 of its own tests): ``trajectory`` (the steps), ``history``
  (what the model was shown), ``info``, ``replay_config`` (since 1.0; text, or an object), ``environment``. Files with
  ``history`` alone are demonstrations, made to be shown to a model.
* SWE-agent with several attempts (``RetryAgent``; read in its source, no file seen): ``attempts``, each as above, and
  at the end the best of them once more beside the list. Each attempt also has a file of its own in ``attempt_<n>/``.
* mini-SWE-agent (``.traj.json``; read in its source and documentation, no real file seen): ``messages``, ``info`` and
  ``trajectory_format`` ("mini-swe-agent-1", "mini-swe-agent-1.1"); before that, the list of messages alone.

No file says an id. A run is known by what it was told and by its first step: its prompt, its configuration, the first
response, what came back, and how long that took (since 1.0) or when it was (mini). That stays the same while the run
goes on, whatever the file is called and wherever it lies, and another run of the same task has other answers. Two
runs that nevertheless begin alike are told apart where they part, if they are imported together
(``copies``). A run without a step has no id yet, and no rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from agentstore.importers.copies import Trace, trace_of
from agentstore.importers.jsonl import Record, to_json

SWE_AGENT = "swe-agent"
MINI = "mini-swe-agent"


class Run(NamedTuple):
    """One run of a file; ``label`` is its place among several, as in ``file#attempt-0``."""

    agent: str
    document: Record
    label: str = ""

    @property
    def steps(self) -> list[Record]:
        """What the agent did, one after the other: steps, or messages after the prompt."""
        if self.agent == MINI:
            return records_of(self.document.get("messages"))
        return records_of(self.document.get("trajectory"))


def runs_in(value: Any) -> list[Run]:
    """The runs of a file; none where it is no trajectory."""
    if isinstance(value, list):
        return [Run(MINI, {"messages": value})] if _are_messages(value) else []
    if not isinstance(value, dict):
        return []
    attempts = records_of(value.get("attempts"))
    if attempts:
        return [Run(SWE_AGENT, one, f"attempt-{number}") for number, one in enumerate(attempts)]
    if isinstance(value.get("trajectory"), list) or isinstance(value.get("history"), list):
        return [Run(SWE_AGENT, value)]
    return [Run(MINI, value)] if isinstance(value.get("messages"), list) else []


def _are_messages(values: list[Any]) -> bool:
    found = records_of(values[:3])
    return len(found) == len(values[:3]) > 0 and all("content" in one and "role" in one for one in found)


def id_of(run: Run) -> str:
    """The id of a run's session; "" while it has not begun."""
    told = list(_beginning(run))
    if not told:
        return ""
    written = to_json(told).encode("utf-8", errors="replace")
    return f"{run.agent}:{hashlib.blake2b(written, digest_size=16).hexdigest()}"


def _beginning(run: Run) -> Iterator[Any]:
    """What a run is known by."""
    document = run.document
    if run.agent == MINI:
        messages = run.steps
        first = next((number for number, one in enumerate(messages) if is_response(one)), None)
        if first is not None:
            yield from ([one.get("role"), one.get("content")] for one in messages[:first])
            yield _known_by(messages[first])
        return
    history = [one for one in records_of(document.get("history")) if one.get("is_demo") is not True]
    first_answer = next((number for number, one in enumerate(history) if one.get("role") == "assistant"), None)
    steps = run.steps
    if not steps and first_answer is None:
        return
    yield from ([one.get("role"), one.get("content")] for one in history[:first_answer])
    yield document.get("replay_config")
    if steps:
        yield [steps[0].get(name) for name in ("action", "response", "observation", "execution_time")]
    else:
        yield [history[first_answer or 0].get(name) for name in ("role", "content")]


def _known_by(message: Record) -> list[Any]:
    extra = message.get("extra")
    extra = extra if isinstance(extra, dict) else {}
    response = extra.get("response")
    id = response.get("id") if isinstance(response, dict) else message.get("id")
    return [id, extra.get("timestamp", message.get("timestamp")), message.get("content"), message.get("output")]


def is_response(message: Record) -> bool:
    """Whether the model said this; a response of OpenAI's newer interface stands there as it came."""
    return message.get("role") == "assistant" or message.get("object") == "response"


def trace(run: Run, size: int) -> Trace:
    """What the steps of a run are known by."""
    names = ("action", "response", "observation", "execution_time", "role", "content", "output", "tool_call_id")
    keys = (to_json([number, *map(step.get, names)]) for number, step in enumerate(run.steps))
    return trace_of(((key, "") for key in keys), size)


def records_of(value: Any) -> list[Record]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text_at(value: Any, *names: str) -> str:
    """The text under these names, one inside the other; "" where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def text_in(content: Any) -> str:
    """The text of a message's content: a text, or a list of parts that may have one."""
    if isinstance(content, str):
        return content
    texts = (part if isinstance(part, str) else part.get("text") for part in _parts(content))
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def _parts(content: Any) -> list[Any]:
    return [part for part in content if isinstance(part, str | dict)] if isinstance(content, list) else []
