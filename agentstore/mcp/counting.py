"""``usage``: how much, and at what price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentstore.faces.money import count, dollars, short_count
from agentstore.mcp.asking import Usage, limited
from agentstore.mcp.quoting import Quotation, answer, cut
from agentstore.mcp.scope import dates, scope_of

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, CostRow
    from agentstore.mcp.holding import Holder
    from agentstore.mcp.scope import Scope


async def usage(holder: Holder, asked: Usage) -> str:
    """Tokens and list prices by what was asked for."""
    store = await holder.store()
    scope = await scope_of(holder, store, asked.project)
    limit = limited(asked.limit, "limit", 1, 50)
    named = await _named(holder, store, scope)
    if named is None:
        return f"No session in {scope.name}.{scope.widening}"
    found = await store.cost_by(holder.org, asked.by, limit=limit, **named, **dates(holder, asked.since, asked.until))
    if not found.rows:
        return f"Nothing was used in {scope.name} then.{scope.widening}"
    quotation = Quotation()
    for row in found.rows:
        quotation.own(_line(row))
        quotation.quoted_line(cut(" ".join(filter(None, [row.key, row.name])), 80) or "(none)")
    prices = f"list prices of {found.prices_date}" if found.prices_date else "list prices"
    about = f"All of {scope.name}: {_line(found.total)}; {prices}. By {asked.by}, names quoted:"
    unpriced = f"{len(found.unpriced)} models have no known price." if found.unpriced else ""
    more = f"Only the first {limit} are shown." if len(found.rows) == limit else ""
    return answer(about, quotation, " ".join(filter(None, [unpriced, more, scope.widening.strip()])))


async def _named(holder: Holder, store: AsyncClickHouseStore, scope: Scope) -> dict[str, Any] | None:
    """The scope as statistics know it: by the project's name; None where the store does not know the project."""
    if "project_id" not in scope.fields:
        return scope.fields
    names = [one.name for one in await store.list_projects(holder.org) if one.id == scope.fields["project_id"]]
    return {"project_name": names[0]} if names else None


def _line(row: CostRow) -> str:
    given = f"{short_count(row.input_tokens)} in, {short_count(row.cache_read_tokens)} cached"
    made = f"{short_count(row.output_tokens)} out, {count(row.responses)} responses"
    return f"{dollars(row.cost_nanodollars)}, {given}, {made}"
