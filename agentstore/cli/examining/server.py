"""The store's server: whether it answers, its version, rights, tables, text index, clock, disks and parts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import AsyncIterator, Callable

from agentstore.cli.examining.finding import Finding, fail, ok, warn
from agentstore.cli.tables_version import Fetch, SchemaState, connected, state_of
from agentstore.cli.terminal import sizes
from agentstore.connection import detached
from agentstore.connection.known_versions import defects_of, warnings
from agentstore.connection.sql import identifier, sql
from agentstore.errors import AgentStoreError, QueryError, SchemaError
from agentstore.faces.money import count
from agentstore.read.search import parts
from agentstore.schema.fitness import is_missing
from agentstore.settings import ConnectOptions

TEXT_INDEX_FROM = (26, 4)
_LITTLE, _NOTHING = 5 * 10**9, 5 * 10**8  # bytes free
_CLOCK_SECONDS = 2.0
_MUCH = 10**9  # bytes that searches have to scan
_SHOWN = 20
_RIGHTS = (
    ("read", sql("SELECT")),
    ("write", sql("INSERT")),
    ("purge", sql("ALTER DELETE")),
    ("upgrade its tables", sql("CREATE TABLE, CREATE VIEW, ALTER ADD COLUMN, ALTER ADD INDEX, ALTER SETTINGS")),
)

Check = Callable[[Fetch, ConnectOptions], AsyncIterator[Finding]]


async def server(options: ConnectOptions) -> AsyncIterator[Finding]:
    """All that can be asked of it. A database that does not exist is not made."""
    database = options.database
    try:
        async with connected(options, database) as fetch:
            async for finding in _asked(fetch, options, has_database=True):
                yield finding
        return
    except QueryError as error:
        if not is_missing(error):
            yield _failed("server", error)
            return
    except AgentStoreError as error:
        yield _failed("server", error)
        return
    try:
        async with connected(options, "default") as fetch:
            async for finding in _asked(fetch, options, has_database=False):
                yield finding
    except AgentStoreError as error:
        yield _failed("server", error)


async def _asked(fetch: Fetch, options: ConnectOptions, *, has_database: bool) -> AsyncIterator[Finding]:
    checks: list[tuple[str, Check]] = [("server", _version), ("rights", _rights), ("clock", _clock), ("disk", _disks)]
    if has_database:
        checks[2:2] = [("schema", _schema), ("text index", _text_index)]
        checks.append(("parts", _parts))
    else:
        todo = "agentstore import, or agentstore schema upgrade, makes it"
        yield warn("schema", f"there is no database {options.database!r} yet", todo)
    for name, check in checks:
        try:
            async for finding in check(fetch, options):
                yield finding
        except QueryError as error:
            yield warn(name, f"it cannot be asked: {error.message}", "the user may lack rights on the system's tables")


async def _version(fetch: Fetch, options: ConnectOptions) -> AsyncIterator[Finding]:
    began = time.perf_counter()
    ((version,),) = await fetch(sql("SELECT version()"))
    took = (time.perf_counter() - began) * 1000
    where = options.local_path or f"{options.where}, database {options.database}"
    yield ok("server", f"{where}: answers in {took:.1f} ms")
    has_ttl = False
    if any(one.concerns == "row TTL" for one in defects_of(version)):
        columns = await fetch(
            sql(
                "SELECT count() FROM system.tables WHERE database = {database} AND name IN ('messages', 'tool_calls')"
                " AND engine_full LIKE '% TTL %'",
                database=options.database,
            )
        )
        has_ttl = bool(columns[0][0])
    for finding in version_findings(version, has_ttl=has_ttl):
        yield finding


def version_findings(version: str, *, has_ttl: bool = False) -> list[Finding]:
    """What is known of a version. Pure."""
    said = warnings(version, ["row TTL"] if has_ttl else [])
    todo = "upgrade the server, or pip install --upgrade 'agentstore[local]' for a local store"
    return [warn("version", one, todo) for one in said] or [
        ok("version", f"ClickHouse {version}: no defect of it is known here")
    ]


async def _rights(fetch: Fetch, options: ConnectOptions) -> AsyncIterator[Finding]:
    lacking = []
    for what, rights in _RIGHTS:
        columns = await fetch(
            sql("CHECK GRANT {rights} ON {database}.*", rights=rights, database=identifier(options.database))
        )
        if not columns[0][0]:
            lacking.append((what, str(rights)))
    columns = await fetch(sql("SELECT value FROM system.settings WHERE name = 'readonly'"))
    if columns and columns[0][0] == "1":
        lacking = [*(one for one in lacking if one[0] == "read"), ("write", "a profile that is not readonly")]
    if not lacking:
        yield ok("rights", "the user may read, write, purge and upgrade")
    for what, needed in lacking:
        finding = fail if what == "read" else warn
        yield finding("rights", f"the user may not {what}", f"its administrator grants it: {needed}")


async def _schema(fetch: Fetch, options: ConnectOptions) -> AsyncIterator[Finding]:
    try:
        yield schema_finding(await state_of(fetch, options.database), local=bool(options.local_path))
    except SchemaError as error:  # a migration that was edited
        yield _failed("schema", error)


def schema_finding(state: SchemaState, *, local: bool = False) -> Finding:
    """What a state means. Pure."""
    of = f"version {state.version} of {state.newest}"
    if state.newer:
        return fail("schema", f"the tables are of a newer agentstore: {of}", "upgrade agentstore")
    if state.pending:
        text = f"{of}: {count(len(state.pending))} to be applied" if state.version else "there are no tables yet"
        todo = "the next command does it" if local else "agentstore schema upgrade"
        return warn("schema", text, todo)
    if state.waiting:
        names = ", ".join(f"{one.version:04d}_{one.name}" for one in state.waiting)
        return ok("schema", f"{of}; the server is too old for {names}, and works without")
    return ok("schema", of)


async def _text_index(fetch: Fetch, options: ConnectOptions) -> AsyncIterator[Finding]:
    ((version,),) = await fetch(sql("SELECT version()"))
    state = parts.read_answer(await fetch(parts.query()))
    numbers = tuple(int(one) for one in version.split(".")[:2])
    yield index_finding(state, is_old=numbers < TEXT_INDEX_FROM)


def index_finding(state: parts.PartsState, *, is_old: bool = False) -> Finding:
    """How much of the texts is indexed. Pure."""
    total = sum(table.bytes for _, table in state.sizes)
    left = sum(table.unindexed_bytes for _, table in state.sizes)
    number = sum(len(table.unindexed) for _, table in state.sizes)
    if is_old:
        text = f"the server is too old for it: searches scan {sizes.size(total)}"
        return warn("text index", text, "upgrade the server to 26.4 or later, then agentstore schema upgrade")
    if not total:
        return ok("text index", "there are no texts yet")
    if not state.has_indexes:
        return warn("text index", f"it is not there: searches scan {sizes.size(total)}", "agentstore schema upgrade")
    text = f"{100 * (total - left) / total:.0f} % of {sizes.size(total)}"
    if left:
        text += f"; {sizes.size(left)} in {count(number)} new parts are scanned until the server merges them"
    if left <= _MUCH:
        return ok("text index", text)
    return warn("text index", text, "nothing, if much was imported lately; else look for merges that fail")


async def _clock(fetch: Fetch, options: ConnectOptions) -> AsyncIterator[Finding]:
    before = dt.datetime.now(dt.UTC)
    ((told,),) = await fetch(sql("SELECT toUnixTimestamp64Micro(now64(6))"))
    after = dt.datetime.now(dt.UTC)
    yield clock_finding(told / 1e6 - (before.timestamp() + after.timestamp()) / 2, (after - before).total_seconds())


def clock_finding(ahead: float, uncertain: float = 0.0) -> Finding:
    """How far the server's clock is ahead, in seconds. Pure."""
    if abs(ahead) - uncertain <= _CLOCK_SECONDS:
        return ok("clock", f"the server's and this machine's differ by {abs(ahead):.2f} s")
    way = "ahead of" if ahead > 0 else "behind"
    todo = "set both by NTP: what is newest is decided by the server's clock"
    return warn("clock", f"the server's is {sizes.seconds(abs(ahead))} {way} this machine's", todo)


async def _disks(fetch: Fetch, options: ConnectOptions) -> AsyncIterator[Finding]:
    columns = await fetch(sql("SELECT name, path, free_space, total_space FROM system.disks ORDER BY name"))
    for name, path, free, total in zip(*columns, strict=True):
        yield disk_finding(f"{name}, {path}" if path else name, free, total)


def disk_finding(name: str, free: int, total: int) -> Finding:
    """Whether there is room. Pure."""
    text = f"{name}: {sizes.size(free)} of {sizes.size(total)} free"
    if not total or free >= 2**62:  # an object store has no end
        return ok("disk", f"{name}: it has no limit of its own")
    if free < _NOTHING:
        return fail("disk", text, "make room: without it nothing can be written, merged or purged")
    return (
        warn("disk", text, "make room soon: a merge needs as much as what it merges")
        if free < _LITTLE
        else ok("disk", text)
    )


async def _parts(fetch: Fetch, options: ConnectOptions) -> AsyncIterator[Finding]:
    columns = await fetch(detached.QUERY)
    rows = list(zip(*columns, strict=True))
    for row in rows[:_SHOWN]:
        yield part_finding(*row)
    if len(rows) > _SHOWN:
        yield warn("parts", f"{count(len(rows) - _SHOWN)} more are detached", "SELECT * FROM system.detached_parts")
    failing = await fetch(
        sql(
            "SELECT table, any(latest_fail_reason), count() FROM system.mutations WHERE database = currentDatabase()"
            " AND NOT is_done AND latest_fail_reason != '' GROUP BY table ORDER BY table"
        )
    )
    for table, reason, number in zip(*failing, strict=True):
        text = f"{count(number)} changes of {table} fail, and are tried again: {reason}"
        yield fail("parts", text, "SELECT * FROM system.mutations WHERE NOT is_done")
    if not rows and not failing:
        yield ok("parts", "none is broken or detached, and no change fails")


def part_finding(database: str, table: str, name: str, reason: str) -> Finding:
    """A part that is set aside: lost where it is damaged. Pure."""
    text, _, todo = detached.warning(database, table, name, reason).partition(". ")
    return (fail if detached.is_damaged(reason) else warn)(
        "parts", text, todo or "ALTER TABLE … ATTACH PART, or drop it"
    )


def _failed(check: str, error: AgentStoreError) -> Finding:
    return fail(check, error.message, error.hint)
