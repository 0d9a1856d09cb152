"""What becomes of the entries of a call: waited for, refused, or left to themselves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from agentstore.errors import AgentStoreError, WriteError
from agentstore.write.entry import Entry


def refuse(entries: deque[Entry], error: AgentStoreError) -> None:
    """None of them is sent."""
    while entries:
        entry = entries.popleft()
        entry.settle(entry.failure(error, certain=True))


async def committed(entries: deque[Entry], errors: list[WriteError] | None = None) -> None:
    """Returns when all are settled; takes them off the list, so that a large call is freed bit by bit.

    Cancelled, what is not settled is still in ``entries``, and what has failed by then in ``errors``.
    """
    errors = [] if errors is None else errors
    while entries:
        await entries[0].wait()
        _take_settled(entries, errors)
    if errors:
        raise WriteError.joined(errors)


def leave(entries: deque[Entry], errors: list[WriteError], tell: Callable[[WriteError | None], None]) -> None:
    """The caller was cancelled and will not ask: once all its rows are settled, ``tell`` is given what failed, or None.

    Without a task: one that is begun while the loop cancels all of them would be left behind.
    """

    def go_on() -> None:
        _take_settled(entries, errors)
        if entries:
            entries[0].when_settled(go_on)
        else:
            tell(WriteError.joined(errors) if errors else None)

    go_on()


def _take_settled(entries: deque[Entry], errors: list[WriteError]) -> None:
    while entries and entries[0].settled:
        entry = entries.popleft()
        if entry.error is not None:
            errors.append(entry.error)
