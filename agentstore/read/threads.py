"""How a statement is run that reads few rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

# Few rows, perhaps of many places: to share them out among threads takes longer than to read them. It saves a sixth of
# what a list or a window costs the server. Who may not set it reads all the same (`needs.FOR_SPEED`).
ONE_THREAD: Mapping[str, Any] = MappingProxyType({"max_threads": 1})
