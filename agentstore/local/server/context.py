"""What all connections of one server share."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from agentstore.local.engine.engine import Engine, EngineInfo
from agentstore.local.engine.niceness import Niceness
from agentstore.local.sandbox.sandbox import Sandbox
from agentstore.local.server.memory_budget import Budget
from agentstore.local.server.query_progress import QueryProgress

_UNSIGNED = frozenset(
    {"UInt64", "UInt64Auto", "NonZeroUInt64", "Bool", "BoolAuto", "Seconds", "Milliseconds", "MaxThreads"}
)
_SIGNED = frozenset({"Int32", "Int64"})


@dataclass(frozen=True, slots=True)
class ServerContext:
    engine: Engine
    info: EngineInfo
    display_name: str
    user: str
    password: str = field(repr=False)
    max_packet_bytes: int
    handshake_timeout_seconds: float
    # Runs what must not wait behind a client's query: the requests to end one.
    control: ThreadPoolExecutor
    # Runs what is for one client and would hold up the event loop.
    helpers: ThreadPoolExecutor
    # For compressed frames that clients send, and what is in them.
    frames: Budget
    # Held while a large frame is measured: one at a time, so that many of them take no more of the event loop.
    measuring: asyncio.Lock
    # For results that clients have not read.
    results: Budget
    # What statements may not do; None where they may do everything.
    sandbox: Sandbox | None = None
    progress: QueryProgress = field(init=False)
    niceness: Niceness = field(default_factory=Niceness)
    # Ids of running queries as their clients chose them, to the tags their sessions run under.
    running: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "progress", QueryProgress(self.engine, self.control))

    def setting_kind(self, name: str) -> str | None:
        """How a client older than revision 54429 writes a setting: by its type, which the engine knows."""
        kind = self.info.setting_types.get(name)
        if kind is None:
            return None
        # Everything else is text, fractions and the names of modes too.
        return "uint" if kind in _UNSIGNED else "int" if kind in _SIGNED else "string"
