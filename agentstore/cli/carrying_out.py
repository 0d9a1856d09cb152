"""Carrying out a command line: from its words to the command, and to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cyclopts.exceptions import CycloptsError

from agentstore.cli.app import app, described
from agentstore.cli.arranging import arranged
from agentstore.cli.ending import ended, keep_outputs
from agentstore.cli.failing import FAILED, CommandError

DEBUG = "--debug"


def carry_out(given: Sequence[str], on_interrupt: Callable[[], None] = lambda: None) -> int:
    """The exit code of a command line. Only with ``--debug`` an error shows where it came from."""
    keep_outputs()
    debug = DEBUG in given
    if not given:
        app.help_print([])
        return FAILED

    def call() -> object:
        try:
            wanted = arranged(given)
            described(wanted)
            return app(wanted)
        except CycloptsError as error:
            raise CommandError(_usage(error), hint="agentstore --help") from error

    return ended(call, debug=debug, on_interrupt=on_interrupt)


def _usage(error: CycloptsError) -> str:
    text = " ".join(str(error).split())
    return text[:1].lower() + text[1:].rstrip(".")
