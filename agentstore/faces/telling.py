"""What a session is made of, read as it is shown: some megabytes at a time, however long it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from agentstore.errors import AgentStoreError
from agentstore.faces.money import count, dollars
from agentstore.models import SessionFilter

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, CostRow, GitLink, Message, OriginalPart, Session, ToolCall

_CALLS = 100


@dataclass(frozen=True)
class Detail:
    """How much of a session is shown. ``lines``: of each tool's result; 0 is all."""

    tools: bool = False
    thinking: bool = False
    lines: int = 20


class Told(NamedTuple):
    """A message with all that belongs to it."""

    message: Message
    calls: list[ToolCall]
    pins: list[str]
    links: list[GitLink]


async def told(
    store: AsyncClickHouseStore, org: str, session: Session, links: list[GitLink], *, tools: bool
) -> AsyncGenerator[Told]:
    """The messages in their order, each with its notes and what came of it, and its calls where they are wanted."""
    pins: dict[int, list[str]] = {}
    for pin in await store.list_message_pins(org, session.id):
        pins.setdefault(pin.message_ordinal, []).append(pin.note)
    made: dict[int, list[GitLink]] = {}
    for link in links:
        made.setdefault(link.message_ordinal, []).append(link)
    calls = CallsInOrder(store, org, session.id)
    async for message in store.iter_messages(org, session.id):
        at = message.ordinal
        yield Told(message, await calls.of(at) if tools else [], pins.get(at, []), made.get(at, []))


class CallsInOrder:
    """The calls of a session by message, asked for in ascending order: a page of them is held at a time."""

    def __init__(self, store: AsyncClickHouseStore, org: str, session_id: str) -> None:
        self._calls = calls_of(store, org, session_id)
        self._next: ToolCall | None = None
        self._is_done = False

    async def of(self, ordinal: int) -> list[ToolCall]:
        """The calls of this message; those of earlier ones are forgotten."""
        found: list[ToolCall] = []
        while not self._is_done:
            if self._next is None:
                self._next = await anext(self._calls, None)
                self._is_done = self._next is None
                continue
            if self._next.message_ordinal > ordinal:
                break
            if self._next.message_ordinal == ordinal:
                found.append(self._next)
            self._next = None
        return found


async def calls_of(store: AsyncClickHouseStore, org: str, session_id: str) -> AsyncGenerator[ToolCall]:
    """All calls of a session in their order, page by page."""
    after: tuple[int, str, int] | None = None
    while True:
        page = await store.get_session_tool_calls(org, session_id, after=after, limit=_CALLS)
        for call in page:
            yield call
        if len(page) < _CALLS:
            return
        last = page[-1]
        after = (last.message_ordinal, last.tool_use_id, last.call_index)


async def originals_of(store: AsyncClickHouseStore, org: str, session: Session) -> AsyncIterator[OriginalPart]:
    """The parts that are kept of the session's own file, from its start on: of its owner's, where there are several."""
    files = [one for one in await store.list_source_files(org, session_id=session.id) if one.original_id]
    if not files:
        return
    own = max(files, key=lambda one: ((one.user_id, one.machine) == (session.user_id, session.machine), one.size))
    parts = {part.start: part for part in await store.get_originals(org, own.original_id) if not part.file}
    end = 0
    # Others are of earlier versions of the file.
    while part := parts.pop(end, None):
        yield part
        end = part.end


class Spent:
    """The tokens of a session's own messages, added up while they pass."""

    def __init__(self) -> None:
        self.input = self.from_cache = self.to_cache = self.output = 0

    def add(self, message: Message) -> None:
        """Count one message."""
        self.input += message.input_tokens
        self.from_cache += message.cache_read_tokens
        self.to_cache += message.cache_write_tokens
        self.output += message.output_tokens


def spent_lines(spent: Spent, cost: CostRow | None) -> list[tuple[str, str]]:
    """Labels and texts of what a session took: the tokens of its own messages, the money with its subagents'."""
    kinds = [
        (spent.input, "input"),
        (spent.from_cache, "from the cache"),
        (spent.to_cache, "to the cache"),
        (spent.output, "output"),
    ]
    tokens = " · ".join(f"{count(number)} {kind}" for number, kind in kinds if number)
    found = [("tokens", tokens)] if tokens else []
    if cost is not None and (cost.cost_nanodollars or cost.unpriced_tokens):
        price = f"{dollars(cost.cost_nanodollars)} at list prices, with subagents" if cost.cost_nanodollars else ""
        unpriced = f"{count(cost.unpriced_tokens)} tokens without a price" if cost.unpriced_tokens else ""
        found.append(("cost", " · ".join(filter(None, [price, unpriced]))))
    return found


async def cost_of(store: AsyncClickHouseStore, org: str, session: Session) -> CostRow | None:
    """What the session cost at list price, its subagents with it; None where the store does not say."""
    if session.relationship_type == "subagent":
        return None
    try:
        report = await store.session_costs(org, [session.id])
    except AgentStoreError:  # prices cannot be learned with rights to read only; a session reads whole without them
        return None
    return next((row for row in report.rows if row.key == session.id), None)


async def children_of(store: AsyncClickHouseStore, org: str, session: Session) -> list[Session]:
    """The subagents, forks and continuations of a session, the latest first; of very many the latest."""
    wanted = SessionFilter(parent_session_id=session.id, include_subagents=True, limit=100)
    return (await store.list_sessions(org, wanted)).sessions
