"""What a search result shows: the part of the text around the hit, cut on the server, and its session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.models import SearchResult
from agentstore.protocols import Executor
from agentstore.read.concurrent import gather_both
from agentstore.read.cursor import SearchKey
from agentstore.read.decoding import times
from agentstore.read.floors import floor_of_row, moments
from agentstore.read.search import snippet
from agentstore.read.search.hit_keys import after_key, by_table, in_order
from agentstore.read.search.read_settings import SCAN
from agentstore.read.search.searched_tables import MESSAGE, SearchedTable
from agentstore.read.search.term_sql import first_hit
from agentstore.read.search.tokens import Term
from agentstore.read.threads import ONE_THREAD
from agentstore.read.versions import VERSION

_SESSION_FIELDS = ("user_id", "user_name", "project_name", "agent_type", "first_message")
_ROW_COLUMNS = sql(
    "session_id, position, kind, tool_use_id, call_index, role, source_id, version, _source, start, length, around"
)
_SESSION_COLUMNS = sql("moment, user_id, user_name, project_name, agent_type, first_message")


@dataclass(frozen=True, slots=True)
class RowsToOpen:
    """Rows to open: those with these keys, whatever their moment, whose sessions satisfy ``sessions``.

    ``tables`` have the conditions of the search on their rows (role, tool). ``copies``: also rows that another session
    owns. Keys that a search has found are of rows that it may show.
    """

    org_id: str
    terms: Sequence[Term]
    sessions: Sql
    tables: tuple[SearchedTable, ...]
    keys: Sequence[SearchKey]
    copies: bool = True


async def open_rows(
    executor: Executor, rows: RowsToOpen, after: SearchKey | None = None
) -> dict[SearchKey, SearchResult]:
    """A result for each of the rows that holds a term in its newest version, and comes after the key ``after``.

    A row is left out if it was deleted since its key was read, or rewritten and holds no term now. The text itself
    never travels. Texts and sessions are read in one statement; ``open_rows_concurrently`` sends two, and is faster.
    """
    if not rows.keys:
        return {}
    query = sql(
        "SELECT {row}, floor, {session} FROM ({snippets}) AS r INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {after}",
        row=_ROW_COLUMNS,
        session=_SESSION_COLUMNS,
        snippets=_snippets(rows),
        sessions=_sessions_with_floors(rows),
        after=after_key(after),
    )
    columns = await executor.fetch(query, SCAN)
    # In no order: the caller has the keys in order, and looks each one up.
    return dict(_result(rows.terms, row[:13], row[13:]) for row in zip(*columns, strict=True))


async def open_rows_concurrently(
    executor: Executor, rows: RowsToOpen, after: SearchKey | None
) -> dict[SearchKey, SearchResult]:
    """What ``open_rows`` returns, in the order of hits."""
    # The floors are asked in the statement of the texts, not in that of the sessions. That one may be later, and see
    # the floor of a replace that wrote the same rows again: it would hide them, although they are there before and
    # after.
    snippets = sql(
        "SELECT {row}, {floor} AS floor FROM ({snippets}) WHERE _version >= floor",
        row=_ROW_COLUMNS,
        floor=floor_of_row(rows.org_id, among=sql("session_id IN {ids}", ids=_session_ids(rows))),
        snippets=_snippets(rows),
    )
    # What another session owns is left out here: who owns a row is told by this statement for all sessions at once.
    sessions = sql(
        "SELECT id, own_from, copied_ordinals, moment, {shown} FROM ({sessions})",
        shown=_column_list(_SESSION_FIELDS),
        sessions=_sessions_with_floors(rows),
    )
    texts, of_sessions = await gather_both(
        lambda: executor.fetch(snippets, SCAN), lambda: executor.fetch(sessions, ONE_THREAD)
    )
    by_id = {id: session for id, *session in zip(*of_sessions, strict=True)}
    # A row whose session is not among them is no hit: it was deleted, or the filters leave it out.
    found = dict(
        _result(rows.terms, row, by_id[row[0]][2:])
        for row in zip(*texts, strict=True)
        if row[0] in by_id and (rows.copies or _is_own(row[1], *by_id[row[0]][:2]))
    )
    # Texts and moments meet only here, so the server could neither sort the rows nor leave out those of earlier pages.
    return {key: found[key] for key in in_order(found) if after is None or in_order((key, after))[0] == after != key}


def _is_own(position: int, own_from: int, copied: Sequence[int]) -> bool:
    """``floors.owned``, of a row that is here."""
    return position >= own_from and position not in copied


def _result(terms: Sequence[Term], row: Sequence[Any], session: Sequence[Any]) -> tuple[SearchKey, SearchResult]:
    session_id, position, kind, tool_use_id, call_index, role, *of_message, start, length, around, floor = row
    source_id, version, source = of_message
    moment, *shown = session
    text, highlights = snippet.assemble(around, start, length, terms)
    result = SearchResult(
        session_id=session_id,
        ordinal=position,
        role=role,
        # ``source`` is when the message that has the id was written. Below the floor a replace has taken it away.
        source_id=source_id if source >= floor else "",
        version=version if source >= floor else "",
        started_at=times([moment])[0],
        snippet=text,
        highlights=highlights,
        **dict(zip(_SESSION_FIELDS, shown, strict=True)),
    )
    return (moment, session_id, position, kind, tool_use_id, call_index), result


def _sessions_with_floors(rows: RowsToOpen) -> Sql:
    """What is shown of the sessions, with their id and floor."""
    return moments(rows.org_id, rows.sessions, also=_column_list(_SESSION_FIELDS), ids=_session_ids(rows))


def _column_list(columns: Sequence[str]) -> Sql:
    return join(", ", map(identifier, columns))


def _session_ids(rows: RowsToOpen) -> tuple[str, ...]:
    return tuple({key[1] for key in rows.keys})


def _snippets(rows: RowsToOpen) -> Sql:
    """Of each row its key and version, its role, and source id and versions of its message (``_source`` is that of the
    row); where the snippet starts, the text's length, and the snippet with one code point more on each side.
    """
    # ``toInt64``: for a hit near the start the difference is below 0, and of unsigned numbers it would be a huge one.
    # The space stands for the code point before the text, so that every snippet has a neighbour on its left.
    texts = [_texts(rows, table, keys) for table, keys in by_table(rows.tables, rows.keys)]
    return sql(
        "WITH toInt64({hit}) AS hit, toInt64(lengthUTF8(text)) AS length,"
        " greatest(least(hit - 1 - {before}, length - {width}), 0) AS start"
        " SELECT session_id, position, kind, tool_use_id, call_index, role, source_id, version, _source, start, length,"
        " substringUTF8(concat(' ', text), start + 1, {width} + 2) AS around, _version FROM ({texts}) WHERE hit > 0",
        hit=first_hit(sql("text"), rows.terms),
        before=snippet.BEFORE,
        width=snippet.LENGTH,
        texts=join(" UNION ALL ", texts),
    )


def _texts(rows: RowsToOpen, table: SearchedTable, keys: tuple[tuple[object, ...], ...]) -> Sql:
    """Key, version, role, source id and versions of the message, and text of the rows.

    The text of a tool call is its input if that holds a term, else its result.
    """
    of_messages = table.kind == MESSAGE
    found = sql(
        "SELECT {key}, _version, {role} AS role, {source} AS source_id, {version} AS version, {written} AS _source,"
        # By the key first: of what stands beside these rows no text is read.
        " {text} AS text FROM {table} FINAL PREWHERE org_id = {org_id} AND ({row}) IN {keys} WHERE {condition}",
        key=table.key,
        role=sql("toString(role)" if of_messages else "'tool'"),
        source=sql("source_id" if of_messages else "''"),
        version=VERSION if of_messages else sql("''"),
        written=sql("_version" if of_messages else "toUInt64(0)"),
        text=sql("content")
        if of_messages
        else sql("if({hit} > 0, input_json, result_content)", hit=first_hit(sql("input_json"), rows.terms)),
        table=table.sql_name,
        org_id=rows.org_id,
        row=table.row,
        keys=keys,
        condition=table.condition,
    )
    return found if of_messages else _with_sources(rows, found, keys)


def _with_sources(rows: RowsToOpen, calls: Sql, keys: tuple[tuple[object, ...], ...]) -> Sql:
    """The tool calls with the source id of the message that made them, and the versions of that message."""
    # The message may be below the session's floor, and in its table until the sweep; ``_result`` looks at that. LEFT
    # ANY JOIN: a call is shown also where its message is not there. First by the key alone: texts of messages that only
    # stand beside these are not read.
    return sql(
        "SELECT c.* REPLACE (m.source_id AS source_id, m.version AS version, m._version AS _source) FROM ({calls}) AS c"
        " LEFT ANY JOIN (SELECT session_id, ordinal, source_id, _version, {version} AS version FROM messages FINAL"
        " PREWHERE org_id = {org_id} AND (session_id, ordinal) IN {messages}) AS m"
        " ON m.session_id = c.session_id AND m.ordinal = c.position",
        calls=calls,
        version=VERSION,
        org_id=rows.org_id,
        messages=tuple({key[:2] for key in keys}),
    )
