"""A ``SearchQuery`` once it is checked: its terms, and its filters as conditions. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agentstore.connection.sql import Sql
from agentstore.read.conditions import EVERYTHING
from agentstore.read.search.searched_tables import SearchedTable
from agentstore.read.search.tokens import Term

# Shorter texts have no trigram, so the index says nothing about them.
INDEXED_LENGTH = 3


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """What is looked for, all of these terms in one row; and where, in rows of these tables in these sessions.

    ``sessions`` is the condition on the sessions of the organisation. ``filtered``: it leaves only some of them.
    ``own``: the condition on a row of ``floors.with_floors`` that it is a hit of its session, and not another's.
    """

    org_id: str
    terms: tuple[Term, ...]
    sessions: Sql
    tables: tuple[SearchedTable, ...]
    filtered: bool = False
    own: Sql = EVERYTHING

    @property
    def names(self) -> tuple[str, ...]:
        """The tables' names."""
        return tuple(one.name for one in self.tables)

    @property
    def indexed(self) -> tuple[Term, ...]:
        """The terms that an index says something about."""
        return tuple(term for term in self.terms if len(term.text) >= INDEXED_LENGTH)
