"""What a session is made of besides its connection, so that a second connection can describe what the first streams.

The engine's blocks leave out the zone of a DateTime, and the end of some columns cannot be found in them; the engine
itself can be asked, but one connection does one thing at a time, and whoever asks it ends its stream.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.engine import Engine
from agentstore.local.sql.quoting import literal
from agentstore.local.sql.statement import Kind, Statement
from agentstore.local.sql.tokens import tokens

# So many SET and USE statements are remembered; a session with more of them is not copied.
MAX_STATEMENTS = 200


class SessionState:
    """Remembers what gave a session its state. ``is_possible`` is False once that cannot be repeated."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._statements: list[str] = []
        self._has_temporary_tables = False

    @property
    def is_possible(self) -> bool:
        return not self._has_temporary_tables and len(self._statements) <= MAX_STATEMENTS

    def remember(self, sql: str) -> None:
        """A statement of the session that changed its settings or its database."""
        # One more than is copied, by which `is_possible` knows that there were too many.
        if len(self._statements) <= MAX_STATEMENTS:
            self._statements.append(sql)

    def watch(self, statement: Statement) -> None:
        """Look whether a statement that was run leaves something behind in the session."""
        first = next(tokens(statement.sql), None)
        if statement.kind is Kind.SET or (first is not None and first.is_word("USE")):
            self.remember(statement.sql)
        elif statement.kind is Kind.OTHER and "temporary" in statement.sql.lower():
            self._has_temporary_tables = True  # or the word means something else: then each SELECT is described first

    def connect(self, settings: Mapping[str, str]) -> EngineConnection:
        """A connection in the same state, with these settings on top. Raises EngineError."""
        connection = self._engine.connect()
        try:
            for sql in self._statements:
                connection.run(sql)
            if settings:
                connection.run("SET " + ", ".join(f"{name} = {literal(value)}" for name, value in settings.items()))
        except BaseException:
            # A half-made copy would describe results by other settings; and nobody else would close it.
            connection.close()
            raise
        return connection
