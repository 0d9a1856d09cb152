"""Whether what agents have left on this machine is in the store."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agentstore.cli.config import Settings
from agentstore.cli.examining.finding import Finding, fail, ok, warn
from agentstore.cli.importing.whose import whose
from agentstore.cli.terminal import sizes
from agentstore.errors import AgentStoreError
from agentstore.faces.money import count
from agentstore.settings import ConnectOptions


async def history(settings: Settings, options: ConnectOptions) -> AsyncIterator[Finding]:
    """How many files an import would read. Their first bytes are looked at, and nothing is written."""
    from agentstore import AsyncClickHouseStore
    from agentstore.ingest import preview

    given = whose(settings)
    try:
        async with AsyncClickHouseStore(options) as store:
            told = await preview(store, settings["org"], user=given.user, machine=given.machine)
    except AgentStoreError as error:
        yield fail("import", error.message, error.hint)
        return
    new = sum(one.new + one.changed for one in told.agents.values())
    every = new + sum(one.unchanged for one in told.agents.values())
    if told.failed:
        yield warn(
            "import", f"{count(len(told.failed))} files cannot be read: {told.failed[0]}", "chmod, or leave them"
        )
    if new:
        size = sizes.size(sum(one.bytes_to_read for one in told.agents.values()))
        yield warn(
            "import", f"{count(new)} of {count(every)} files are new or have changed: {size}", "agentstore import"
        )
    elif every:
        yield ok("import", f"all {count(every)} files are in the store")
