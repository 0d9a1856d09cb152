"""Rows that are stored and not copied (ddl/0011): found, and copied.

A row is stored before the view copies it. Where the server is killed in between, or the statement fails or is cut off
there, its writer sends it again, and then it is copied. Where the writer is killed, too, or its time is up, nobody
does: nobody was told that the row is stored, but it is, and lists would not know of what a transcript shows.

A store that lives long looks for such rows (``sweep.py``). Rows of a call have its version, in the copy as well: of
each version both have the same keys, which are compared as one sum. Where they differ the rows are compared by
themselves: most often one of the two has merged away more of what is superseded. So a look reads the keys of both once
and writes nothing; after its first one a store looks at what is newer than the last only, which the index on versions
finds.

What only a copy has is not looked for: see ``purge.py`` and ``sweep.py`` for how that may come, and ends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.protocols import Executor
from agentstore.write.clock import ARRIVED_AFTER_SECONDS
from agentstore.write.narrow import NARROW, Narrow
from agentstore.write.rows import PURGED

logger = logging.getLogger("agentstore.write")

# Versions and rows in one statement.
_VERSIONS, _ROWS = 5_000, 100_000
# In the background: nobody waits for it.
_ASIDE = {"max_threads": 1}
# Else copies that are lost again would be taken for a block that is known.
_ANEW = {**_ASIDE, "insert_deduplicate": 0}


class Mender:
    """Looks at everything once, and from then on at what is newer than the last look."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._since = 0

    async def mend(self) -> int:
        """Copy what is not copied; how many rows."""
        (now,) = (await self._executor.fetch(sql("SELECT toUInt64(toUnixTimestamp64Nano(now64(9)))")))[0]
        mended = [await mend(self._executor, copy, since=self._since) for copy in NARROW]
        # What was drawn before may arrive until then.
        self._since = max(0, now - int(ARRIVED_AFTER_SECONDS * 1e9))
        return sum(mended)


async def mend(executor: Executor, copy: Narrow, *, since: int = 0) -> int:
    """Copy the rows from this version on that are not in the copy; how many."""
    mended = 0
    columns = await executor.fetch(_unequal(copy, since), _ASIDE)
    for versions in _chunks(list(zip(*columns, strict=True))):
        missing = _missing(copy, versions)
        (count,) = (await executor.fetch(sql("SELECT count() FROM ({missing})", missing=missing), _ASIDE))[0]
        if count:
            statement = sql("INSERT INTO {copy} {missing}", copy=identifier(copy.name), missing=missing)
            await executor.execute(statement, _ANEW)
            logger.info("%d rows of %s were not in %s, and are now", count, copy.of.name, copy.name)
        mended += count
    return mended


def _unequal(copy: Narrow, since: int) -> Sql:
    """The versions of which the table has other keys than its copy, and the number of its rows."""
    return sql(
        "SELECT _version, count FROM (SELECT _version, count() AS count, sum(cityHash64({row_key})) AS keys"
        " FROM {table} WHERE _version >= {since} GROUP BY _version) AS rows"
        " LEFT ANY JOIN (SELECT _version, sum(cityHash64({key})) AS keys"
        " FROM {copy} WHERE _version >= {since} GROUP BY _version) AS copies USING _version"
        " WHERE rows.keys != copies.keys ORDER BY _version",
        row_key=copy.row_key,
        table=identifier(copy.of.name),
        since=since,
        key=_key(copy),
        copy=identifier(copy.name),
    )


def _missing(copy: Narrow, versions: Sequence[int]) -> Sql:
    """Rows of these versions as they are to be copied, without those of which the copy has that version or a newer one.

    Nor those of purged sessions: they may have been erased from the copy a moment ago, and from the table not yet.
    """
    return sql(
        "SELECT {columns} FROM (SELECT {row} FROM {table} WHERE _version IN {versions} AND (_deleted = 1 OR"
        " (org_id, {id}) NOT IN (SELECT org_id, session_id FROM session_floors FINAL WHERE scope = {purged}))) AS rows"
        " LEFT ANY JOIN (SELECT {key}, max(_version) AS copied FROM {copy}"
        " WHERE {session} IN (SELECT {session_of} FROM {table} WHERE _version IN {versions}) GROUP BY {key}) AS copies"
        " USING ({key}) WHERE _version > copied",
        columns=join(", ", map(identifier, copy.columns)),
        row=copy.row,
        table=identifier(copy.of.name),
        versions=tuple(versions),
        id=identifier(copy.of.key[0]),
        purged=PURGED,
        key=_key(copy),
        copy=identifier(copy.name),
        session=copy.session,
        session_of=copy.columns[copy.key[0]],
    )


def _key(copy: Narrow) -> Sql:
    return join(", ", map(identifier, ("org_id", *copy.key)))


def _chunks(counted: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """The versions in portions of so many rows; one of more is a portion of its own."""
    versions, rows = list[int](), 0
    for version, count in counted:
        if versions and (rows + count > _ROWS or len(versions) == _VERSIONS):
            yield versions
            versions, rows = [], 0
        versions.append(version)
        rows += count
    if versions:
        yield versions
