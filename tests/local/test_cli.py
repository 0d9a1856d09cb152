"""The command line: ``agentstore serve`` is the server process under another name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clickhouse_driver import Client

from agentstore.cli import main
from agentstore.version import __version__


def test_serve_answers_any_client_until_it_is_told_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agentstore.cli", "serve", "--path", str(tmp_path / "store")]
    environment = {**os.environ, "AGENTSTORE_SERVE_PASSWORD": "secret"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            port = int(line.split("127.0.0.1:")[1].split()[0].rstrip(";,"))
            assert "secret" not in line
            client = Client("127.0.0.1", port=port, password="secret")
            assert client.execute("SELECT 40 + 2") == [(42,)]
            client.disconnect()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize(("argv", "said"), [(["sing"], "sing"), (["serve", "--nowhere"], "--path")])
def test_wrong_arguments_say_what_is_right(argv: list[str], said: str) -> None:
    done = subprocess.run([sys.executable, "-m", "agentstore", *argv], capture_output=True, check=False, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr.decode()


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"agentstore {__version__}\n"


def test_without_the_extra_it_says_what_to_install_and_still_serves() -> None:
    blocked = (
        "import sys; sys.modules['cyclopts'] = None; from agentstore.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    for argv, said in ((["sessions"], "pip install 'agentstore[cli]'"), (["serve"], "--path")):
        done = subprocess.run(
            [sys.executable, "-c", blocked, *argv], capture_output=True, check=False, timeout=60, text=True
        )
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
