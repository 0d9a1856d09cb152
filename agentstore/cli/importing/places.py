"""Where the agents of this machine keep their history."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from agentstore.cli.failing import CommandError
from agentstore.importers.registry import IMPORTERS, this_home


def places_by_agent() -> dict[str, list[pathlib.Path]]:
    """The folders and files that exist, by the agent that writes there, in the order of the importers."""
    home = this_home()
    found: dict[str, list[pathlib.Path]] = {}
    for importer in IMPORTERS:
        there = sorted({pathlib.Path(one) for one in importer.places(home) if os.path.exists(one)})
        if there:
            found[importer.name] = there
    return found


def existing(named: Sequence[str]) -> list[pathlib.Path]:
    """The paths that were named; a ``CommandError`` where one is not there."""
    found = []
    for name in named:
        try:
            path = pathlib.Path(name).expanduser()
            is_there = os.path.lexists(path)
        except (RuntimeError, ValueError):  # nobody's home, a NUL
            path, is_there = pathlib.Path(name), False
        if not is_there:
            raise CommandError(f"there is no {name}", hint="without paths: where the agents keep their history")
        found.append(path)
    return found
