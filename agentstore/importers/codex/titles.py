"""What people, and Codex, called threads.

``session_index.jsonl`` beside the folders of sessions: a line ``{id, thread_name, updated_at}`` for each renaming, the
last one counts (read in Codex's source). Newer versions keep names in ``state_<n>.sqlite``, table ``threads``:
``name``, or a ``title`` that is not only the first prompt (read in source; the columns differ by version). A database
is opened as all are (``sqlite_files``), beside a running Codex; what cannot be read has no titles. The files next to
them, credentials among them, are not touched.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

from agentstore.importers.codex.records import strings
from agentstore.importers.file_blocks import is_regular, names_in
from agentstore.importers.intake import Intake, Mask
from agentstore.importers.jsonl import read_records
from agentstore.importers.sqlite_files import open_database, with_log

_INDEX = "session_index.jsonl"
_FOLDERS = frozenset({"sessions", "archived_sessions"})
_MOST_INDEX = 64 * 1024 * 1024
_LONGEST = 300
_COLUMNS = ("id", "name", "title", "first_user_message")


def titles_beside(files: Iterable[pathlib.Path], mask: Mask | None = None) -> dict[str, str]:
    """The titles by thread, masked, from the homes in which these rollouts are."""
    titles: dict[str, str] = {}
    for home in sorted({home for path in files if (home := _home(path)) is not None}):
        for database in sorted(home.glob("state_*.sqlite"), key=_number):
            titles |= _in_database(database, mask)
        titles |= _in_index(home / _INDEX, mask)
    return titles


def keep_title(path: pathlib.Path, thread: str, intake: Intake) -> None:
    """The line of the index that calls a thread what it is called now is kept with its rollout."""
    if (home := _home(path)) is not None:
        intake.line_with(home / _INDEX, thread, is_last=True)


def files_of_titles(path: pathlib.Path) -> list[pathlib.Path]:
    """The files that a rollout's title may be in."""
    home = _home(path)
    if home is None:
        return []
    databases = (home / name for name in names_in(home) if name.startswith("state_") and name.endswith(".sqlite"))
    return [home / _INDEX, *(one for database in databases for one in with_log(database))]


def _home(path: pathlib.Path) -> pathlib.Path | None:
    parts = path.parts[:-1]
    at = max((place for place, name in enumerate(parts) if name in _FOLDERS), default=-1)
    return pathlib.Path(*parts[:at]) if at >= 0 else None


def _in_index(path: pathlib.Path, mask: Mask | None) -> dict[str, str]:
    titles: dict[str, str] = {}
    try:
        if path.is_symlink() or not is_regular(path) or path.stat().st_size > _MOST_INDEX:
            return titles
        data = path.read_bytes()
    except (OSError, ValueError):
        return titles
    for _, entry in read_records(mask(data) if mask else data, lambda _line, _reason: None):
        thread, name = strings(entry, "id"), strings(entry, "thread_name").strip()
        if thread and name:
            titles[thread] = name[:_LONGEST]
    return titles


def _in_database(path: pathlib.Path, mask: Mask | None) -> dict[str, str]:
    titles: dict[str, str] = {}
    try:
        if path.is_symlink() or not is_regular(path):
            return titles
    except (OSError, ValueError):
        return titles
    with open_database(path, lambda _reason: None, mask) as database:
        wanted = [column for column in _COLUMNS if column in database.columns("threads")]
        if "id" not in wanted:
            return titles
        for row in database.rows(f"SELECT {', '.join(wanted)} FROM threads"):
            entry = dict(zip(wanted, row, strict=True))
            title = strings(entry, "title").strip()
            first = strings(entry, "first_user_message").strip()
            name = strings(entry, "name").strip() or (title if title != first else "")
            if name and isinstance(entry["id"], str):
                titles[entry["id"]] = name[:_LONGEST]
    return titles


def _number(path: pathlib.Path) -> tuple[int, str]:
    """The newest database counts: 10 comes after 5."""
    digits = path.stem.rpartition("_")[2]
    return (int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0, path.name)
