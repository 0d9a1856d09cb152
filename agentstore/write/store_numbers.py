"""The number of a store among all that write to one database, so that no two of them draw the same version.

A number is claimed by a row with the store's own token and checked by looking again: of two stores that chose the same
one at the same moment, at least the second sees the first, and chooses another. A claim holds for ``LEASE_SECONDS``,
by the server's clock, and is renewed while the store writes.

Where all numbers are taken (so many stores began to write within ``LEASE_SECONDS``), one is shared.
Between replicas of one database a claim is seen when it is replicated. Two stores that claim within that moment share a
number with a chance of one in ``2 ** ID_BITS``.
"""

from __future__ import annotations

import random
import secrets
from itertools import count

from agentstore.connection.sql import sql
from agentstore.errors import QueryError
from agentstore.protocols import Executor
from agentstore.write.clock import ID_BITS

LEASE_SECONDS = 3600
_TRIES = 8
# A user who may write to the other tables only: a number drawn by chance is the best that is left.
_MAY_NOT = frozenset({164, 497})

_IN_USE = sql("seen > now64(3) - INTERVAL {seconds} SECOND", seconds=LEASE_SECONDS)


async def claim(executor: Executor) -> tuple[int, str]:
    """A number that no other living store has, and the token it is held by."""
    choices = range(1 << ID_BITS)
    for tries in count(1):
        columns = await executor.fetch(sql("SELECT DISTINCT id FROM writers WHERE {in_use}", in_use=_IN_USE))
        taken = set(columns[0]) if columns else set()
        free = [one for one in choices if one not in taken]
        id, token = random.choice(free or choices), secrets.token_hex(8)
        try:
            # Claimed before it is looked at: of two stores that do this at the same moment, one at least sees the
            # other. The other way round neither might.
            await renew(executor, id, token)
        except QueryError as error:
            if error.code in _MAY_NOT:
                # Without a token there is nothing to renew, and `renew` tries nothing.
                return id, ""
            raise
        others = sql(
            "SELECT count() FROM writers WHERE id = {id} AND token != {token} AND {in_use}",
            id=id,
            token=token,
            in_use=_IN_USE,
        )
        if not free or tries == _TRIES or not (await executor.fetch(others))[0][0]:
            return id, token
    raise AssertionError("unreachable")


async def renew(executor: Executor, id: int, token: str) -> None:
    """Hold the number for another ``LEASE_SECONDS``."""
    if token:
        await executor.execute(sql("INSERT INTO writers (id, token) SELECT {id}, {token}", id=id, token=token))
