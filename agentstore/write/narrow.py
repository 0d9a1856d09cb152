"""The narrow copies of ddl/0011: which table each is made of, its key, and what finds a session's rows in it. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agentstore.connection.sql import Sql, identifier, join, of_package, sql
from agentstore.schema.plan import load_migrations
from agentstore.write.rows import GIT_LINKS, MESSAGES, SESSIONS, TOOL_CALLS, Table

_VIEW = re.compile(
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<view>\w+)\s+TO \w+ AS\s+SELECT (?P<columns>.+)\s+FROM \w+", re.DOTALL
)
_MARKS = re.compile(r"'(?:[^'\\]|\\.|'')*'|[(),\[\]]")
# The column that holds the hash of a session's id.
_SESSION = "session"


@dataclass(frozen=True, slots=True)
class Narrow:
    """A copy, filled by its view: the table of its rows, and its sort key after org_id; the session comes first."""

    name: str
    of: Table
    key: tuple[str, ...]

    @property
    def view(self) -> str:
        """The view that fills it."""
        return f"{self.name}_view"

    @property
    def columns(self) -> Mapping[str, Sql]:
        """What makes its row of a row of the table, as its view has it: each expression with its name, in order."""
        return _columns()[self.view]

    @property
    def row(self) -> Sql:
        """All of them, to be selected from the table."""
        return join(", ", self.columns.values())

    @property
    def row_key(self) -> Sql:
        """Its key with org_id, to be selected from the table."""
        return join(", ", (self.columns[name] for name in ("org_id", *self.key)))

    @property
    def session(self) -> Sql:
        """The column that says which session a row is of: its id, or the hash of it."""
        return identifier(self.key[0])

    def of_sessions(self, ids: Sequence[str]) -> Sql:
        """The condition on its rows that they are of one of these sessions; its key finds them."""
        return sql("{session} IN {named}", session=self.session, named=self.named(ids))

    def named(self, ids: Sequence[str]) -> Sql:
        """What its column has for these sessions, as an array in their order."""
        if self.key[0] == _SESSION:
            return sql("arrayMap(id -> reinterpretAsUInt128(sipHash128(id)), {ids})", ids=list(ids))
        return sql("{ids}", ids=list(ids))


NARROW = (
    Narrow("message_facts", MESSAGES, (_SESSION, "ordinal")),
    Narrow("tool_call_facts", TOOL_CALLS, (_SESSION, "message_ordinal", "call")),
    Narrow("git_link_facts", GIT_LINKS, (_SESSION, "link")),
    Narrow("session_facts", SESSIONS, (_SESSION,)),
    Narrow("session_rows", SESSIONS, ("id",)),
)


def copies_of(table: Table) -> tuple[Narrow, ...]:
    """The copies that are made of a table."""
    return tuple(copy for copy in NARROW if copy.of is table)


@functools.cache
def _columns() -> Mapping[str, Mapping[str, Sql]]:
    """What each view selects, as its migration says: written once, for the view and for who does its work again."""
    found = {}
    for migration in load_migrations():
        for statement in migration.statements():
            if match := _VIEW.fullmatch(statement.text):
                found[match["view"]] = {one.text.split()[-1]: one for one in _split(match["columns"])}
    return found


def _split(columns: str) -> Iterator[Sql]:
    """At the commas between them, not at those within brackets or quotes."""
    depth = start = 0
    for found in _MARKS.finditer(f"{columns},"):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(found[0], 0)
        if found[0] == "," and not depth:
            yield of_package(columns[start : found.start()].strip())
            start = found.end()
