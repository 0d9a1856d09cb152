"""Where VS Code, and editors that are made of it, keep what belongs to a user, and which folder a window had open."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence

from agentstore.importers.file_blocks import read_start
from agentstore.importers.importer import Home
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import read_document
from agentstore.importers.tools import text_of

WORKSPACE = "workspace.json"
_MOST = 65536
_URI = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^/?#]{0,300}(/[^?#]*)", re.IGNORECASE)
_DRIVE = re.compile(r"/[A-Za-z]:")
_ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")


def user_folders(home: Home, products: Sequence[str]) -> list[pathlib.PurePath]:
    """The ``User`` folder of each product."""
    if home.system == "macos":
        root = home.path / "Library" / "Application Support"
    elif home.system == "windows":
        named = home.environ.get("APPDATA", "")
        root = home.path / named if named else home.path / "AppData" / "Roaming"
    else:
        named = home.environ.get("XDG_CONFIG_HOME", "")
        root = home.path / named if named else home.path / ".config"
    return [root / product / "User" for product in products]


def cwd_of_workspace(folder: pathlib.Path, intake: Intake) -> str:
    """The directory that ``workspace.json`` in a folder of ``workspaceStorage`` names; "" where it names none.

    That of a window with several folders is where its ``.code-workspace`` file lies.
    """
    path = folder / WORKSPACE
    try:
        if path.is_symlink():
            return ""
        data = intake.whole(read_start(path, _MOST), path)
        document = read_document(data, lambda _line, _reason: None) or {}
    except (OSError, ValueError):
        return ""
    # Masked again, for an escape of the URI may have been within a secret.
    if directory := intake.text(path_of_uri(text_of(document, "folder"))):
        return directory
    file = intake.text(path_of_uri(text_of(document, "workspace", "configuration")))
    return file.rpartition("/")[0] if file.endswith(".code-workspace") else ""


def path_of_uri(uri: str) -> str:
    """The path of a ``file:`` URI, or of one on another machine (``vscode-remote:``), as that machine writes it."""
    found = _URI.fullmatch(uri[:_MOST])
    if found is None:
        return ""
    path = _ESCAPES.sub(_unescaped, found.group(1))
    path = path[1:] if _DRIVE.match(path) else path
    return path.rstrip("/") or "/"


def _unescaped(found: re.Match[str]) -> str:
    return bytes.fromhex(found.group().replace("%", "")).decode("utf-8", errors="replace")
