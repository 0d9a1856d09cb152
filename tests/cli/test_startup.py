"""What a command loads before it runs: a start is as slow as its imports."""

from __future__ import annotations

import subprocess
import sys

from agentstore.cli.app import COMMANDS
from tests.cli.running import ROOT

HEAVY = {"agentstore.errors", "agentstore.importers", "agentstore.ingest", "agentstore.models", "agentstore.store"}
HEAVY |= {"asynch", "asyncio", "msgspec", "rich.console", "rich.table"}


def loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint('loaded', *sys.modules)"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return set(done.stdout.rpartition("loaded ")[2].split())


def test_help_loads_no_command_and_nothing_heavy() -> None:
    modules = loaded("from agentstore.cli import main; main(['--help'])")
    assert not {one for one in modules if one.startswith("agentstore.cli.commands.")}
    assert not modules & {"agentstore.errors", "agentstore.store", "asynch", "msgspec"}


def test_commands_are_cheap_to_load_and_say_what_they_do() -> None:
    places = {place.partition(":")[0] for _, place, _ in COMMANDS}
    modules = loaded("\n".join(f"import agentstore.cli.commands.{place}" for place in sorted(places)))
    assert not modules & HEAVY
    assert all(help.endswith(".") for _, _, help in COMMANDS)


def test_help_of_a_command_loads_no_store() -> None:
    for name, _, _ in COMMANDS:
        modules = loaded(f"from agentstore.cli import main; main([{name!r}, '--help'])")
        assert not modules & {"asynch", "agentstore.store", "agentstore.importers", "agentstore.ingest"}


def test_the_server_for_agents_starts_without_what_reads_options_and_without_the_store() -> None:
    modules = loaded("from agentstore.cli import main; assert main(['mcp']) == 0")  # stdin ends at once
    assert "agentstore.mcp.serving" in modules
    assert not modules & {"agentstore.store", "asynch", "attr", "cyclopts", "rich"}
