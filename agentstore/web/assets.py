"""The files of the pages: styles, scripts, the icon. Read once, served from memory."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """A file, and what it is."""

    body: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """All of them by their names."""
    found = {}
    for file in files("agentstore.web").joinpath("static").iterdir():
        media_type = _TYPES.get(file.name.rpartition(".")[2])
        if media_type:
            found[file.name] = Asset(file.read_bytes(), media_type)
    return found


@cache
def version() -> str:
    """What changes when any of them does: part of their addresses, so that a browser may keep them for ever."""
    told = hashlib.sha256()
    for name, asset in sorted(assets().items()):
        told.update(f"{name} {len(asset.body)} ".encode() + asset.body)
    return told.hexdigest()[:12]


def asset_path(name: str) -> str:
    """The address of a file that is there: a script imports its neighbours by relative addresses."""
    assert name in assets(), name
    return f"/static/{version()}/{name}"
