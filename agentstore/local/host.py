"""What all connections of one server share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .engine import Engine, EngineInfo

_STRING_SETTINGS = frozenset({"String", "Char", "Map", "URI", "Timezone"})


@dataclass(frozen=True, slots=True)
class Host:
    engine: Engine
    info: EngineInfo
    display_name: str
    user: str
    password: str = field(repr=False)
    max_packet_bytes: int
    handshake_timeout_seconds: float
    control: ThreadPoolExecutor
    """Runs what must not wait behind a client's query: the requests to end one."""
    running: dict[str, str] = field(default_factory=dict)
    """Ids of running queries as their clients chose them, to the tags their sessions run under."""

    def setting_kind(self, name: str) -> str | None:
        """How a client older than revision 54429 writes a setting: by its type, which the engine knows."""
        kind = self.info.setting_types.get(name)
        if kind is None:
            return None
        if kind in ("Float", "Double"):
            return "float"
        if kind == "Int64" or kind == "Int32":
            return "int"
        numbers = ("UInt64", "Bool", "Seconds", "Milliseconds", "MaxThreads", "UInt64Auto", "BoolAuto")
        return "uint" if kind in numbers or kind.startswith("UInt") else "string"
