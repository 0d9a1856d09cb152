"""What responses cost, in one statement. Pure.

Responses are put together by what decides about their price: model, tier of service, the price's day, the level of
input, the part of the day. Of each such group only the sums of tokens are left, so that prices are joined to few rows.
All is whole numbers: tokens in 128 bits, times picodollars in 256.

The steps: ``_rows``, ``_groups`` (each API response once), ``_paid`` (by whom, and when for certain), ``_priced``.
"""

from __future__ import annotations

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.filters import AnalyticsFilter
from agentstore.read.dates import zone
from agentstore.read.price_rows_sql import ALWAYS_DAY, Prices, chains, changes, is_listed, names_of
from agentstore.read.responses import of_rows_or_largest, several
from agentstore.read.totals import OfSessions, payers, spending_sessions, spent_rows

# What a row is of: a key and a model, or one of the two.
OF_BOTH, OF_KEY, OF_MODEL = 0, 1, 2

_EVERY = sql("1")
_STARTED = sql("started_at IS NOT NULL")
_KEYS = {
    "agent": sql("agent_type"),
    "model": sql("model"),
    "project": sql("project_name"),
    "session": sql("root"),
    "user": sql("user_id"),
}
KEYS = (*_KEYS, "day")
_NAMES = {"session": sql("title"), "user": sql("user_name")}

# As ``list_users`` has it.
_NAMED = sql("(itself, ifNull(toUnixTimestamp64Micro(started_at), {never}), root)", never=-(2**62))

# What a response has of everything that has a price, and the price of which kind that is.
_PRICED = {
    "input": "input",
    "read": "cache_read",
    "short_write": "cache_write",
    "long_write": "cache_write_1h",
    "said": "output",
    "thought": "reasoning",
    "searches": "web_search",
    "responses": "request",
}
# Which of a source's rows decides: as in ``token_usage_by_model`` that with the most output, then with the largest
# context, of those with output or a model; others come after them.
_SIZE = sql(
    "if(output_tokens > 0 OR model != '', bitShiftLeft(toUInt128(least(output_tokens, {most})), 64)"
    " + context_tokens + {half}, toUInt128(bitShiftRight(context_tokens, 1)))",
    most=2**64 - 2,
    half=2**63,
)
_REPORTED = identifier("reported")
_SUMMED = [identifier(name) for name in (*_PRICED, "reported") if name != "responses"]


def cost_statement(org_id: str, key: str, filter: AnalyticsFilter, prices: Prices) -> Sql:
    """Rows of kind, key, model, the key's name, and then ``_TOTALS``."""
    return sql(
        "WITH {prices} SELECT {kind}, key, model, {name}, {totals} FROM ({priced}) GROUP BY key, model",
        prices=_prices(prices),
        kind=OF_BOTH,
        name=_NAME,
        totals=_TOTALS,
        priced=_priced(_paid(org_id, key, filter, prices)),
    )


def cost_of_sessions(org_id: str, filter: AnalyticsFilter, prices: Prices, limit: int) -> Sql:
    """The same for the most expensive sessions alone, which may be many, and rows of all models beside them."""
    return sql(
        "WITH {prices} SELECT of.1 AS kind, of.2, of.3 AS its_model, {name}, {totals} FROM ({priced})"
        " ARRAY JOIN [({of_key}, key, ''), ({of_model}, '', model)] AS of GROUP BY of"
        " HAVING kind = {of_model} OR picodollars_of + {amounts} > 0"
        " ORDER BY kind, picodollars_of DESC, of.2 LIMIT {limit} BY kind, its_model",
        prices=_prices(prices),
        name=_NAME,
        totals=_TOTALS,
        priced=_priced(_paid(org_id, "session", filter, prices)),
        amounts=join(" + ", [sql("sum({one})", one=one) for one in _SUMMED]),
        of_key=OF_KEY,
        of_model=OF_MODEL,
        limit=limit,
    )


def _rows(org_id: str, filter: AnalyticsFilter) -> Sql:
    """The rows that count, each with its amounts, and its source where another row may be of it (``several``).

    ``short_write`` and ``long_write`` are what was written to caches for five minutes and for an hour, ``thought`` is
    the part of the output that nobody sees, ``said`` the rest.
    """
    return sql(
        "WITH least(cache_write_tokens, cache_write_1h_tokens) AS hour,"
        " least(output_tokens, reasoning_tokens) AS unseen"
        " SELECT {several} AS several, session AS of_session, model AS of_model, service_tier AS of_tier,"
        " timestamp AS at, {size} AS size,"
        " input_tokens AS input, cache_read_tokens AS read, toUInt64(cache_write_tokens - hour) AS short_write,"
        " hour AS long_write, toUInt64(output_tokens - unseen) AS said, unseen AS thought, web_searches AS searches,"
        " reported_cost_nanodollars AS reported,"
        " roundDown(toUInt64(least(toUInt128(input_tokens) + cache_read_tokens + cache_write_tokens, {most})), known.2)"
        " AS of_level"
        " FROM ({rows}) WHERE model != '' OR greatest(output_tokens, input_tokens, cache_read_tokens,"
        " cache_write_tokens, reported_cost_nanodollars, web_searches) > 0",
        size=_SIZE,
        most=2**64 - 1,
        several=_several(org_id, filter),
        rows=spent_rows(org_id, filter, sql("message_facts"), sql("ordinal")),
    )


def _several(org_id: str, filter: AnalyticsFilter) -> Sql:
    if isinstance(filter, OfSessions):  # a few of them: no other rows need be looked at
        return several(org_id, sql("session IN ({counted})", counted=spending_sessions(org_id, filter)))
    return several(org_id)


def _groups(org_id: str, filter: AnalyticsFilter, *, by_session: bool) -> Sql:
    """Responses put together by what decides about their price, and by session, where it is asked for.

    Nearly all sources have one row: those of a group are summed up. Each of the others is a group by itself, of whose
    rows that with the most output counts, as in ``token_usage_by_model``; it came when the first of them did.
    """
    # What has no time of its own has its session's.
    session = sql("of_session") if by_session else sql("if(at IS NULL, of_session, toUInt128(0))")
    keyed = sql(
        "SELECT *, several != 0 AS again, if(again, toUInt128(0), {session}) AS one_session,"
        " if(again, '', of_model) AS one_model, if(again, '', of_tier) AS one_tier, if(again, 0, {day}) AS one_day,"
        " if(again, 0, of_level) AS one_level, if(again, 0, {part}) AS one_part FROM ({rows})",
        session=session,
        day=_day(sql("at")),
        part=_part_of(sql("at")),
        rows=_rows(org_id, filter),
    )
    largest = {
        name: sql("argMaxIf({of}, size, again)", of=identifier(f"of_{name}"))
        for name in ("session", "model", "tier", "level")
    }
    first = sql("minIf(at, again)")
    return sql(
        "SELECT if(several = 0, one_session, {session}) AS session,"
        " toString(if(several = 0, one_model, {model})) AS model,"
        " toString(if(several = 0, one_tier, {tier})) AS its_tier,"
        " if(several = 0, one_day, {day}) AS its_day, if(several = 0, one_level, {level}) AS level,"
        " if(several = 0, one_part, {part}) AS its_part, if(several = 0, count(), 1) AS responses, {sums}"
        " FROM ({keyed}) AS r GROUP BY several, one_session, one_model, one_tier, one_day, one_level, one_part",
        **largest,
        day=_day(first),
        part=_part_of(first),
        sums=join(", ", [_sum_or_largest(one) for one in _SUMMED]),
        keyed=keyed,
    )


def _sum_or_largest(amount: Sql) -> Sql:
    if amount.text == _REPORTED.text:  # which may stand in any one of the rows
        return sql("if(several = 0, sum(toUInt128(r.reported)), maxIf(r.reported, again)) AS reported")
    its = sql("r.{one}", one=amount)
    return sql("{amount} AS {one}", amount=of_rows_or_largest(its, sql("size")), one=amount)


def _paid(org_id: str, key: str, filter: AnalyticsFilter, prices: Prices) -> Sql:
    """The groups with the key that they count for. What says no time came when its session began.

    What has no time at all, nor its session, pays what was always paid (``prices/own.py`` for one's own).
    """
    by_day = key == "day"
    return sql(
        "SELECT {key} AS key, {name} AS name, {named} AS named, model, if(its_tier IN {tiers}, its_tier, '') AS tier,"
        " coalesce(its_day, {day}, {always}) AS day, ifNull(its_part, ifNull({part}, 0)) AS part, level,"
        " responses, {sums}"
        " FROM ({groups}) AS g {join} JOIN ({payers}) AS s ON s.session = g.session",
        join=sql("LEFT" if key == "model" else "INNER"),
        key=_local_day(filter) if by_day else _KEYS[key],
        name=_NAMES.get(key, sql("''")),
        named=_NAMED if key in _NAMES else sql("(0, 0, '')"),
        tiers=prices.tiers,
        day=_day(sql("started_at")),
        always=ALWAYS_DAY,
        part=_part_of(sql("started_at")),
        sums=join(", ", _SUMMED),
        groups=_groups(org_id, filter, by_session=key != "model"),
        payers=payers(org_id, filter, _STARTED if by_day else _EVERY),
    )


def _priced(paid: Sql) -> Sql:
    """The groups with their prices, each kind's at the place of the level and the part of the day."""
    products = [
        sql("p.{kind}[place] * toUInt256(g.{amount})", kind=identifier(kind), amount=identifier(amount))
        for amount, kind in _PRICED.items()
    ]
    return sql(
        "SELECT g.*, notEmpty(p.levels) AS is_priced, if({listed}, p.edition, 0) AS list_edition,"
        " if(list_edition = 0, 0, p.prices_date) AS list_date,"
        " greatest(1, (arrayCount(one -> one <= g.part, p.day_parts) - 1) * length(p.levels)"
        " + arrayCount(one -> one <= g.level, p.levels)) AS place, {cost} AS picodollars"
        " FROM ({paid}) AS g ASOF LEFT JOIN chains AS p"
        " ON g.model = p.model AND g.tier = p.its_tier AND g.day >= p.valid_from",
        listed=is_listed(sql("p.edition")),
        cost=join(" + ", products),
        paid=paid,
    )


def _prices(prices: Prices) -> Sql:
    """``names``, ``chains`` and what is ``known`` of all prices together."""
    return sql(
        "{names}, chains AS ({chains}), {known} AS known",
        names=names_of(prices),
        chains=chains(prices),
        known=changes(prices),
    )


# The name that was the last one, of the session itself rather than of a subagent; and what says which was.
_NAME = sql("argMax(name, named), max(named).1, max(named).2, max(named).3")

# What there is of everything; then responses and tokens without a price; then the latest price table, and its date.
_TOTALS = sql(
    "sum(picodollars) AS picodollars_of, sum(reported), sum(responses), sum(input), sum(read), sum(short_write),"
    " sum(long_write), sum(said), sum(thought), sum(searches),"
    " sumIf(responses, NOT is_priced), sumIf(input, NOT is_priced), sumIf(read, NOT is_priced),"
    " sumIf(short_write + long_write, NOT is_priced), sumIf(said + thought, NOT is_priced),"
    " max(list_edition), max(list_date)",
)


def _local_day(filter: AnalyticsFilter) -> Sql:
    return sql("toString(toDate32(toTimeZone(assumeNotNull(started_at), {tz})))", tz=zone(filter.tz).key)


def _day(moment: Sql) -> Sql:
    """The day, in UTC, of the last change of any price before the moment."""
    return sql("roundDown(toInt32(toDate32({moment})), known.1)", moment=moment)


def _part_of(moment: Sql) -> Sql:
    """The part of the day, where any prices differ by it; else the first."""
    seconds = sql("toHour({moment}) * 3600 + toMinute({moment}) * 60 + toSecond({moment})", moment=moment)
    return sql("if(length(known.3) > 1, roundDown(toUInt32({seconds}), known.3), 0)", seconds=seconds)
