"""Writes through a store whose deadline is short for the sake of a fault.

A busy machine may miss that deadline also where there is no fault, or before a write has reached its fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agentstore import WriteError
from tests.faults.proxy import Proxy

Write = Callable[[], Awaitable[object]]

_SECONDS = 60


async def in_the_end(write: Write) -> None:
    """Done in the end: begun anew where its time was up."""
    async with asyncio.timeout(_SECONDS):
        while True:
            try:
                await write()
            except WriteError as error:
                if not error.retriable:
                    raise
            else:
                return


async def swallowed(proxy: Proxy, write: Write) -> None:
    """The write fails, and the network holds rows of it that it may deliver late."""
    before = proxy.held_late
    async with asyncio.timeout(_SECONDS):
        while proxy.held_late == before:
            with pytest.raises(WriteError):
                await write()
