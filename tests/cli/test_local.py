"""``agentstore status``, ``stop`` and ``serve``, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from agentstore.cli.state import size_of
from agentstore.local.client.acquire import running
from tests.cli.running import Cli
from tests.local.server_processes import logged_in, wait_for_end


def test_status_starts_nothing_and_tells_what_runs(own_cli: Cli) -> None:
    done = own_cli("status")
    assert done.code == 1
    assert "there is no store yet" in done.out
    assert not (own_cli.home / "store").exists()
    assert own_cli("schema", "upgrade").code == 0
    endpoint = running(own_cli.home / "store")
    assert endpoint is not None
    with logged_in(endpoint) as client:
        client.execute("SELECT 1")
        told = json.loads(own_cli("status", "--json").out)
    assert told["running"] is True
    assert (told["pid"], told["address"]) == (endpoint.pid, f"127.0.0.1:{endpoint.port}")
    assert told["bytes"] > 0
    assert told["clients"] in (1, None)
    assert endpoint.password not in own_cli("status").out
    assert f"runs, pid {endpoint.pid}" in own_cli("status").out


def test_stop_ends_the_server_and_the_next_command_starts_another(own_cli: Cli) -> None:
    done = own_cli("stop")
    assert (done.code, done.out) == (1, "")
    assert "no server runs" in done.err
    assert own_cli("schema", "upgrade").code == 0
    endpoint = running(own_cli.home / "store")
    assert endpoint is not None
    done = own_cli("stop")
    assert (done.code, done.err) == (0, "")
    wait_for_end(endpoint.pid)
    assert running(own_cli.home / "store") is None
    assert own_cli("status").code == 1
    assert own_cli("schema").code == 0
    assert own_cli("status").code == 0


def test_what_is_not_ours_or_away_is_said(own_cli: Cli) -> None:
    done = own_cli("stop", "--store", "clickhouse://ada:geheim@127.0.0.1:1/x")
    assert (done.code, done.out) == (2, "")
    assert "not ours to stop" in done.err
    done = own_cli("status", "--store", "clickhouse://ada:geheim@127.0.0.1:1/x")
    assert (done.code, done.out) == (2, "")
    assert "127.0.0.1:1" in done.err
    assert "geheim" not in done.err


def test_a_server_tells_its_version_and_how_soon_it_answers(own_cli: Cli) -> None:
    """Served in the foreground, a local store is a server like any other."""
    with serving(own_cli) as process:
        dsn = address_of(process)
        told = json.loads(own_cli("status", "--json", "--store", dsn).out)
        assert (told["local"], told["running"], told["database"]) == (False, True, "history")
        assert told["version"]
        assert told["ping_seconds"] > 0
        assert "geheim" not in own_cli("status", "--store", dsn).out
        assert "no database" in own_cli("doctor", "--store", dsn).out
        assert json.loads(own_cli("schema", "--json", "--store", dsn).out)["version"] == 0
        assert own_cli("schema", "upgrade", "--store", dsn).code == 0
        assert json.loads(own_cli("schema", "--json", "--store", dsn).out)["pending"] == []
        done = own_cli("doctor", "--store", dsn)
        assert (done.code, done.err) == (0, "")
        assert "database history: answers in" in " ".join(done.out.split())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def serving(cli: Cli) -> subprocess.Popen[str]:
    return subprocess.Popen(
        cli.command("serve", "--path", str(cli.home / "served")),
        env={**cli.environment, "AGENTSTORE_SERVE_PASSWORD": "geheim"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    port = process.stdout.readline().split("127.0.0.1:")[1].split(",")[0]
    return f"clickhouse://default:geheim@127.0.0.1:{port}/history"


def test_the_size_of_a_folder_counts_what_has_several_names_once(tmp_path: Path) -> None:
    assert size_of(tmp_path / "none") is None
    (tmp_path / "one").write_bytes(b"x" * 1000)
    os.link(tmp_path / "one", tmp_path / "again")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert size_of(tmp_path) == 1000 + os.lstat(tmp_path / "link").st_size
    assert size_of(tmp_path / "one") == 1000
