"""Every error a caller can see, in one tree.

::

    AgentStoreError
    ├── ConfigError(ValueError)            a DSN, option, environment variable or user profile that cannot be used
    ├── InvalidArgumentError(ValueError)   an argument or record field that is refused before anything is sent
    │   └── InvalidCursorError(ValueError) a cursor that no page of ours returned
    ├── NotFoundError(LookupError)         a session that is not there
    ├── AlreadyThereError(FileExistsError) a file that is there already, with other bytes
    ├── StoreClosedError                   the store is not open (never opened, or closed)
    │   └── WrongLoopError                 it is open, in another event loop, thread or process
    ├── SchemaError                        the database is newer or older than the library, edited, or not set up
    ├── ConnectionFailedError              the server cannot be reached, or the connection was lost
    │   └── AuthenticationError            the server answered, and refused user, password or database
    ├── OperationTimeoutError(TimeoutError) no answer within the time allowed
    │   └── PoolTimeoutError               no connection became free within the time allowed; nothing was sent
    ├── QueryError                         the server refused a statement: code, name, query_id
    └── WriteError                         what is not known to be stored, of which table, and why
        └── SessionPurgedError             a session that was purged must not come back unasked

Errors are data and advice: each one carries what a program needs to decide (``retriable``, ``hint``, codes, keys).
No driver exception leaves the library; ``connection/driver.py`` is the one edge where they are translated.
No message or attribute ever holds a password.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class AgentStoreError(Exception):
    """Root of the tree. ``retriable`` says whether the same call may succeed later, unchanged.

    ``outcome_unknown`` is True where a statement was sent and no answer came: it may be carried out, even later.
    """

    retriable: bool = False
    outcome_unknown: bool = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(AgentStoreError, ValueError):
    """A DSN, option or environment variable cannot be used, or the settings of the server's user."""


class InvalidArgumentError(AgentStoreError, ValueError):
    """An argument was refused before anything was sent.

    ``record`` names the record (``messages[3]``), ``field`` its field; both are "" where they do not apply.
    """

    def __init__(self, message: str, *, record: str = "", field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.record = record
        self.field = field


class InvalidCursorError(InvalidArgumentError):
    """The cursor was not returned by a page of this method."""


class NotFoundError(AgentStoreError, LookupError):
    """What was asked for by its key is not there."""


class AlreadyThereError(AgentStoreError, FileExistsError):
    """Files that were to be written are there already, with other bytes: ``paths``. Nothing was written."""

    def __init__(self, message: str, *, paths: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.paths = tuple(paths)


class StoreClosedError(AgentStoreError):
    """The store is not open: it was never opened, is already closed, or was opened twice."""


class WrongLoopError(StoreClosedError):
    """The store was opened in another event loop, thread or process than the one that uses it. Nothing was done."""


class SchemaError(AgentStoreError):
    """The database's tables do not fit this library: they are missing, or newer, older or other than it knows.

    Where a statement was refused for it, ``__cause__`` is the ``QueryError``.
    """


class ConnectionFailedError(AgentStoreError):
    """The server cannot be reached, or the connection was lost before the answer was complete."""

    retriable = True


class AuthenticationError(ConnectionFailedError):
    """The server was reached and refused the user, the password or the database. Trying again does not help."""

    retriable = False


class OperationTimeoutError(AgentStoreError, TimeoutError):
    """No answer came within the time allowed; for a write the outcome is unknown."""

    retriable = True


class PoolTimeoutError(OperationTimeoutError):
    """No connection, or no turn, became free within ``pool_timeout_seconds``: nothing was sent.

    The message says what was waited for, ``hint`` which options bound it.
    """


class QueryError(AgentStoreError):
    """The server refused a statement.

    ``code`` and ``name`` are ClickHouse's (60, ``UNKNOWN_TABLE``); ``query_id`` finds it in the server's log.
    """

    def __init__(self, message: str, *, code: int = 0, name: str = "", query_id: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.name = name
        self.query_id = query_id
        self.retriable = code in RETRIABLE_CODES


# Server-side conditions that pass: timeouts, too many queries or parts, memory pressure, replica and keeper trouble.
RETRIABLE_CODES = frozenset(
    {
        159,
        173,
        198,
        202,
        203,
        209,
        210,
        225,
        236,
        241,
        242,
        243,
        252,
        279,
        285,
        286,
        289,
        319,
        425,
        439,
        473,
        499,
        745,
        999,
    }
)


class WriteError(AgentStoreError):
    """Rows of one call are not known to be stored.

    ``table`` names the table, ``keys`` the sort keys of the rows concerned, as tuples in the table's key order.
    ``others`` are the errors of the same call for other tables.
    ``__cause__`` holds the reason, ``hint`` is the reason's. Writing the same records again is always safe.
    """

    def __init__(
        self,
        message: str,
        *,
        table: str = "",
        keys: Sequence[tuple[Any, ...]] = (),
        retriable: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.table = table
        self.keys = tuple(keys)
        self.retriable = retriable
        self.others: tuple[WriteError, ...] = ()

    @classmethod
    def joined(cls, errors: Sequence[WriteError]) -> WriteError:
        """One error for one call: its keys are those of the first error's table, ``others`` hold the other tables'."""
        by_table: dict[str, list[WriteError]] = {}
        for error in errors:
            by_table.setdefault(error.table, []).append(error)
        first, *others = [cls._of_one_table(group) for group in by_table.values()]
        first.others = tuple(others)
        return first

    @classmethod
    def _of_one_table(cls, group: Sequence[WriteError]) -> WriteError:
        if len(group) == 1:
            return group[0]
        keys = [key for error in group for key in error.keys]
        cause = group[0].__cause__
        reason = cause if isinstance(cause, AgentStoreError) else group[0]
        error = cls(
            f"{len(keys)} rows of {group[0].table} are not known to be stored: {reason.message}",
            table=group[0].table,
            keys=keys,
            retriable=any(error.retriable for error in group),
            hint=reason.hint,
        )
        error.__cause__ = group[0].__cause__
        return error


class SessionPurgedError(WriteError):
    """Sessions of the call were purged: nothing of the call was stored. ``session_ids`` names them.

    ``store.restore_sessions(org_id, session_ids)`` lets them be written again.
    """

    def __init__(self, message: str, *, session_ids: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, table="sessions", hint=hint)
        self.session_ids = tuple(session_ids)
