"""What is asked for to tell what some sessions cost. Pure.

A statement that prices responses itself (``costs_sql.py``) takes the server an eighth of a second to plan, whatever it
is about: right for an organisation, too long for a page of sessions. These are planned in some milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentstore.connection.sql import Sql, sql
from agentstore.prices.row import KINDS
from agentstore.read.conditions import FILLED
from agentstore.read.floors import CONTENT, COPIES, SUBAGENTS
from agentstore.read.keys import keys_of
from agentstore.read.price_rows_sql import Prices, chains, names_of

# More than these are summed up by the server.
MOST_ROWS = 20_000
MOST_SESSIONS = 5_000
# In place of an ordinal, where a row is none of a message.
FLOOR, OWN_ROWS = -1, -2


def payers(org_id: str, ids: Sequence[str], *, own: bool) -> Sql:
    """Session, who pays for it, start in microseconds, title, and whether it is the one that pays.

    Of a session that is deleted the one that pays is "". A subagent has no title.
    """
    named = tuple(ids)
    return sql(
        "SELECT id, id AS payer, toUnixTimestamp64Micro(started_at), display_name, true FROM session_facts FINAL"
        " WHERE org_id = {org_id} AND session IN {keys} AND id IN {ids} AND browsable AND {filled}"
        " UNION ALL SELECT session_id, {payer}, toUnixTimestamp64Micro(started_at), '', false FROM session_floors FINAL"
        " WHERE scope = {scope} AND org_id = {org_id} AND counts AND {payer} IN {ids}"
        " UNION ALL SELECT session_id, '', NULL, '', true FROM session_deletes FINAL"
        " WHERE org_id = {org_id} AND session_id IN {ids}",
        org_id=org_id,
        keys=keys_of(ids),
        ids=named,
        filled=FILLED,
        payer=sql("session_id" if own else "origin_session_id"),
        scope=SUBAGENTS,
    )


def responses(org_id: str, ids: Sequence[str]) -> Sql:
    """Rows of messages with anything to count, in the order of ``Response``; one more than ``MOST_ROWS`` at most.

    Before them what says which of them do not count: a session's ``FLOOR`` is the version of such a row; ``OWN_ROWS``
    begin at its input, less the ordinals in place of a source id. In one statement: a floor that is asked for later may
    be that of a replace in between, and hides rows that are there before it and after.
    """
    return sql(
        "SELECT session_id, multiIf(scope = {content}, {floor}, {own_rows}) AS ordinal, _version,"
        " arrayStringConcat(copied_ordinals, ' '), '', '', NULL, own_from, 0, 0, 0, 0, 0, 0, 0, 0"
        " FROM session_floors FINAL WHERE scope IN ({content}, {copies}) AND org_id = {org_id} AND session_id IN {ids}"
        " UNION ALL SELECT session_id, toInt64(ordinal), _version, source_id, toString(model), toString(service_tier),"
        " toUnixTimestamp64Micro(timestamp), input_tokens, cache_read_tokens, cache_write_tokens,"
        " cache_write_1h_tokens, output_tokens, reasoning_tokens, context_tokens, web_searches,"
        " reported_cost_nanodollars FROM messages FINAL WHERE org_id = {org_id} AND session_id IN {ids}"
        " AND (model != '' OR greatest(output_tokens, input_tokens, cache_read_tokens, cache_write_tokens,"
        " reported_cost_nanodollars, web_searches) > 0) LIMIT {most}",
        content=CONTENT,
        copies=COPIES,
        floor=FLOOR,
        own_rows=OWN_ROWS,
        org_id=org_id,
        ids=tuple(ids),
        most=MOST_ROWS + 1,
    )


def price_chains(prices: Prices) -> Sql:
    """Model, tier, first day, edition, date of the list, levels, parts of the day, and prices by kind."""
    return sql(
        "WITH {names} SELECT model, toString(its_tier), valid_from, edition, prices_date, levels, day_parts, {kinds}"
        " FROM ({chains}) ORDER BY model, its_tier, valid_from",
        names=names_of(prices),
        kinds=sql(", ".join(KINDS)),
        chains=chains(prices),
    )


def sessions_of_their_own(org_id: str, ids: Sequence[str]) -> Sql:
    """Those of these subagents that are none any more."""
    return sql(
        "SELECT id FROM session_facts FINAL"
        " WHERE org_id = {org_id} AND session IN {keys} AND id IN {ids} AND browsable",
        org_id=org_id,
        keys=keys_of(ids),
        ids=tuple(ids),
    )
