"""A larger history than the sample, made from it: the same sessions again and again, each under ids of its own."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path

from tests.cli.conftest import SAMPLES, USERS

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ID = re.compile(r"\b(msg|req|toolu)_sample[0-9a-f]+")
LONG_AGO = 10.0
FILES = sum(1 for user in USERS for path in (SAMPLES / user).rglob("*.json*"))


def grown_sample(folder: Path, copies: int) -> Path:
    """So many copies of the sample below the folder; the folder."""
    for number in range(copies):
        for user in USERS:
            for path in sorted((SAMPLES / user / "projects").rglob("*.jsonl")):
                name = _renamed(str(path.relative_to(SAMPLES / user)), number)
                to = folder / user / name
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_text(_renamed(path.read_text(encoding="utf-8"), number), encoding="utf-8")
    age(folder)
    return folder


def small_sample(folder: Path) -> Path:
    """A copy of the sample that may be changed."""
    for user in USERS:
        shutil.copytree(SAMPLES / user, folder / user)
    age(folder)
    return folder


def age(folder: Path) -> None:
    """As if it had been written some time ago: what was written just now is looked at again to be sure."""
    for path in folder.rglob("*"):
        then = path.stat().st_mtime - LONG_AGO
        os.utime(path, (then, then))


def _renamed(text: str, number: int) -> str:
    text = _UUID.sub(lambda found: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{found.group()} {number}")), text)
    return _ID.sub(lambda found: f"{found.group()}{number}", text)
