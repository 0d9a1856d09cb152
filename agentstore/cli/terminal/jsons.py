"""JSON of the library's records: their own names, one object on a line."""

from __future__ import annotations

from typing import Any

import msgspec

from agentstore.cli.terminal.screen import Screen
from agentstore.faces import safe


def as_json(record: Any) -> str:
    """A record, or what else msgspec knows, as JSON without line ends that is safe on a terminal."""
    return safe.in_json(msgspec.json.encode(record).decode())


def print_json(screen: Screen, record: Any) -> None:
    """One record, or what else msgspec knows, as one line that is safe on a terminal and parses back to the same."""
    screen.raw(as_json(record) + "\n")
