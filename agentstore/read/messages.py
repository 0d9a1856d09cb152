"""The messages and tool calls of sessions: a page of them, all of a session, or any number in bounded memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import LiteralString

from agentstore.connection.sql import Sql, sql, valid_text
from agentstore.errors import InvalidArgumentError
from agentstore.models import Message, ToolCall
from agentstore.protocols import Columns, Executor
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import text
from agentstore.read.decoding import selection
from agentstore.read.floors import above_floor
from agentstore.read.lanes import ReadLanes
from agentstore.read.slices import Sliced, slices

# org_id and session_id are known: they need not travel with every row.
_MESSAGE_COLUMNS, _MESSAGE_TIMES = selection(Message.__struct_fields__, "org_id", "session_id")
_TOOL_CALL_COLUMNS, _TOOL_CALL_TIMES = selection(ToolCall.__struct_fields__, "org_id", "session_id")
# Of several sessions.
_ANY_MESSAGE_COLUMNS, _ANY_MESSAGE_TIMES = selection(Message.__struct_fields__, "org_id")
_ANY_TOOL_CALL_COLUMNS, _ = selection(ToolCall.__struct_fields__, "org_id")
MESSAGES = Sliced(sql("messages"), _ANY_MESSAGE_COLUMNS, ("ordinal",), sql("length(content) + length(token_usage)"))
TOOL_CALLS = Sliced(
    sql("tool_calls"),
    _ANY_TOOL_CALL_COLUMNS,
    ("message_ordinal", "tool_use_id", "call_index"),
    sql("length(input_json) + length(result_content)"),
)

# Blocks are decoded one column at a time, and each column holds the loop. In smaller blocks than usual it is held for
# less, and a large session is read faster.
_IN_BLOCKS = {"max_block_size": 8192}

# Ordinals have 32 bits, so a session has no more messages. A larger limit is lowered to this: the server would refuse
# one beyond 64 bits.
_LARGEST_LIMIT = 2**32


class MessageReads(ReadLanes):
    """Reads about what sessions hold."""

    async def get_session_messages(
        self,
        org_id: str,
        session_id: str,
        *,
        after_ordinal: int | None = None,
        before_ordinal: int | None = None,
        limit: int | None = None,
    ) -> list[Message]:
        """The messages of a session by ordinal; an unknown session has none.

        ``after_ordinal`` and ``before_ordinal`` are themselves left out. A limit takes the first messages, or with
        ``before_ordinal`` the last ones before it, ascending all the same: a page can grow in both directions. A long
        session is decoded in slices, some milliseconds each, between which other tasks run.
        """
        columns = await self._message_columns(org_id, session_id, after_ordinal, before_ordinal, limit)
        return await build_in_slices(
            Message, columns, time_columns=_MESSAGE_TIMES, constants=constants(Message, org_id, session_id)
        )

    async def _message_columns(
        self, org_id: str, session_id: str, after_ordinal: int | None, before_ordinal: int | None, limit: int | None
    ) -> Columns:
        """The fields of messages without ``org_id`` and ``session_id``; times in microseconds."""
        backwards = before_ordinal is not None
        columns = await self._open_pool.fetch(
            sql(
                # By the key first, here and below: the texts that stand beside these are not read. All versions of a
                # row have one key, so what is left out so is left out whole.
                "SELECT {columns} FROM messages FINAL PREWHERE org_id = {org_id} AND session_id = {session_id}"
                " AND {after} AND {before} WHERE {seen} ORDER BY ordinal {direction} {limit}",
                columns=_MESSAGE_COLUMNS,
                org_id=text(org_id, "org_id"),
                session_id=text(session_id, "session_id"),
                after=_ordinal_condition("ordinal > {value}", after_ordinal, "after_ordinal"),
                before=_ordinal_condition("ordinal < {value}", before_ordinal, "before_ordinal"),
                seen=above_floor(org_id, session_id),
                direction=sql("DESC" if backwards else "ASC"),
                limit=_limit(limit, "messages"),
            ),
            _IN_BLOCKS,
        )
        # Read from the end, where the limit counts, and shown from the start.
        return [column[::-1] for column in columns] if backwards else columns

    async def get_session_tool_calls(
        self, org_id: str, session_id: str, *, after: tuple[int, str, int] | None = None, limit: int | None = None
    ) -> list[ToolCall]:
        """The tool calls of a session by message_ordinal, tool_use_id, call_index; an unknown session has none.

        ``after`` is such a key, of the last call of the page before; the call itself is left out.
        """
        columns = await self._tool_call_columns(org_id, session_id, after, limit)
        return await build_in_slices(
            ToolCall, columns, time_columns=_TOOL_CALL_TIMES, constants=constants(ToolCall, org_id, session_id)
        )

    async def _tool_call_columns(
        self, org_id: str, session_id: str, after: tuple[int, str, int] | None, limit: int | None
    ) -> Columns:
        """The fields of tool calls without ``org_id`` and ``session_id``."""
        return await self._open_pool.fetch(
            sql(
                "SELECT {columns} FROM tool_calls FINAL PREWHERE org_id = {org_id} AND session_id = {session_id}"
                " AND {after} WHERE {seen} ORDER BY message_ordinal, tool_use_id, call_index {limit}",
                columns=_TOOL_CALL_COLUMNS,
                org_id=text(org_id, "org_id"),
                session_id=text(session_id, "session_id"),
                after=_after_call(after),
                seen=above_floor(org_id, session_id),
                limit=_limit(limit, "tool calls"),
            ),
            _IN_BLOCKS,
        )

    def iter_messages(self, org_id: str, session_id: str = "") -> AsyncIterator[Message]:
        """All messages of a session, or ("") of the whole organisation, by session_id and ordinal, in bounded memory.

        Some megabytes of text are held at a time, whatever the number and length of the messages; and what is written
        into a stretch of them just before it is read.
        """
        return _iterate(self._heavy, org_id, session_id)


async def _iterate(executor: Executor, org_id: str, session_id: str) -> AsyncIterator[Message]:
    position = Message.__struct_fields__.index("org_id")
    async with aclosing(slices(executor, org_id, session_id, MESSAGES)) as found:
        async for columns in found:
            for message in await build_in_slices(
                Message, columns, time_columns=_ANY_MESSAGE_TIMES, constants={position: valid_text(org_id)}
            ):
                yield message


def constants(record: type[Message] | type[ToolCall], org_id: str, session_id: str) -> dict[int, str]:
    """What is equal in all rows of a session, by the positions of the fields."""
    fields = record.__struct_fields__
    return {fields.index("org_id"): valid_text(org_id), fields.index("session_id"): valid_text(session_id)}


def whole_number(value: int, name: str) -> int:
    """The value if it is an int, else ``InvalidArgumentError``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgumentError(f"{name}: expected int, got {type(value).__name__}", field=name)
    return value


def _ordinal_condition(condition: LiteralString, ordinal: int | None, name: str) -> Sql:
    return sql("1") if ordinal is None else sql(condition, value=whole_number(ordinal, name))


def _after_call(key: tuple[int, str, int] | None) -> Sql:
    if key is None:
        return sql("1")
    if not isinstance(key, tuple | list) or len(key) != 3:
        raise InvalidArgumentError(
            f"after: expected (message_ordinal, tool_use_id, call_index), got {type(key).__name__}", field="after"
        )
    # Not as one comparison of tuples: the server would not use the sort key, and read the session from its start.
    return sql(
        "message_ordinal >= {ordinal} AND (message_ordinal > {ordinal} OR tool_use_id > {id}"
        " OR (tool_use_id = {id} AND call_index > {index}))",
        ordinal=whole_number(key[0], "after"),
        id=text(key[1], "after"),
        index=whole_number(key[2], "after"),
    )


def _limit(limit: int | None, what: str) -> Sql:
    if limit is None:
        return sql("")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise InvalidArgumentError(f"limit: expected a number of {what}, got {limit!r}", field="limit")
    return sql("LIMIT {limit}", limit=min(limit, _LARGEST_LIMIT))
