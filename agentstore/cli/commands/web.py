"""``agentstore web``: the history in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from agentstore.cli.failing import CommandError
from agentstore.cli.options import Common, Shown


def web(
    *,
    port: Annotated[int, Parameter(help="of the pages; 0: one that is free")] = 8377,
    open: Annotated[bool, Parameter(help="in your browser")] = False,
    host: Annotated[str, Parameter(help="the address to listen on; others than loopback need a login")] = "127.0.0.1",
    token_file: Annotated[Path | None, Parameter(help="let in who knows what is in this file")] = None,
    trust_proxy_header: Annotated[str, Parameter(help="the proxy in front says in it who asks")] = "",
    trust_proxy_org_header: Annotated[str, Parameter(help="and in this for which organisation")] = "",
    allow_host: Annotated[
        tuple[str, ...],
        Parameter(help="also answer to this name, https://NAME: behind a proxy with TLS; once for each", negative=()),
    ] = (),
    tz: Annotated[str | None, Parameter(help="times in this zone, where a browser does not say its own")] = None,
    common: Common = Common(),
) -> int:
    """Show the history in a browser, until Ctrl-C.

    It listens on this machine only, and prints a link that lets one browser in. To let in others, run it behind a
    proxy that knows its users (--trust-proxy-header), or give them the token of --token-file.
    """
    try:
        from agentstore.cli.serving_web import WebOptions, serve_web
    except ModuleNotFoundError as error:
        raise CommandError(f"{error.name} is missing", hint="pip install 'agentstore[web]'") from None
    options = WebOptions(
        host=host,
        port=port,
        opens=open,
        token_file=token_file,
        user_header=trust_proxy_header,
        org_header=trust_proxy_org_header,
        hosts=allow_host,
    )
    return serve_web(options, common, Shown(tz=tz))
