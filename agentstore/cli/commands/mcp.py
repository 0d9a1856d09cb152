"""``agentstore mcp``: the history as tools for agents."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from agentstore.cli.options import Common
from agentstore.cli.serving_mcp import PORT, McpOptions, serve


def mcp(
    *,
    http: Annotated[bool, Parameter(help="over HTTP on this machine, for who has the token")] = False,
    port: Annotated[int, Parameter(help="with --http: at this port; 0: any that is free")] = PORT,
    token_file: Annotated[str, Parameter(help="with --http: the token is in this file, else it is made and told")] = "",
    repository: Annotated[str, Parameter(help="what the tools are about where nothing else is asked for")] = ".",
    common: Common = Common(),
) -> int:
    """Serve the history as tools to an agent, over stdin and stdout, read-only.

    Which store and which organisation is configured here, never asked for by the agent. It ends when stdin does.
    """
    from agentstore.cli.opening import settings_of

    options = McpOptions(http=http, port=port, token_file=token_file, repository=repository)
    return serve(settings_of(common), options)
