"""What ``agentstore mcp`` does between its options and the server.

Nothing here needs what reads options: most agents start it without any, and wait for it.
"""

from __future__ import annotations

import os
import pathlib
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass

from agentstore.cli.config import Settings
from agentstore.cli.ending import ended, keep_outputs
from agentstore.cli.failing import CommandError

PORT = 8737
_LONGEST_TOKEN = 4096


@dataclass(frozen=True, kw_only=True)
class McpOptions:
    """The options that only this command has."""

    http: bool = False
    port: int = PORT
    token_file: str = ""
    repository: str = "."


def serve_as_configured(on_interrupt: Callable[[], None] = lambda: None) -> int:
    """The exit code of the command without options."""
    keep_outputs()
    return ended(lambda: serve(Settings({}), McpOptions()), on_interrupt=on_interrupt)


def serve(settings: Settings, options: McpOptions) -> int:
    """Serve until its end."""
    if not options.http and (options.token_file or options.port != PORT):
        raise CommandError("--port and --token-file go with --http")
    if not 0 <= options.port <= 65535:
        raise CommandError(f"--port: {options.port} is no port")
    here = os.path.realpath(os.path.expanduser(options.repository))
    if not os.path.isdir(here):
        raise CommandError(f"--repository: {options.repository} is no directory")
    from agentstore.faces.times import zone_of

    try:
        from agentstore.mcp.holding import Holder
        from agentstore.mcp.serving import serve_stdio
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise CommandError("agentstore mcp needs the SDK", hint="pip install 'agentstore[mcp]'") from None
    holder = Holder(settings["store"], settings["org"], here, zone=zone_of(settings["tz"]))
    if not options.http:
        return serve_stdio(holder)

    from agentstore.mcp.http import serve_http

    token, note = _token(pathlib.Path(options.token_file) if options.token_file else None)

    def tell(address: str) -> None:
        sys.stderr.write(f"{address}\n{note}")
        sys.stderr.flush()

    return serve_http(holder, options.port, token, tell)


def _token(file: pathlib.Path | None) -> tuple[str, str]:
    """The token, and what is told of it."""
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
