"""Long sessions in parts: an outline of all messages without their texts, windows with texts that are cut, the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.models import CutText, Message, MessageOutline, SessionWindow, TextKind, TextPart, ToolCall
from agentstore.protocols import Columns, Executor
from agentstore.read.building import build_in_slices
from agentstore.read.concurrent import gather_both
from agentstore.read.conditions import text
from agentstore.read.decoding import selection
from agentstore.read.floors import above_floor
from agentstore.read.lanes import ReadLanes
from agentstore.read.messages import constants, whole_number
from agentstore.read.threads import ONE_THREAD
from agentstore.read.versions import VERSION

# More characters than a text has: the server has no larger numbers for their places.
_MOST = 2**32
# How many calls, how many failed, how long their results are.
_TOLD_OF_CALLS = 3
# A window of so many ordinals is read by one thread.
_FEW = 200
_OUTLINE_FIELDS = MessageOutline.__struct_fields__


@dataclass(frozen=True)
class _Held:
    """Records with texts that may be cut: their table and the rest of its key; the columns of the texts, by part.

    ``also`` is what is asked beside the fields.
    """

    record: type[Message] | type[ToolCall]
    table: Sql
    key: tuple[str, ...]
    texts: dict[TextKind, str]
    also: tuple[Sql, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name for name in self.record.__struct_fields__ if name not in ("org_id", "session_id"))


_MESSAGES = _Held(Message, sql("messages"), ("ordinal",), {"content": "content", "usage": "token_usage"}, (VERSION,))
_CALLS = _Held(
    ToolCall,
    sql("tool_calls"),
    ("message_ordinal", "tool_use_id", "call_index"),
    {"input": "input_json", "result": "result_content"},
)


class WindowReads(ReadLanes):
    """Reads about parts of a session."""

    async def session_outline(self, org_id: str, session_id: str) -> list[MessageOutline]:
        """All messages of a session by ordinal, without their texts, which are not read; of an unknown session none.

        With them goes how many tool calls each has, how many of these failed, and how long the results are together.
        It is what windows are chosen by, and where a message is found again by its ``source_id`` after the session was
        written anew.
        """
        own = sql(
            "PREWHERE org_id = {org_id} AND session_id = {session_id} WHERE {seen}",
            org_id=text(org_id, "org_id"),
            session_id=text(session_id, "session_id"),
            seen=above_floor(org_id, session_id),
        )
        found = await self._open_pool.fetch(
            sql(
                # Beside each other, and put together here: a join takes longer to plan than both to read.
                "SELECT true AS said, ordinal, toString(role), toUnixTimestamp64Micro(timestamp), toString(model),"
                " content_length, has_thinking, has_tool_use, source_id, 0 AS calls, 0 AS errors, 0 AS results"
                " FROM messages FINAL {own} UNION ALL"
                " SELECT false, message_ordinal, '', 0, '', 0, false, false, '', count(), countIf(is_error),"
                " sum(ifNull(result_content_length, 0)) FROM tool_calls FINAL {own} GROUP BY message_ordinal",
                own=own,
            ),
            ONE_THREAD,
        )
        columns = await _outlines(found)
        return await build_in_slices(MessageOutline, columns, time_columns=[_OUTLINE_FIELDS.index("timestamp")])

    async def session_window(
        self,
        org_id: str,
        session_id: str,
        *,
        first_ordinal: int,
        last_ordinal: int,
        max_characters: int | None = 4000,
    ) -> SessionWindow:
        """The messages with these ordinals, both ends included, and the tool calls of these ordinals.

        Of each text the server sends the first ``max_characters`` characters; None asks for all of them. ``cut`` says
        which texts are longer, and how long. Messages and calls come as from ``get_session_messages`` and
        ``get_session_tool_calls``, by two statements at once.
        """
        pool, organisation, id = self._open_pool, text(org_id, "org_id"), text(session_id, "session_id")
        span = (whole_number(first_ordinal, "first_ordinal"), whole_number(last_ordinal, "last_ordinal"))
        most = None if max_characters is None else _count(max_characters, "max_characters")
        (messages, cut, versions), (calls, also_cut, _) = await gather_both(
            lambda: _window(pool, _MESSAGES, organisation, id, span, most),
            lambda: _window(pool, _CALLS, organisation, id, span, most),
        )
        return SessionWindow(messages, calls, [*cut, *also_cut], versions)

    async def message_text(
        self,
        org_id: str,
        session_id: str,
        ordinal: int,
        *,
        tool_use_id: str = "",
        call_index: int = 0,
        part: TextKind = "content",
        first: int = 0,
        characters: int = 100_000,
    ) -> TextPart:
        """At most so many characters of one text, from the character ``first`` on, which is 0 for the first one.

        ``part`` is "content" or "usage" of the message; or "input" or "result" of its tool call, which ``tool_use_id``
        and ``call_index`` tell. Behind the end of a text there is "". Where there is no such message or call, or no
        result yet, this is ``NotFoundError``.
        """
        pool = self._open_pool
        held = _held(part)
        key = _key(held, part, ordinal, tool_use_id, call_index)
        begin, length = _count(first, "first"), _count(characters, "characters")
        column = identifier(held.texts[part])
        columns = await pool.fetch(
            sql(
                "SELECT substringUTF8({column}, {begin}, {length}), lengthUTF8({column}), {missing}"
                " FROM {table} FINAL PREWHERE org_id = {org_id} AND session_id = {session_id} AND {key} WHERE {seen}",
                column=column,
                begin=begin + 1,
                length=length,
                missing=sql("result_content_length IS NULL" if part == "result" else "false"),
                table=held.table,
                org_id=text(org_id, "org_id"),
                session_id=text(session_id, "session_id"),
                key=join(" AND ", [sql("{name} = {value}", name=identifier(n), value=v) for n, v in key.items()]),
                seen=above_floor(org_id, session_id),
            )
        )
        for found, total, is_missing in zip(*columns, strict=True):
            if total or not is_missing:
                return TextPart(found, first, total)
        named = ", ".join(f"{name} {value!r}" for name, value in key.items())
        raise NotFoundError(f"no {part} of {named} in session {session_id!r}, organisation {org_id!r}")


async def _outlines(found: Columns) -> Columns:
    """The fields of the messages by ordinal, with what is told of the calls of the same ordinal."""
    if not found:
        return []
    said, ordinals, *fields = found
    calls = {ordinal: place for place, ordinal in enumerate(ordinals) if not said[place]}
    order = sorted((place for place, is_message in enumerate(said) if is_message), key=ordinals.__getitem__)
    columns: Columns = [tuple(ordinals[place] for place in order)]
    for column in fields[:-_TOLD_OF_CALLS]:
        columns.append(tuple(column[place] for place in order))
        await asyncio.sleep(0)  # a session may have tens of thousands of messages
    places = [calls.get(ordinal) for ordinal in columns[0]]
    told = fields[-_TOLD_OF_CALLS:]
    return columns + [tuple(0 if place is None else column[place] for place in places) for column in told]


async def _window(
    pool: Executor, held: _Held, org_id: str, session_id: str, span: tuple[int, int], most: int | None
) -> tuple[list[Any], list[CutText], list[Any]]:
    """The records of these ordinals, which of their texts are cut, and what is asked also, of each record."""
    columns = await pool.fetch(
        sql(
            # First by the key alone: where most sessions are short the server keeps no ordinals in its index, and would
            # read all texts of this one.
            "SELECT {columns} FROM {table} FINAL PREWHERE org_id = {org_id} AND session_id = {session_id}"
            " AND {ordinal} BETWEEN {first} AND {last} WHERE {seen} ORDER BY {key}",
            columns=join(", ", [_cut_columns(held, most), *held.also]),
            table=held.table,
            org_id=org_id,
            session_id=session_id,
            ordinal=identifier(held.key[0]),
            first=span[0],
            last=span[1],
            seen=above_floor(org_id, session_id),
            key=join(", ", map(identifier, held.key)),
        ),
        ONE_THREAD if span[1] - span[0] < _FEW else None,
    )
    lengths = columns[len(held.fields) : len(columns) - len(held.also)]
    cut = [] if most is None or not columns else list(_cut(held, columns, lengths, most))
    _, time_columns = selection(held.record.__struct_fields__)
    records: list[Any] = await build_in_slices(
        held.record,
        columns[: len(held.fields)],
        time_columns=time_columns,
        constants=constants(held.record, org_id, session_id),
    )
    return records, cut, [one for column in columns[len(columns) - len(held.also) :] for one in column]


def _cut_columns(held: _Held, most: int | None) -> Sql:
    """The fields, and where texts are cut also how long each was, in the order of the parts."""
    if most is None:
        return selection(held.fields)[0]
    texts = held.texts.values()
    fields: list[Sql] = []
    for name in held.fields:
        beginning = sql("substringUTF8({name}, 1, {most})", name=identifier(name), most=most)
        fields.append(beginning if name in texts else selection((name,))[0])
    return join(", ", [*fields, *(sql("lengthUTF8({name})", name=identifier(name)) for name in texts)])


def _cut(held: _Held, columns: Columns, lengths: Columns, most: int) -> Iterator[CutText]:
    """What of the rows is cut, in their order."""
    keys = zip(*(columns[held.fields.index(name)] for name in held.key), strict=True)
    for (ordinal, *call), *totals in zip(keys, *lengths, strict=True):
        tool_use_id, call_index = call or ("", 0)
        for part, total in zip(held.texts, totals, strict=True):
            if total > most:
                yield CutText(ordinal, part, tool_use_id, call_index, total)


def _held(part: TextKind) -> _Held:
    if part not in get_args(TextKind):
        raise InvalidArgumentError(f"part: expected one of {', '.join(get_args(TextKind))}, got {part!r}", field="part")
    return _MESSAGES if part in _MESSAGES.texts else _CALLS


def _key(held: _Held, part: TextKind, ordinal: int, tool_use_id: str, call_index: int) -> dict[str, Any]:
    """The key of the row that has the text, after the session."""
    of_message = {"ordinal": whole_number(ordinal, "ordinal")}
    of_call = {
        "tool_use_id": text(tool_use_id, "tool_use_id"),
        "call_index": whole_number(call_index, "call_index"),
    }
    if held.record is ToolCall:
        return dict(zip(held.key, (ordinal, *of_call.values()), strict=True))
    for name, value in of_call.items():
        if value:
            raise InvalidArgumentError(f"{name}: {part!r} is a text of the message, not of a call", field=name)
    return of_message


def _count(value: int, name: str) -> int:
    """A number of characters, no larger than the server can compare with."""
    if whole_number(value, name) < 0:
        raise InvalidArgumentError(f"{name}: expected 0 or more, got {value!r}", field=name)
    return min(value, _MOST)
