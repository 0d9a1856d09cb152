"""What the reads of a store run through."""

from __future__ import annotations

from abc import ABC, abstractmethod

from agentstore.protocols import Executor


class ReadLanes(ABC):
    """Where each read says which of the two it runs through. A store that is not open raises where it is asked.

    So a method asks first, before it looks at its arguments: what is wrong with the store comes before what is wrong
    with the call.
    """

    @property
    @abstractmethod
    def _open_pool(self) -> Executor:
        """For a page, a single session, a list."""

    @property
    @abstractmethod
    def _heavy(self) -> Executor:
        """For searches, analytics and iterators, which may run for long: it leaves connections to the rest."""
