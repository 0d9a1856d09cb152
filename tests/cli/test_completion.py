"""Completion in a shell, by running the shell with it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.running import Cli

# What bash does when Tab is pressed after these words.
PRESS_TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
function_name=$(complete -p agentstore | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
"$function_name"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(cli: Cli, *words: str) -> list[str]:
    script = cli.home / "completion.bash"
    script.write_text(cli("completion", "bash").out)
    done = subprocess.run(
        ["bash", "--norc", "-c", PRESS_TAB, "bash", str(script), "agentstore", *words],
        env=cli.environment,
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_options_and_choices(sample_cli: Cli) -> None:
    assert {"sessions", "show", "search", "completion"} <= set(completed(sample_cli, ""))
    assert {"sessions", "search"} <= set(completed(sample_cli, "se"))
    assert completed(sample_cli, "show", "--th") == ["--thinking"]
    assert completed(sample_cli, "show", "abc", "--format", "") == ["text", "md"]
    assert completed(sample_cli, "completion", "z") == ["zsh"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_theirs(sample_cli: Cli, shell: str) -> None:
    done = sample_cli("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "agentstore" in done.out
    assert "with-commits" in done.out
    if shutil.which(shell):
        script = sample_cli.home / f"completion.{shell}"
        script.write_text(done.out)
        subprocess.run([shell, "-n", str(script)], check=True, timeout=60)


def test_the_shell_is_ones_own_where_none_is_named(sample_cli: Cli) -> None:
    assert sample_cli("completion", SHELL="/usr/bin/bash").out == sample_cli("completion", "bash").out
    done = sample_cli("completion", SHELL="/bin/tcsh")
    assert (done.code, done.out) == (2, "")
    assert "'tcsh'" in done.err
    assert sample_cli("completion", "tcsh").code == 2
