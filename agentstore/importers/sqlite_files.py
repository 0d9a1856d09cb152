"""Agents' SQLite databases, read beside the agents that write them. Nothing raises for what a file contains.

A database is opened with ``mode=ro``, so that nothing of it is changed, and never as immutable: it is not, while its
agent runs. What SQLite then still does in the folder is avoided where it can be; a database in WAL mode needs its
``-shm``:

* it is there (the agent runs, or was killed): it is used without being written to
* neither ``-shm`` nor ``-wal`` is there (the agent closed the database): SQLite would make both and leave them behind.
  Up to ``MOST_COPIED`` bytes are read into memory instead, and that they are one state of the file is seen by its
  times; a larger database is opened as it is
* only ``-wal`` is there: SQLite makes the ``-shm`` again

An agent that does not use WAL cannot write while a query is open. So a query is to be read to its end at once, before
its rows are handed on; ``rows`` reads as it goes, and holds a few of them.

A schema may be hostile, too: only real tables count as there, functions in it do nothing where it can be read so,
and one value is at most ``MOST_VALUE`` bytes long (ask for ``length(…)`` first where longer ones have to be passed
over).
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

HEADER = b"SQLite format 3\0"
MOST_COPIED = 64 * 1024 * 1024
MOST_VALUE = 256 * 1024 * 1024
BUSY_SECONDS = 2.0
_SLICE = 100  # rows that are fetched at once
_MODES = slice(18, 20)  # of the header: how it is written and read; 2 is WAL, 1 is not
_WAL = b"\2"
# How a report begins of what may be read later: it is locked, or being written.
UNREADABLE = "the database cannot be"
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_SHORT = 1024  # characters of a text that is masked together with others

Report = Callable[[str], None]
Mask = Callable[[bytes], bytes]
Row = tuple[Any, ...]


def is_sqlite(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a database; an empty one is none."""
    return head.startswith(HEADER)


@contextlib.contextmanager
def open_database(path: pathlib.Path, report: Report, mask: Mask | None = None) -> Iterator[Database]:
    """The database, closed at the end. Where it cannot be read, ``report`` is told why and it has no tables.

    ``mask`` takes secrets out of its texts, also of JSON that is kept as a BLOB; other BLOBs are for who reads them.
    """
    connection = None
    try:
        connection = _connect(path)
        _protect(connection)
    except (sqlite3.Error, OSError, ValueError) as error:
        report(f"{UNREADABLE} opened: {_reason(error)}")
        if connection is not None:
            connection.close()
            connection = None
    database = Database(connection, report, mask)
    try:
        yield database
    finally:
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def with_log(path: pathlib.Path) -> list[pathlib.Path]:
    """The files that change when a database does. (The ``-shm`` is no part of it: readers write to it, too.)"""
    return [path, _beside(path, "-wal")]


class Database:
    """A database that is read. What fails ends the rows of its query and is reported; ``is_whole`` is False then, and
    ``failures`` says how often that was: rows between which it grew have gaps, and take nobody's place."""

    def __init__(self, connection: sqlite3.Connection | None, report: Report, mask: Mask | None = None) -> None:
        self._connection = connection
        self.mask = mask
        self._report = report
        self._columns: dict[str, frozenset[str]] = {}
        self.is_whole = connection is not None
        self.failures = 0
        self._is_locked = False

    def columns(self, table: str) -> frozenset[str]:
        """The names of a table's columns; none where there is no such table (views and virtual tables are none)."""
        if table not in self._columns:
            failures = self.failures
            known = self.rows("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", table)
            real = [
                sql for (sql,) in known if isinstance(sql, str) and not sql[:15].upper().startswith("CREATE VIRTUAL")
            ]
            names = self.rows("SELECT name FROM pragma_table_info(?)", table) if real else ()
            found = frozenset(name for (name,) in names if isinstance(name, str))
            if self.failures > failures:
                return found  # asked again: who wrote it may have locked it just then
            self._columns[table] = found
        return self._columns[table]

    def has(self, table: str, *columns: str) -> bool:
        """Whether there is such a table with all of these columns."""
        known = self.columns(table)
        return bool(known) and known.issuperset(columns)

    def rows(self, query: str, *values: str | bytes | float | None) -> Iterator[Row]:
        """The rows of a query as they are read. Text that is no UTF-8 has U+FFFD in it."""
        if self._connection is None:
            return
        if self._is_locked:  # whoever holds it for so long may do so for longer: no query waits for it again
            self.failures += 1
            return
        cursor = None
        try:
            cursor = self._connection.execute(query, values)
            while slice := cursor.fetchmany(_SLICE):
                yield from slice if self.mask is None else _masked(slice, self.mask)
        except (sqlite3.Error, OverflowError, ValueError) as error:  # names in a damaged schema may be no UTF-8
            self.is_whole = False
            self.failures += 1
            self._is_locked = getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED
            self._report(f"{UNREADABLE} read further: {_reason(error)}")
        finally:
            # Also where who asked has enough: an open query keeps some agents from writing.
            if cursor is not None:
                with contextlib.suppress(sqlite3.Error):
                    cursor.close()


def _masked(rows: list[Row], mask: Mask) -> list[Row]:
    """The rows without secrets. Short texts, which are most, are masked together, as lines are."""
    short = [value for row in rows for value in row if isinstance(value, str) and len(value) <= _SHORT]
    clean = iter(_masked_together(short, mask))

    def masked(value: Any) -> Any:
        if isinstance(value, str):
            return next(clean) if len(value) <= _SHORT else _masked_text(value, mask)
        return mask(value) if isinstance(value, bytes) and _is_json(value) else value

    return [tuple(map(masked, row)) for row in rows]


def _masked_together(texts: list[str], mask: Mask) -> list[str]:
    whole = "\n".join(texts)
    clean = _masked_text(whole, mask)
    if clean == whole:
        return texts
    lines = clean.split("\n")
    if len(lines) != whole.count("\n") + 1:  # a key in several lines, maybe from one text into the next
        return [_masked_text(text, mask) for text in texts]
    found, end = list[str](), 0
    for text in texts:
        begin, end = end, end + text.count("\n") + 1
        found.append("\n".join(lines[begin:end]))
    return found


def _masked_text(text: str, mask: Mask) -> str:
    return _text(mask(text.encode("utf-8", errors="replace")))


def _is_json(value: bytes) -> bool:
    return value[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _connect(path: pathlib.Path) -> sqlite3.Connection:
    with path.open("rb") as file:
        head = file.read(100)
    if head and not is_sqlite(head):
        raise ValueError("it is no SQLite database")
    has_shm, has_wal = _beside(path, "-shm").exists(), _beside(path, "-wal").exists()
    is_closed = head[_MODES].startswith(_WAL) and not has_shm and not has_wal
    # Some builds of SQLite cannot.
    if is_closed and hasattr(sqlite3.Connection, "deserialize") and (copied := _copied(path)):
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.deserialize(copied)
        return connection
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(
        uri + "&readonly_shm=1" if has_shm else uri,
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # one thread at a time: a generator may be taken further in another one
    )


def _copied(path: pathlib.Path) -> bytes:
    """A closed database as one that has no log; b"" where it is too large or was opened meanwhile."""
    before = os.stat(path)
    if before.st_size > MOST_COPIED:
        return b""
    data = bytearray(path.read_bytes())
    after = os.stat(path)
    same = (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)
    if not same or len(data) != before.st_size or _beside(path, "-wal").exists():
        return b""
    data[_MODES] = b"\1\1"  # SQLite opens none with a log in memory
    return bytes(data)


def _beside(path: pathlib.Path, suffix: str) -> pathlib.Path:
    return path.with_name(path.name + suffix)


def _protect(connection: sqlite3.Connection) -> None:
    connection.text_factory = _text
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_VALUE)
    for pragma in ("query_only=ON", "trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    # The first thing that reads the file: what is no database, or is locked, is told here.
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        if "unsafe use" not in str(error):
            raise
        # An index on what json_extract() gives (Kilo has some), which older builds count among these functions. There
        # are none here that do anything: the library has no more than SQLite's own, and loads no others.
        connection.execute("PRAGMA trusted_schema=ON").fetchall()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
