"""The command line, over the public parts of the library.

``serve`` needs no extra. Everything else needs ``agentstore[cli]`` and is loaded when it is asked for.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from agentstore.version import __version__

_INTERRUPTED = 130
EXTRA = {"attrs", "cyclopts", "docstring_parser", "platformdirs", "rich"}


def main(argv: Sequence[str] | None = None, *, on_interrupt: Callable[[], None] = lambda: None) -> int:
    """Carry out one command line. Exit codes are grep's: 0 found or done, 1 nothing found, 2 failed or wrong usage.

    130: interrupted. 141: nobody reads the output any more (``| head``), as of a program that SIGPIPE ends.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["serve"]:
        return _serve(given[1:])
    if given == ["--version"]:
        print(f"agentstore {__version__}")
        return 0
    try:
        carry_out = _carrying_out(given)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        print(f"agentstore: the command line needs {error.name}: pip install 'agentstore[cli]'", file=sys.stderr)
        return 2
    return carry_out(on_interrupt)


def program() -> NoReturn:
    """The process: ``main``, and its exit code, which stays what it is however often Ctrl-C is pressed at the end."""
    code = main(on_interrupt=deaf)  # else one that is pressed while the first is told would end it otherwise
    deaf()
    if code == _INTERRUPTED:
        # Python's own end would free what was left where it was, and wait for its threads. All that is to be told is.
        os._exit(code)
    raise SystemExit(code)


def deaf() -> None:
    """Do not hear Ctrl-C any more: this process is about to end. Elsewhere but in the first thread nothing happens."""
    import signal  # here: it takes longer to load than what is printed by --version

    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _carrying_out(given: Sequence[str]) -> Callable[[Callable[[], None]], int]:
    """What carries the command line out, loaded."""
    if given == ["mcp"]:  # as agents start it, each time they start: what reads options is slower to load than this
        from agentstore.cli.serving_mcp import serve_as_configured

        return serve_as_configured
    from agentstore.cli.carrying_out import carry_out

    return functools.partial(carry_out, given)


def _serve(given: list[str]) -> int:
    try:
        from agentstore.local.process.main import main as serve  # here, not above: the client must not load the server
    except ImportError as error:  # fcntl and the like
        print(f"agentstore: a local store cannot be served on this system: {error}", file=sys.stderr)
        return 1
    return serve(given, prog="agentstore serve")
