"""``agentstore config``, as a process, and how the file is changed."""

from __future__ import annotations

import json
import os
import stat
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore.cli.config_file import changed
from tests.cli.running import Cli
from tests.cli.test_hostile import EVIL
from tests.faces.test_safe import is_harmless

UNSET = {"AGENTSTORE_DSN": "", "AGENTSTORE_USER": ""}


def test_values_are_shown_with_where_they_come_from(own_cli: Cli) -> None:
    file = own_cli.home / "config.toml"
    file.write_text('org = "club"\n')
    done = own_cli("config", "--store", "clickhouse://ada:geheim@server/history", AGENTSTORE_TZ="Asia/Tokyo")
    lines = {line.split()[0]: line.split()[1:] for line in done.lines[1:]}
    assert done.code == 0
    assert lines["store"] == ["server:9000/history", "flag", "--store"]
    assert lines["org"][:2] == ["club", "file"]
    assert lines["tz"] == ["Asia/Tokyo", "environment", "AGENTSTORE_TZ"]
    assert lines["mask"] == ["true", "default"]
    assert "geheim" not in done.out
    told = json.loads(own_cli("config", "--json").out)
    assert told["org"] == {"text": "club", "origin": "file", "detail": str(file)}
    assert own_cli("config", "show", "org").out == "club\n"
    assert own_cli("config", "path").out == f"{file}\n"


def test_set_and_unset_change_one_key_and_leave_the_rest(own_cli: Cli) -> None:
    file = own_cli.home / "deep" / "config.toml"
    cli = Cli(own_cli.home, own_cli.dsn, {"AGENTSTORE_CONFIG": str(file), **UNSET})
    assert cli("config", "set", "org", 'the "club" \\ 美').code == 0
    file.write_text("# mine\n" + file.read_text() + 'user = "ada"  # me\n')
    assert cli("config", "set", "store", "clickhouse://ada:geheim@server/history").code == 0
    assert cli("config", "set", "mask", "off").code == 0
    assert cli("config", "set", "org", "other").code == 0
    assert file.read_text() == (
        '# mine\norg = "other"\nuser = "ada"  # me\nstore = "clickhouse://ada:geheim@server/history"\nmask = false\n'
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert cli("config", "show", "store").out == "server:9000/history\n"
    assert cli("config", "unset", "org").code == 0
    assert "org" not in file.read_text()
    done = cli("config", "unset", "org")
    assert (done.code, done.out) == (1, "")
    assert os.listdir(file.parent) == ["config.toml"]


def test_a_link_to_the_file_stays_one(own_cli: Cli) -> None:
    real = own_cli.home / "dotfiles.toml"
    real.write_text('tz = "UTC"\n')
    (own_cli.home / "config.toml").symlink_to(real)
    assert own_cli("config", "set", "org", "club").code == 0
    assert (own_cli.home / "config.toml").is_symlink()
    assert real.read_text() == 'tz = "UTC"\norg = "club"\n'


def test_the_environment_that_wins_is_named(own_cli: Cli) -> None:
    done = own_cli("config", "set", "user", "mei")
    assert done.code == 0
    assert "AGENTSTORE_USER is set in the environment" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "colour", "red"], "there is no key 'colour'"),
        (["set", "tz", "Mars/Olympus"], "there is no time zone"),
        (["set", "mask", "perhaps"], "neither true nor false"),
        (["set", "store", "clickhose://ada:geheim@x"], "the DSN is none of"),
        (["set", "org", ""], "empty"),
        (["set", "org"], "not how config is used"),
        (["set"], "not how config is used"),
        (["unset", "org", "x"], "not how config is used"),
        (["show", "org", "x"], "not how config is used"),
        (["show", "colour"], "there is no key"),
        (["forget"], "forget"),
    ],
)
def test_what_cannot_be_set_is_said_and_nothing_is_written(own_cli: Cli, arguments: list[str], said: str) -> None:
    done = own_cli("config", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err.splitlines()[0]
    assert "geheim" not in done.err
    assert not (own_cli.home / "config.toml").exists()


def test_a_file_that_cannot_be_read_is_not_overwritten(own_cli: Cli) -> None:
    file = own_cli.home / "config.toml"
    file.write_text("org = \n")
    done = own_cli("config", "set", "org", "club")
    assert (done.code, file.read_text()) == (2, "org = \n")
    assert "cannot be read" in done.err
    assert own_cli("config", "path").code == 0


def test_hostile_values_command_nothing(own_cli: Cli) -> None:
    evil = EVIL.replace("\x00", "")
    assert own_cli("config", "set", "user_name", evil).code == 0
    for arguments in (["config"], ["config", "--json"], ["config", "show", "user_name"], ["config", "set", evil, "x"]):
        done = own_cli(*arguments)
        assert all(is_harmless(line) for line in (done.out + done.err).split("\n"))
    assert json.loads(own_cli("config", "--json").out)["user_name"]["text"] == evil


@given(st.text(st.characters(codec="utf-8")), st.sampled_from(["", "# x\n", 'org = "a"\n', 'tz = """\norg = 1\n"""\n']))
def test_any_value_is_what_the_file_says_then(value: str, text: str) -> None:
    before = {name: str(one) for name, one in tomllib.loads(text).items()}
    after = {**before, "org": value}
    assert tomllib.loads(changed(text, "org", value, after)) == after
    without = {name: one for name, one in after.items() if name != "org"}
    assert tomllib.loads(changed(changed(text, "org", value, after), "org", None, without)) == without
