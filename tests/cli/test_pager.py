"""Output on a terminal: through a pager, as git does it, and safe there."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from agentstore.cli.terminal.pager import pager_command
from tests.cli.pseudo_terminal import on_terminal
from tests.cli.running import Cli
from tests.cli.test_hostile import COLOUR, fill
from tests.faces.test_safe import is_harmless

needs_less = pytest.mark.skipif(shutil.which("less") is None, reason="there is no less here")
# A pager that writes down what it is given, and how it was set up.
KEEPS = "import os, pathlib, sys; pathlib.Path({path!r}).write_text(os.environ['LESS'] + sys.stdin.read(), 'utf-8')"


def keeping(path: Path) -> str:
    return f'{sys.executable} -c "{KEEPS.format(path=str(path))}"'


@needs_less
def test_what_fits_is_shown_in_colours_and_nobody_has_to_leave(sample_cli: Cli) -> None:
    with on_terminal(sample_cli, "sessions") as terminal:
        assert terminal.end() == 0
    assert "\x1b[33m0b6e2f4a" in terminal.text
    assert re.search(r"\rid +Europe/Berlin", COLOUR.sub("", terminal.text))


@needs_less
def test_what_does_not_fit_waits_and_who_leaves_has_seen_enough(sample_cli: Cli) -> None:
    with on_terminal(sample_cli, "show", "0b6e", "--tools", "--full") as terminal:
        terminal.until(b"\n:")  # the prompt of less at the end of a screen
        assert terminal.leave(b"q") == 0
    assert "Fix the drifting tide clock" in terminal.text
    assert "Traceback" not in terminal.text


@needs_less
def test_ctrl_c_is_the_pagers_while_it_runs(sample_cli: Cli) -> None:
    with on_terminal(sample_cli, "show", "0b6e", "--tools", "--full") as terminal:
        terminal.until(b"\n:")
        terminal.press(b"\x03")
        assert terminal.leave(b"q") in (0, 130)
    assert "Traceback" not in terminal.text


def test_hostile_text_reaches_no_pager(module_cli: Cli) -> None:
    asyncio.run(fill(module_cli.dsn))
    kept = module_cli.home / "kept"
    for arguments in (["sessions"], ["show", "hostile", "--tools", "--thinking"], ["search", "needle", "-C", "1"]):
        with on_terminal(module_cli, *arguments, AGENTSTORE_PAGER=keeping(kept)) as terminal:
            assert terminal.end() == 0
        text = kept.read_text("utf-8")
        assert text.startswith("FRX")
        assert "needle" in text
        assert all(is_harmless(line) for line in COLOUR.sub("", text).split("\n"))
        kept.unlink()


def test_what_is_set_for_less_stays(sample_cli: Cli) -> None:
    kept = sample_cli.home / "set"
    with on_terminal(sample_cli, "sessions", PAGER=keeping(kept), LESS="S") as terminal:
        assert terminal.end() == 0
    assert kept.read_text("utf-8").startswith("S")


@pytest.mark.parametrize(("own", "usual"), [("cat", "false"), ("", "false")])
def test_no_pager_where_there_is_to_be_none(sample_cli: Cli, own: str, usual: str) -> None:
    with on_terminal(sample_cli, "sessions", AGENTSTORE_PAGER=own, PAGER=usual) as terminal:
        assert terminal.end() == 0
    assert "0b6e2f4a" in terminal.text


def test_none_with_no_pager_or_json(sample_cli: Cli) -> None:
    for option in ("--no-pager", "--json"):
        with on_terminal(sample_cli, "sessions", option, PAGER="false") as terminal:
            assert terminal.end() == 0
        assert "0b6e2f4a" in terminal.text


def test_a_pager_that_cannot_be_run_is_told(sample_cli: Cli) -> None:
    with on_terminal(sample_cli, "sessions", PAGER="no-such-pager-here") as terminal:
        assert terminal.end() == 2
    assert "the pager 'no-such-pager-here' cannot be run" in terminal.text
    assert "--no-pager" in terminal.text


def test_a_table_is_as_wide_as_its_terminal(sample_cli: Cli) -> None:
    with on_terminal(sample_cli, "sessions", columns=40, PAGER="cat", NO_COLOR="1") as terminal:
        assert terminal.end() == 0
    assert terminal.text == sample_cli("sessions", width=40).out


def test_which_pager(tmp_path: Path) -> None:
    assert pager_command({"PATH": str(tmp_path)}) == ""  # no less there
    assert pager_command({"PAGER": " more "}) == "more"
    assert pager_command({"PAGER": "more", "AGENTSTORE_PAGER": "less -S"}) == "less -S"
