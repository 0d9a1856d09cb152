"""``agentstore schema``, as a process."""

from __future__ import annotations

import json

from agentstore.schema.plan import load_migrations
from tests.cli.running import Cli
from tests.cli.stores import execute, make_newer

NEWEST = len(load_migrations())


def test_from_no_store_over_an_old_one_to_the_newest(own_cli: Cli) -> None:
    done = own_cli("schema")
    assert (done.code, done.out) == (1, "")
    assert "there is no store" in done.err
    assert not (own_cli.home / "store").exists()
    assert own_cli("schema", "upgrade", "--json").out == json.dumps(
        {"applied": list(range(1, NEWEST + 1))}, separators=(",", ":")
    ) + "\n"  # fmt: skip
    assert own_cli("schema", "upgrade").out == "the tables are up to date already\n"
    execute(own_cli.dsn, f"DELETE FROM schema_migrations WHERE version = {NEWEST}")
    told = json.loads(own_cli("schema", "--json").out)
    assert (told["version"], told["newest"], told["newer"]) == (NEWEST - 1, NEWEST, False)
    assert [one["version"] for one in told["pending"]] == [NEWEST]
    done = own_cli("schema", width=40)
    assert done.code == 0
    assert f"pending  {NEWEST:04d}" in done.out
    assert json.loads(own_cli("schema", "show", "--json").out)["version"] == NEWEST - 1
    assert own_cli("schema", "upgrade").out == f"applied: {NEWEST}\n"


def test_a_store_of_a_newer_version_is_said_and_left_alone(own_cli: Cli) -> None:
    make_newer(own_cli.dsn)
    done = own_cli("schema", "--json")
    assert (done.code, json.loads(done.out)["newer"]) == (2, True)
    assert "upgrade agentstore" in done.err
    done = own_cli("schema", "upgrade")
    assert (done.code, done.out) == (2, "")
    assert "schema version 9999" in done.err
    done = own_cli("doctor")
    assert done.code == 2
    assert "fail schema: the tables are of a newer agentstore" in done.out


def test_wrong_usage(own_cli: Cli) -> None:
    assert own_cli("schema", "downgrade").code == 2
    done = own_cli("schema", "--store", "clickhouse://ada:geheim@127.0.0.1:1/x")
    assert (done.code, done.out) == (2, "")
    assert "geheim" not in done.err
