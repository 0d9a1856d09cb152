"""The commands by name. A command's module is loaded when it runs or shows its help, never for the help of all."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from cyclopts import App, Parameter

from agentstore.cli.helping import HelpLayout
from agentstore.version import __version__

# Name, where it is, and what ``--help`` says of it: in the order that help shows.
COMMANDS = (
    ("import", "importing:import_", "Import what agents have left on this machine."),
    ("sessions", "sessions:sessions", "List sessions, the latest first."),
    ("show", "show:show", "Show a session as one would want to read it."),
    ("search", "search:search", "Search what was said and what tools were given and gave back."),
    ("commits", "commits:commits", "List commits and pull requests, or find the sessions of one."),
    ("files", "files:files", "Find the sessions that touched a file."),
    ("blame", "blame:blame", "Tell which session and prompt wrote the lines of a file."),
    ("summary", "summary:summary", "Show all at a glance: how much, when, by whom, with what."),
    ("usage", "statistics:usage", "Count what was done by user, agent and project."),
    ("cost", "cost:cost", "Show what it cost at API prices."),
    ("days", "statistics:days", "Show what happened day by day."),
    ("heatmap", "statistics:heatmap", "Show when sessions begin, by weekday and hour."),
    ("tools", "statistics:tools", "Show which tools were called most, and how often they failed."),
    ("models", "statistics:models", "Show the tokens of each model."),
    ("users", "statistics:users", "List users."),
    ("projects", "statistics:projects", "List projects."),
    ("star", "marks:star", "Put your star on sessions."),
    ("unstar", "marks:unstar", "Take your star off sessions."),
    ("pin", "marks:pin", "Pin a message, with a note."),
    ("unpin", "marks:unpin", "Take your pin off a message."),
    ("delete", "delete:delete", "Hide sessions from lists, searches and statistics, or show them again."),
    ("purge", "purge:purge", "Erase a session from the store, for good."),
    ("restore", "restore:restore", "Write the agent's own files of a session back."),
    ("export", "export:export", "Write sessions with all that is in them as lines of JSON."),
    ("reimport", "importing:reimport", "Read the kept records again with this version's importers."),
    ("mcp", "mcp:mcp", "Serve the history as tools to an agent."),
    ("status", "local:status", "Tell whether the store's server runs, and where."),
    ("stop", "local:stop", "End the server of a local store."),
    ("web", "web:web", "Show the history in a browser."),
    ("serve", "local:serve", "Serve a local store to any ClickHouse client."),
    ("schema", "schema:schema", "Show the version of the store's tables, or upgrade them."),
    ("doctor", "doctor:doctor", "Look for what is wrong, and say what to do about it."),
    ("config", "config:config", "Show or change what is configured."),
    ("completion", "completion:completion", "Print what completes commands and options in your shell."),
)  # fmt: skip

HELP = frozenset({"--help", "-h"})

app = App(
    name="agentstore",
    help="The history of AI coding agents in ClickHouse.",
    version=f"agentstore {__version__}",
    version_flags=["--version"],
    help_format="plaintext",
    # Rich's frames would cost a quarter of the start, and say no more.
    help_formatter=HelpLayout(),
    default_parameter=Parameter(show_default=False, negative=()),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    # Who interrupted is told so where all other ends are told (ending.py).
    suppress_keyboard_interrupt=False,
    sort_key=None,
)


def _assemble() -> None:
    for order, (name, place, help) in enumerate(COMMANDS):
        app.command(f"agentstore.cli.commands.{place}", name=name, help=help, sort_key=order)


def described(given: Sequence[str]) -> None:
    """Where a command's own help is asked for it says all that its docstring says, not only what is beside its name."""
    if not given or given[0] not in {name for name, _, _ in COMMANDS} or not HELP.intersection(given):
        return
    command = app[given[0]]
    paragraphs = (inspect.getdoc(command.default_command) or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


_assemble()
