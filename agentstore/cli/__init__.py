"""The command line, over the public parts of the library."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from agentstore.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """``agentstore serve --path PATH --port 9000``: the exit code is 0, 1 for a failure, 2 for wrong arguments."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="agentstore", description="The history of AI coding agents in ClickHouse.")
    parser.add_argument("--version", action="version", version=f"agentstore {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve a local store to any ClickHouse client", add_help=False)
    parser.parse_args(given[:1])
    try:
        from agentstore.local.process.main import main as serve  # here, not above: the client must not load the server
    except ImportError as error:  # fcntl and the like
        print(f"agentstore: a local store cannot be served on this system: {error}", file=sys.stderr)
        return 1
    return serve(given[1:], prog="agentstore serve")
