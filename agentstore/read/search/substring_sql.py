"""The SQL of a search for a substring: which rows hold it, in the order of hits. Pure."""

from __future__ import annotations

from agentstore.connection.sql import Sql, join, sql
from agentstore.read.cursor import SearchKey
from agentstore.read.floors import moments
from agentstore.read.search import candidates_sql, term_sql
from agentstore.read.search.candidates_sql import Narrowing
from agentstore.read.search.hit_keys import COLUMNS, ORDER, after_key
from agentstore.read.search.parsed_query import ParsedQuery
from agentstore.read.search.searched_tables import SearchedTable


def hits(
    parsed: ParsedQuery,
    sessions: Sql,
    after: SearchKey | None,
    *,
    count: int | None,
    narrowed: Narrowing | None = None,
) -> Sql:
    """The keys, in order, of the hits in the sessions that also satisfy ``sessions``: the first ``count``, or all."""
    # The floors come with the sessions in this same statement. Asked in another one, a replace in between would hide
    # rows that are there before and after it, or show rows that it took away (decision 9).
    scope = sql("{own} AND {more}", own=parsed.sessions, more=sessions)
    return sql(
        "SELECT {columns} FROM ({rows}) AS h INNER JOIN ({sessions}) AS s ON s.id = session_id"
        " WHERE _version >= floor AND {own} AND {after} ORDER BY {order}{limit}",
        columns=COLUMNS,
        rows=join(" UNION ALL ", [_matching_rows(parsed, one, scope, narrowed) for one in parsed.tables]),
        sessions=moments(parsed.org_id, scope),
        own=parsed.own,
        after=after_key(after),
        order=ORDER,
        limit=sql("") if count is None else sql(" LIMIT {count}", count=count),
    )


def _matching_rows(parsed: ParsedQuery, table: SearchedTable, scope: Sql, narrowed: Narrowing | None) -> Sql:
    # In PREWHERE only columns of the sort key, which all versions of a row share: so texts of other rows are not read.
    # A condition on anything else would be asked before FINAL, and an old version would be found in place of the
    # newest.
    return sql(
        "SELECT {key}, _version FROM {table} FINAL PREWHERE org_id = {org_id} AND {among} WHERE {rows} AND {held}",
        key=table.key,
        table=table.sql_name,
        org_id=parsed.org_id,
        among=candidates_sql.row_condition(parsed, table, scope, narrowed),
        rows=table.condition,
        held=term_sql.contains_all_terms(table.columns, parsed.terms),
    )
