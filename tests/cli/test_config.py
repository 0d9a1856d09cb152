"""Where a value comes from: flag, environment, file or default, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentstore.cli.config import VARIABLES, Settings, read_file, without_password
from agentstore.cli.failing import CommandError
from tests.cli.running import Cli


def test_the_first_that_says_it_wins(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('org = "of the file"\nmask = false\n')
    for flag, environment, expected in (
        ("of the flag", {"AGENTSTORE_ORG": "of the environment"}, ("of the flag", "flag", "--org")),
        (None, {"AGENTSTORE_ORG": "of the environment"}, ("of the environment", "environment", "AGENTSTORE_ORG")),
        (None, {"AGENTSTORE_ORG": ""}, ("of the file", "file", str(file))),
    ):
        assert Settings({"org": flag}, environment, file).value("org") == expected
    settings = Settings({}, {}, file)
    assert settings["mask"] == "false"
    assert settings.value("tz") == ("", "default", "")
    assert settings.value("store").text.startswith("local:")


def test_every_key_has_a_value_without_anything_said(tmp_path: Path) -> None:
    settings = Settings({}, {}, tmp_path / "none.toml")
    assert {settings.value(key).origin for key in VARIABLES} == {"default"}
    assert settings["user"]
    assert settings["machine"]


@pytest.mark.parametrize("text", ["org = ", "nonsense = 'x'", "org = 3", "\udcff"])
def test_a_file_that_cannot_be_used_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CommandError, match=r"config\.toml"):
        read_file(file)


def test_a_password_is_never_shown() -> None:
    shown = without_password("clickhouse://ada:secret@server:9000/history")
    assert shown == "server:9000/history"
    assert "secret" not in without_password("clickhose://ada:secret@server")
    assert without_password("local:/var/lib/x") == "local:/var/lib/x"


def test_the_file_says_which_organisation(own_cli: Cli, sample_cli: Cli) -> None:
    (own_cli.home / "config.toml").write_text('org = "elsewhere"\n')
    done = sample_cli("sessions", AGENTSTORE_CONFIG=str(own_cli.home / "config.toml"))
    assert done.code == 1
    done = sample_cli("sessions", "--org", "local", AGENTSTORE_CONFIG=str(own_cli.home / "config.toml"))
    assert done.code == 0
