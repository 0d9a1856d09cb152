"""The main job in one go, on the command line: import agents' history, and look at what a store can tell about it.

    make demo                              # the sample that comes with the package
    make demo FROM=~/.claude/projects      # your own
    make demo FROM=DIR FIND='some text'    # and what to search for

Each command is printed before what it prints: they can be tried one by one. Or, with ``pip install
'agentstore[local,ingest,cli,cost]'``: ``python examples/demo.py --from DIR --find TEXT --tz Europe/Berlin``. Running it
again imports nothing twice. Each directory is an organisation of its own, so what was imported from one never shows up
in another's numbers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
SAMPLE = Path(str(files("agentstore") / "samples"))
SAMPLE_USERS = {"ada": "Ada", "jonas": "Jonas", "mei": "Mei 美"}
SAMPLE_NEEDLE = "tide"
SHOWN_LINES = 70
OVERVIEW = ("usage", "cost", "heatmap", "tools", "days", "models", "projects")


class DemoError(Exception):
    """A command has failed, and has said why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Demo:
    """Runs commands and prints each, as one would have typed it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def run(self, *arguments: str, lines: int = 0, is_needed: bool = True) -> None:
        """Print a command and what it prints, or the first ``lines`` of it."""
        head = f" | head -{lines}" if lines else ""
        print(f"\n$ {shlex.join(['agentstore', *arguments])}{head}", flush=True)
        with subprocess.Popen(command(arguments), env=self._environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in itertools.islice(process.stdout, lines or None):
                sys.stdout.buffer.write(line)
            sys.stdout.flush()
            process.stdout.close()
        found_nothing = process.returncode == 1 and not is_needed
        if process.returncode not in (0, 141) and not found_nothing:
            raise DemoError(process.returncode)

    def ask(self, *arguments: str) -> list[Any]:
        """What a command tells as JSON, one record a line. Nothing is printed."""
        done = subprocess.run(
            [*command(arguments), "--json"], env=self._environment, stdout=subprocess.PIPE, check=False
        )
        if done.returncode > 1:
            raise DemoError(done.returncode)
        return [json.loads(line) for line in done.stdout.splitlines()]


def command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "agentstore", *arguments]


def show(demo: Demo, source: str, needle: str) -> None:
    """Import from ``source`` (the sample where it is "") and show what there is then."""
    if source:
        demo.run("import", os.path.expanduser(source))
    else:
        for user, name in SAMPLE_USERS.items():
            demo.run("import", str(SAMPLE / user), "--user", user, "--user-name", name, "--machine", "tide")
    demo.run("sessions", "--limit", "10")
    found = demo.ask("sessions", "--limit", "0")
    longest = max(reversed(found), key=lambda one: one.get("message_count", 0))
    demo.run("show", longest["id"], lines=SHOWN_LINES)
    needle = needle or ("" if source else SAMPLE_NEEDLE) or telling_word(longest.get("first_message", ""))
    demo.run("search", "--limit", "5", "--", needle, is_needed=False)
    for one in OVERVIEW:
        demo.run(one)


def telling_word(text: str) -> str:
    """Something worth searching for when nobody said what: the longest word that the session began with."""
    words = "".join(char if char.isalpha() else " " for char in text).split()
    return max(words, key=len, default="the")


def organisation(source: str) -> str:
    """One for each directory."""
    return os.path.abspath(os.path.expanduser(source)) if source else "sample"


def main() -> int:
    parser = argparse.ArgumentParser(description="Import agents' history into a local store and look at it.")
    parser.add_argument("--from", dest="source", default="", metavar="DIR", help="default: the sample of the package")
    parser.add_argument("--find", default="", metavar="TEXT", help="what to search for")
    parser.add_argument("--tz", default="UTC", help="time zone of days and hours, like Europe/Berlin")
    parser.add_argument("--store", default="", metavar="TARGET", help="default: AGENTSTORE_DSN, else local")
    given = parser.parse_args()
    target = given.store or os.environ.get("AGENTSTORE_DSN") or f"local:{CHECKOUT / '.agentstore-demo'}"
    told = {"AGENTSTORE_DSN": target, "AGENTSTORE_ORG": organisation(given.source), "AGENTSTORE_TZ": given.tz}
    environment = {**os.environ, **told, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if target.startswith("local:"):  # another may hold a password
        print(f"$ export {shlex.join(f'{name}={value}' for name, value in told.items())}")
    try:
        show(Demo(environment), given.source, given.find)
    except DemoError as error:
        return error.code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
