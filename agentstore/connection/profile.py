"""Makes a connection's statements mean the same under any profile: see ``needs.py`` for what is asked for.

The settings of a session are those of its user's profile when it was begun. They are learned from the first connection
to a server, and again from the first one that is made ``LEARNED_FOR_SECONDS`` later: asking takes some milliseconds,
most of it for the server to list its settings, and a pool may make many connections. So a profile that is altered
meanwhile is noticed within that time; connections made before keep the settings that they began with, on both sides.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable, Mapping

from agentstore.connection.driver import NativeConnection
from agentstore.connection.known_versions import DatabaseFeature, defects_of, warnings
from agentstore.connection.needs import (
    NEEDS,
    READ_YOUR_WRITES,
    SHIELD,
    UNTOLD,
    Fitted,
    Need,
    Refused,
    answer,
    fit,
    is_answer,
    question,
)
from agentstore.connection.sql import sql
from agentstore.errors import AgentStoreError, ConfigError, QueryError
from agentstore.protocols import Columns
from agentstore.settings import ConnectOptions

logger = logging.getLogger("agentstore")

LEARNED_FOR_SECONDS = 60.0
_MAY_NOT_CHANGE = frozenset({164, 452})  # READONLY, SETTING_CONSTRAINT_VIOLATION
_MAY_NOT_LOOK = frozenset({497})  # ACCESS_DENIED
_SETTING = re.compile(r"\b([a-z]+(?:_[a-z]+)*)'? (?:setting\b|should)")
_HINT = "ask its administrator: ALTER USER … SETTINGS {setting}, or a profile without it"


class Profiles:
    """What one store knows of its servers: what to send along to each, and which versions it has warned about."""

    def __init__(self, options: ConnectOptions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._needs: tuple[Need, ...] = (*NEEDS, *(READ_YOUR_WRITES if options.read_your_writes else ()))
        self._clock = clock
        self._learned: dict[tuple[str, str], tuple[float, Fitted]] = {}
        self._versions: set[str] = set()

    async def fit(self, connection: NativeConnection, where: str, user: str) -> None:
        """Make the connection send what it has to. Where that may not be, ``ConfigError`` names the settings."""
        at, fitted = self._learned.get((where, user), (0.0, None))
        if fitted is None or self._clock() - at > LEARNED_FOR_SECONDS:
            fitted = await self._learn(connection, where, user)
            # Only what was learned: where asking failed, the next connection asks again.
            self._learned[where, user] = self._clock(), fitted
        connection.fitted = fitted

    async def _learn(self, connection: NativeConnection, where: str, user: str) -> Fitted:
        try:
            columns, asked_with = await self._ask(connection)
        except QueryError as error:
            if error.code in _MAY_NOT_CHANGE:
                raise self._told(error, where, user) from error
            if error.code in _MAY_NOT_LOOK:
                logger.debug("cannot look at the settings: %s", error)
                return Fitted()
            raise
        if not is_answer(columns):
            raise ConfigError(f"the server at {where} does not show the user {user!r} its settings")
        version, found = answer(columns)
        fitted, refused = fit(self._needs, found, asked_with)
        if refused:
            raise _refusal(refused, where, user)
        if version not in self._versions:
            # Before the warning, which waits: connections made meanwhile would warn of the same version.
            self._versions.add(version)
            await self._warn(connection, fitted, version)
        return fitted

    async def _ask(self, connection: NativeConnection) -> tuple[Columns, Mapping[str, str]]:
        """The answer, and what had to be sent along for it to come."""
        query, seconds = question(self._needs), self._options.connect_timeout_seconds
        # Nobody has a profile in a local store, and there a setting that is sent costs another statement.
        sent = {} if self._options.local_path else UNTOLD
        with contextlib.suppress(QueryError):
            columns = await connection.fetch(query, sent, seconds)
            if is_answer(columns):
                return columns, sent
        sent = {**UNTOLD, **SHIELD}
        return await connection.fetch(query, sent, seconds), sent

    def _told(self, error: QueryError, where: str, user: str) -> ConfigError:
        """The error where the server refuses the question itself."""
        match = _SETTING.search(error.message)
        need = next((one for one in self._needs if match and one.name == match[1]), None)
        if need is None and match and match[1] in UNTOLD:
            need = Need(match[1], UNTOLD[match[1]], "results would be cut")
        if need is None:
            return ConfigError(f"the settings of user {user!r} at {where} cannot be used: {error.message}")
        needed = _shown(need.value)
        return ConfigError(
            f"the user {user!r} at {where} may not change {need.name}, which has to be {needed}: {need.why}",
            hint=_HINT.format(setting=f"{need.name} = {needed}"),
        )

    async def _warn(self, connection: NativeConnection, fitted: Fitted, version: str) -> None:
        features: list[DatabaseFeature] = []
        if any(one.concerns == "row TTL" for one in defects_of(version)):
            query = sql(
                "SELECT count() FROM system.tables WHERE database = {database} AND name IN ('messages', 'tool_calls')"
                " AND engine_full LIKE '% TTL %'",
                database=self._options.database,
            )
            try:
                columns = await connection.fetch(query, fitted.sent, self._options.connect_timeout_seconds)
            except QueryError as error:
                logger.debug("cannot look for a TTL: %s", error)
            else:
                features = ["row TTL"] if columns[0][0] else []
        for text in warnings(version, features):
            logger.warning("%s", text)


def _refusal(refused: list[Refused], where: str, user: str) -> AgentStoreError:
    said = "; ".join(
        f"{one.need.name} is {_shown(one.found.value)} and has to be {_shown(one.need.value)}: {one.need.why}"
        for one in refused
    )
    needed = ", ".join(f"{one.need.name} = {_shown(one.need.value)}" for one in refused)
    return ConfigError(
        f"the user {user!r} at {where} has settings that it may not change: {said}",
        hint=_HINT.format(setting=needed),
    )


def _shown(value: str) -> str:
    return value if value.replace(".", "", 1).isdigit() else repr(value)
