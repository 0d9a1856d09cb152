"""Each API response once, though several rows may tell of it: those of one ``source``. Pure.

Of a source with several rows the largest one counts. To group all rows by their source costs more than all the rest,
and hardly one has another row. So rows are summed as they are, and only those that may have another are grouped.
"""

from __future__ import annotations

from agentstore.connection.sql import Sql, sql
from agentstore.read.conditions import text

# The column of an inner SELECT that is its source for a row that may have others, and 0 for all that have none.
SEVERAL = sql("several")
_ALL = sql("1")


def several(org_id: str, among: Sql = _ALL) -> Sql:
    """The expression over ``message_facts`` for ``SEVERAL``; ``among`` are rows with all others that are counted.

    It looks at 32 bits of the source, in all sessions of the organisation: it may take a row for one with others that
    has none. That row is a group by itself, and counts the same.
    """
    return sql(
        "if(toUInt32(source) IN (SELECT toUInt32(source) AS part FROM message_facts FINAL WHERE org_id = {org_id}"
        " AND {among} GROUP BY part HAVING count() > 1), source, toUInt128(0))",
        org_id=text(org_id, "org_id"),
        among=among,
    )


def of_rows_or_largest(amount: Sql, size: Sql) -> Sql:
    """The sum of an amount over a group of rows without others, or that of the largest row of one source."""
    return sql(
        "if({several} = 0, sum(toUInt128({amount})), argMaxIf({amount}, {size}, {several} != 0))",
        several=SEVERAL,
        amount=amount,
        size=size,
    )
