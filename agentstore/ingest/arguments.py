"""What ``ingest`` and ``watch`` are given, and what follows from it."""

from __future__ import annotations

import os
import pathlib
import platform
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agentstore.importers.importer import Importer, Options
from agentstore.importers.registry import known_places

if TYPE_CHECKING:
    from agentstore.masking import Masker

Places = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
PIECE_BYTES = 4 * 1024 * 1024


def paths_of(places: Places | None, importers: Sequence[Importer]) -> list[pathlib.Path]:
    """The places as paths; None: those that exist of the importers'."""
    if places is None:
        return known_places(importers=importers)
    if isinstance(places, str | os.PathLike):
        return [_path_of(places)]
    return [_path_of(place) for place in places]


def _path_of(place: str | os.PathLike[str]) -> pathlib.Path:
    # Absolute, for what is remembered of a file holds wherever the next run is begun.
    return pathlib.Path(place).expanduser().absolute()


def options_of(user: str, user_name: str, machine: str | None, masker: Masker | None, *, keep_raw: bool) -> Options:
    """How files are read. ``machine`` None: this one."""
    return Options(
        user_id=user,
        user_name=user_name,
        machine=platform.node() if machine is None else machine,
        local_git=machine is None or machine == platform.node(),
        piece_bytes=PIECE_BYTES,
        mask=masker.mask if masker is not None else None,
        keep_original=keep_raw,
    )


def masker_of(mask: Masker | bool) -> Masker | None:
    """The masker that is asked for; True: one with the rules of the package."""
    if mask is False:
        return None
    if mask is not True:
        return mask
    from agentstore.masking import Masker  # it needs an extra, and time to load

    return Masker()


class Secrets:
    """Counts what a masker has put markers for, since it was asked last."""

    def __init__(self, masker: Masker | None) -> None:
        self._masker = masker
        self._before: dict[str, int] = dict(masker.counts) if masker is not None else {}

    def new(self) -> dict[str, int]:
        """By kind."""
        now: dict[str, int] = dict(self._masker.counts) if self._masker is not None else {}
        before, self._before = self._before, now
        return {kind: count - before.get(kind, 0) for kind, count in now.items() if count > before.get(kind, 0)}


def single(error: BaseException) -> BaseException:
    """The error itself where a task group has put it into a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
