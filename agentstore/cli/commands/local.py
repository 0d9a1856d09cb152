"""``agentstore status``, ``stop`` and ``serve``: the server that the store is."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, NOTHING, CommandError, NothingFound
from agentstore.cli.options import Common


def status(
    *,
    json: Annotated[bool, Parameter(help="as JSON; what is not known is null")] = False,
    common: Common = Common(),
) -> int:
    """Tell whether the store's server runs, and where. A local one is not started for it.

    Exit codes: 0 it runs; 1 a local one does not run at the moment (it starts when it is needed); 2 it is away.
    """
    import asyncio

    from agentstore.cli.opening import settings_of
    from agentstore.cli.state import local_state, server_state, show_state
    from agentstore.cli.terminal.jsons import print_json
    from agentstore.cli.terminal.screen import screen_of
    from agentstore.settings import resolve_target

    options = resolve_target(settings_of(common)["store"], {})
    found = local_state(options.local_path) if options.local_path else asyncio.run(server_state(options))
    if json:
        print_json(screen_of(), found)
    else:
        show_state(screen_of(), found)
    return FOUND if found.running else NOTHING


def stop(
    *,
    timeout: Annotated[float, Parameter(help="seconds that it may take to end what runs")] = 30.0,
    common: Common = Common(),
) -> int:
    """End the server of a local store. What it has acknowledged is stored; who needs it next starts it again.

    Exit codes: 0 it has ended; 1 none was running; 2 it still runs.
    """
    from agentstore.cli.opening import settings_of
    from agentstore.cli.state import local_client
    from agentstore.cli.terminal.screen import screen_of
    from agentstore.settings import resolve_target

    options = resolve_target(settings_of(common)["store"], {})
    if not options.local_path:
        raise CommandError(f"the server {options.where} is not ours to stop", hint="only that of a local store is")
    if not local_client().stop(options.local_path, timeout):
        raise NothingFound(f"no server runs on {options.local_path}")
    screen_of().fold(f"the server on {options.local_path} has ended")
    return FOUND


def serve(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True, help="agentstore serve --help")]) -> int:
    """Serve a local store to any client of ClickHouse's native protocol, in the foreground."""
    # ``main`` sends this command there before anything else is loaded; here it is for whoever calls the app itself.
    from agentstore.local.process.main import main

    return main(arguments, prog="agentstore serve")
