"""clickhouse-driver's own tests, run against the local server.

`python -m tests.local.driver_suite [FOLDER]` takes the tests from a checkout of clickhouse-driver, or clones the
version that is installed. It passes where every test that fails is named in docs/local-server.md, and says which of
those pass after all. Without a network it says so and passes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

REPOSITORY = "https://github.com/mymarilyn/clickhouse-driver"
NEEDED = ("freezegun", "parameterized")
PORT = 9000
"""One of the tests connects to the usual port without naming it."""
KNOWN = Path(__file__).parents[2] / "docs" / "local-server.md"
CONFIGURATION = """
[db]
host=127.0.0.1
port={port}
secure_port=9440
database=test
user=default
password=
compression=lz4,lz4hc,zstd
client={client}
[log]
level=ERROR
"""
# What the suite asks of clickhouse-client: a statement as it is, a result as TSV.
CLIENT = """#!{python}
import os, sys
from clickhouse_driver import Client

given = dict(zip([name.lstrip("-") for name in sys.argv[1::2]], sys.argv[2::2]))
sql, host, port, database = (given.pop(name) for name in ("query", "host", "port", "database"))
if given.pop("use_client_time_zone", "0") in ("1", "true"):
    given["session_timezone"] = os.environ["TZ"]
client = Client(host, port=int(port), database=database, settings={{"strings_as_bytes": True, **given}})
try:
    if sql.split(None, 1)[0].upper() in ("SELECT", "WITH"):
        for (row,) in client.execute("SELECT formatRow('TSV', *) FROM (\\n" + sql + "\\n)"):
            sys.stdout.buffer.write(row)
    else:
        with client.disconnect_on_error(sql, client.settings):
            client.connection.send_query(sql, query_id="")
            client.connection.send_external_tables([])
            client.receive_result()
except Exception as error:
    sys.exit(str(error))
"""


class UnavailableError(Exception):
    """Something that comes over the network is not to be had."""


def fetch_tests(given: str | None, folder: Path) -> None:
    source = Path(given) if given else folder / "source"
    if not given:
        tag = version("clickhouse-driver")
        run_or_skip(["git", "clone", "--quiet", "--depth", "1", "--branch", tag, REPOSITORY, str(source)])
    shutil.copytree(source / "tests", folder / "tests")


def run_or_skip(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise UnavailableError(f"{' '.join(command[:2])}: {done.stderr.strip().splitlines()[-1]}")


@contextmanager
def server(folder: Path) -> Iterator[None]:
    # The suite expects a server in this zone, as its own compose file starts it.
    command = [
        sys.executable,
        "-m",
        "agentstore.local",
        "--path",
        str(folder / "db"),
        "--port",
        str(PORT),
        "--no-password",
    ]
    process = subprocess.Popen(command, env={**os.environ, "TZ": "Europe/Moscow"}, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit(f"the server did not start; is port {PORT} free?")
        yield
    finally:
        process.terminate()
        process.wait(30)


def failures(folder: Path) -> tuple[set[str], str]:
    """The names of the tests that failed, and the last line of the run."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rfE",
        "--tb=no",
        "--timeout",
        "120",
        "-p",
        "no:randomly",
        "tests",
    ]
    env = {**os.environ, "PYTHONPATH": f"{folder / 'site'}:{folder}"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    found = re.findall(r"^(?:FAILED|ERROR) tests/(\S+)", done.stdout, re.MULTILINE)
    return set(found), done.stdout.strip().splitlines()[-1]


def known() -> set[str]:
    return set(re.findall(r"`(\S+::\S+)`", KNOWN.read_text()))


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="driver-suite-") as name:
        folder = Path(name)
        try:
            fetch_tests(arguments[0] if arguments else None, folder)
            run_or_skip([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder / "site"), *NEEDED])
        except UnavailableError as error:
            print(f"skipped: {error}")
            return 0
        client = folder / "client"
        client.write_text(CLIENT.format(python=sys.executable))
        client.chmod(0o700)
        (folder / "setup.cfg").write_text(CONFIGURATION.format(port=PORT, client=client))
        with server(folder):
            failed, summary = failures(folder)
    print(summary)
    for test in sorted(failed - known()):
        print(f"fails, and {KNOWN.name} does not say why: {test}")
    for test in sorted(known() - failed):
        print(f"passes, although {KNOWN.name} says otherwise: {test}")
    return 1 if failed - known() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
