"""What a submitted write gives back at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from agentstore.errors import WriteError
from agentstore.home import Home

OnUnobserved = Callable[[BaseException], None]


class Receipt:
    """Stands for a write that is under way. Await it, any number of times and from any task, to know its outcome.

    From another event loop, thread or process, where its end would never be noticed, awaiting one that is not done
    raises ``WrongLoopError``; one that is done tells its outcome anywhere.

    ``await receipt`` returns the receipt itself when the server has committed every row of the call, and raises what
    the write would have raised. Cancelling the wait does not cancel the write. A failure of a receipt that was thrown
    away without having been awaited is logged and counted in ``store.statistics()``.
    """

    def __init__(self, write: Coroutine[Any, Any, None], on_unobserved: OnUnobserved) -> None:
        self._outcome = _Outcome(on_unobserved)
        self._home = Home()
        self._task = asyncio.create_task(write)
        # The outcome's method, not the receipt's: a task that held the receipt would keep it from ever being thrown
        # away, and its failure from being told.
        self._task.add_done_callback(self._outcome.settle)

    def __await__(self) -> Generator[Any, None, Receipt]:
        if not self._task.done():  # else there may be no loop any more to wait in, or another one
            self._home.check()
            # Not the task itself: cancelling who awaits the receipt would cancel the write.
            yield from asyncio.wait([self._task]).__await__()
        return self._result()

    def _result(self) -> Receipt:
        """What awaiting it tells where it is done."""
        # Only here: a wait that was cancelled has seen no outcome, and a failure is still to be told.
        self._outcome.observed = True
        if self._task.cancelled():
            raise WriteError("the write was cancelled: each of its rows is stored or not", table="")
        error = self._task.exception()
        if error is not None:
            raise error
        return self

    @property
    def task(self) -> asyncio.Task[None]:
        """The task that carries the write; who keeps it keeps the write alive."""
        return self._task

    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._task.done()

    def __repr__(self) -> str:
        return f"<Receipt {'done' if self.done() else 'pending'}>"

    def __del__(self) -> None:
        # Not the task's own __del__: a failure is reported when both the outcome is known and nobody can ask any more.
        outcome = getattr(self, "_outcome", None)
        if outcome is not None:
            outcome.forget()


class _Outcome:
    """Outlives the receipt, since the write does."""

    __slots__ = ("_error", "_forgotten", "_on_unobserved", "observed")

    def __init__(self, on_unobserved: OnUnobserved) -> None:
        self.observed = False
        self._forgotten = False
        self._error: BaseException | None = None
        self._on_unobserved = on_unobserved

    def settle(self, task: asyncio.Task[None]) -> None:
        # Retrieving it here keeps asyncio from reporting "exception was never retrieved" for what is awaited later.
        self._error = None if task.cancelled() else task.exception()
        self._report()

    def forget(self) -> None:
        self._forgotten = True
        self._report()

    def _report(self) -> None:
        if self._forgotten and not self.observed and self._error is not None:
            error, self._error = self._error, None
            self._on_unobserved(error)
