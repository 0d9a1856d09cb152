"""The tables whose texts are searched, and which of their rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agentstore.connection.sql import Sql, identifier, sql
from agentstore.read.conditions import EVERYTHING

# The kind of a row, which tells the two tables apart in a hit's key and sorts a message before its tool calls. Cursors
# hold them: with other numbers the next page of a search that is under way would begin elsewhere.
MESSAGE, TOOL = 0, 1


@dataclass(frozen=True, slots=True)
class SearchedTable:
    """A table whose texts are searched, and the condition on the rows of it that one search is about.

    ``key`` are the columns of a hit's key, without its moment. ``row`` are the columns that identify a row, and
    ``row_of_key`` the same ones by their names in a key. ``columns`` hold the texts.
    """

    name: str
    kind: int
    key: Sql
    row: Sql
    row_of_key: Sql
    columns: tuple[Sql, ...]
    condition: Sql = EVERYTHING

    @property
    def sql_name(self) -> Sql:
        """Its name in a statement."""
        return identifier(self.name)


MESSAGES = SearchedTable(
    "messages",
    MESSAGE,
    # In the types of the other table's columns: the two are put together by UNION ALL, and their keys are compared.
    sql("session_id, ordinal AS position, 0 AS kind, '' AS tool_use_id, toUInt32(0) AS call_index"),
    sql("session_id, ordinal"),
    sql("session_id, position"),
    (sql("content"),),
)
TOOL_CALLS = SearchedTable(
    "tool_calls",
    TOOL,
    sql("session_id, message_ordinal AS position, 1 AS kind, tool_use_id, call_index"),
    sql("session_id, message_ordinal, tool_use_id, call_index"),
    sql("session_id, position, tool_use_id, call_index"),
    (sql("input_json"), sql("result_content")),
)


def searched_tables(role: str, tool_name: str) -> tuple[SearchedTable, ...]:
    """The tables that a search with these filters reads; none where no row can satisfy both."""
    if tool_name:
        named = sql("tool_name = {name}", name=tool_name)
        return (replace(TOOL_CALLS, condition=named),) if role in ("", "tool") else ()
    if role == "tool":
        return (TOOL_CALLS,)
    if role:
        return (replace(MESSAGES, condition=sql("role = {role}", role=role)),)
    return (MESSAGES, TOOL_CALLS)
