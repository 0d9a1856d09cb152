"""Settings that hold for one query, laid over those of the session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol.packets import Setting
from agentstore.local.sql.quoting import literal
from agentstore.local.sql.statement import Kind, Statement

# Not the engine's business. Newer servers send the first along in ``remote()``, and SET refuses it; the second would
# make the engine write its log to this process's stderr, since it has no client to send it to.
_NOT_FOR_SET = ("run_query_in_background", "send_logs_level")

# What the server asks for itself must not depend on what the client has set.
_UNLIMITED = (
    " SETTINGS max_result_rows = 0, max_result_bytes = 0, limit = 0, offset = 0,"
    " use_query_cache = 0, additional_result_filter = ''"
)
PLAIN_DESCRIBE = (
    _UNLIMITED + ", describe_compact_output = 0, describe_include_subcolumns = 0, describe_include_virtual_columns = 0"
)

_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")


class QuerySettings:
    """What the last query's settings were, and what they go back to."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known_settings = frozenset(known)
        self._applied: dict[str, str] = {}
        self._base: dict[str, str] = {}
        self._has_own_settings = False

    @property
    def current(self) -> dict[str, str]:
        """The settings that hold now on top of the session's own."""
        return dict(self._applied)

    def apply(self, connection: EngineConnection, settings: Sequence[Setting], statement: Statement) -> None:
        """Make exactly these settings hold on top of the session's own. Costs nothing when they are those of before."""
        wanted = {
            setting.name: setting.value
            for setting in settings
            if setting.important or setting.name in self._known_settings
        }
        _check_read_only(wanted.pop("readonly", "0"), statement)
        for name in _NOT_FOR_SET:
            wanted.pop(name, None)
        if statement.kind is Kind.SET:
            wanted = {}
            self._has_own_settings = True
        if wanted == self._applied:
            return
        for name in wanted:
            if not _SETTING_NAME.match(name):
                raise EngineError.make(115, "UNKNOWN_SETTING", f"Unknown setting {name!r}")
        gone = [name for name in self._applied if name not in wanted]
        changes = {name: value for name, value in wanted.items() if self._applied.get(name) != value}
        # Before they are changed: afterwards nobody knows what the session had.
        self._look_up_bases(connection, [name for name in changes if name not in self._applied])
        # Before they are set: where that fails half way, all of these are set back.
        self._applied |= changes
        try:
            self._set(connection, self._bases(gone), {name: literal(value) for name, value in changes.items()})
        except EngineError:
            # Some of them may hold already.
            self._set(connection, self._bases(self._applied), {})
            self._applied.clear()
            raise
        for name in gone:
            del self._applied[name]

    def _bases(self, names: Iterable[str]) -> dict[str, str]:
        """What these settings are in the session."""
        return {name: self._base.get(name, "DEFAULT") for name in names}

    def _look_up_bases(self, connection: EngineConnection, names: list[str]) -> None:
        self._base |= dict.fromkeys(names, "DEFAULT")
        if self._has_own_settings and names:
            listed = ", ".join(literal(name) for name in names)
            rows = connection.describe(
                f"SELECT name, value FROM system.settings WHERE changed AND name IN ({listed}){_UNLIMITED}"
            )
            self._base |= {row["name"]: literal(row["value"]) for row in rows}

    def _set(self, connection: EngineConnection, restored: dict[str, str], changes: dict[str, str]) -> None:
        """In one statement: each costs as much as a small query."""
        if "max_query_size" in restored:
            # First and alone, while the statement that lifts it is short enough for it.
            connection.run(f"SET max_query_size = {restored.pop('max_query_size')}")
        everything = restored | changes
        if everything:
            connection.run("SET " + ", ".join(f"{name} = {value}" for name, value in everything.items()))


def _check_read_only(mode: str, statement: Statement) -> None:
    # Not by SET: nothing could be SET any more, so the session could never leave the mode.
    if mode not in ("0", "") and statement.kind not in (Kind.SELECT, Kind.ROWS, Kind.EMPTY):
        raise EngineError.make(164, "READONLY", "Cannot execute query in readonly mode")
