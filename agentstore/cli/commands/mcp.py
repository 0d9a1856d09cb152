"""``agentstore mcp``: the history as tools for agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import CommandError
from agentstore.cli.options import Common

if TYPE_CHECKING:
    import pathlib


_LONGEST_TOKEN = 4096


def mcp(
    *,
    http: Annotated[bool, Parameter(help="over HTTP on this machine, for who has the token")] = False,
    port: Annotated[int, Parameter(help="with --http: at this port; 0: any that is free")] = 8737,
    token_file: Annotated[str, Parameter(help="with --http: the token is in this file, else it is made and told")] = "",
    repository: Annotated[str, Parameter(help="what the tools are about where nothing else is asked for")] = ".",
    common: Common = Common(),
) -> int:
    """Serve the history as tools to an agent, over stdin and stdout, read-only.

    Which store and which organisation is configured here, never asked for by the agent. It ends when stdin does.
    """
    import os
    import pathlib
    import sys

    from agentstore.cli.opening import settings_of
    from agentstore.faces.times import zone_of

    if not http and (token_file or port != 8737):
        raise CommandError("--port and --token-file go with --http")
    if not 0 <= port <= 65535:
        raise CommandError(f"--port: {port} is no port")
    here = os.path.realpath(os.path.expanduser(repository))
    if not os.path.isdir(here):
        raise CommandError(f"--repository: {repository} is no directory")
    settings = settings_of(common)
    try:
        from agentstore.mcp.holding import Holder
        from agentstore.mcp.serving import serve_stdio
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise CommandError("agentstore mcp needs the SDK", hint="pip install 'agentstore[mcp]'") from None
    holder = Holder(settings["store"], settings["org"], here, zone=zone_of(settings["tz"]))
    if not http:
        return serve_stdio(holder)

    from agentstore.mcp.http import serve_http

    token, note = _token(pathlib.Path(token_file) if token_file else None)

    def tell(address: str) -> None:
        sys.stderr.write(f"{address}\n{note}")
        sys.stderr.flush()

    return serve_http(holder, port, token, tell)


def _token(file: pathlib.Path | None) -> tuple[str, str]:
    """The token, and what is told of it."""
    import secrets

    if file is None:
        token = secrets.token_urlsafe(32)
        return token, f"Authorization: Bearer {token}\n"
    try:
        with file.open(encoding="ascii") as opened:
            token = opened.read(_LONGEST_TOKEN).strip()
    except (OSError, UnicodeError):
        raise CommandError(f"--token-file: {file} cannot be read", hint="a line of ASCII") from None
    if len(token) < 16 or not token.isprintable() or " " in token:
        raise CommandError(f"--token-file: what is in {file} is no token", hint="16 or more characters, no spaces")
    return token, ""
