"""The guard in front of the engine's writes, in processes of their own: it ends them."""

from __future__ import annotations

import platform
import signal
import sys
from pathlib import Path

import pytest

from agentstore.local.engine.write_guard import TEXT, UnguardedError, install
from tests.local.server_processes import run_python

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the guard is for Linux on x86-64"
)

PROGRAM = """\
import os, resource, sys
import chdb._chdb
from agentstore.local.engine import write_guard
directory, what = sys.argv[1:]
reserve = os.open(directory + "/reserve", os.O_RDWR | os.O_CREAT)
os.ftruncate(reserve, 100)
if what != "bare":
    library = os.path.realpath(chdb._chdb.__file__)
    write_guard.install(library)
    write_guard.install(library)
    write_guard.use_reserve(reserve)
connection = chdb.connect(directory + "/store")
run = lambda sql: connection.query(sql, "CSV").bytes().decode().strip()
run("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
run("INSERT INTO t SELECT number, randomString(1000) FROM numbers(1000)")
if what == "released":
    write_guard.use_reserve(None)
if what != "/dev/full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
    run("INSERT INTO t SELECT number, randomString(1000) FROM numbers(6000)")
else:
    run("INSERT INTO FUNCTION file('/dev/full', 'CSV', 'a Int8') SELECT 1")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("acknowledged", run("SELECT count() FROM t"), flush=True)
try:
    run("SELECT sum(cityHash64(s)) FROM t")
except RuntimeError:
    print("and lost")
"""


def test_without_it_the_engine_acknowledges_rows_it_could_not_write(tmp_path: Path) -> None:
    """Why there is a guard. When this fails, chdb says what it could not write, and the guard can go."""
    code, output, _ = run_python("-c", PROGRAM, str(tmp_path), "bare")
    assert code == 0
    assert output.split() == ["acknowledged", "7000", "and", "lost"]


@pytest.mark.parametrize("what", ["limit", "/dev/full", "released"])
def test_the_process_ends_at_the_first_write_that_fails(tmp_path: Path, what: str) -> None:
    code, output, errors = run_python("-c", PROGRAM, str(tmp_path), what)
    assert (code, output) == (-signal.SIGKILL, "")
    assert TEXT.decode() in errors
    assert (tmp_path / "reserve").stat().st_size == (100 if what == "released" else 0)


def test_a_write_that_the_reserve_makes_possible_goes_on(tmp_path: Path) -> None:
    program = PROGRAM.replace("3_000_000", "30_000_000")
    code, output, _ = run_python("-c", program, str(tmp_path), "limit")
    assert (code, output.split()) == (0, ["acknowledged", "7000"])
    assert (tmp_path / "reserve").stat().st_size == 100


@pytest.mark.parametrize(
    ("library", "reason"), [("/no/such/library.so", "it is not loaded"), ("/dev/null", "not loaded")]
)
def test_what_cannot_be_guarded_is_said(library: str, reason: str) -> None:
    with pytest.raises(UnguardedError, match=reason):
        install(library)


REFUSED = """\
    protect = write_guard._protect
    def refused(address, protection):
        if protection & 2:  # PROT_WRITE
            raise OSError("mprotect")
        protect(address, protection)
    write_guard._protect = refused
    try:
        write_guard.install(library)
    except write_guard.UnguardedError:
        write_guard._protect = protect
"""


def test_a_guard_that_could_not_be_put_in_is_put_in_when_asked_again(tmp_path: Path) -> None:
    """Taken for one that stands, nothing would be guarded, and nobody would count the failed writes either."""
    program = PROGRAM.replace("    write_guard.install(library)\n", REFUSED, 1)
    code, output, errors = run_python("-c", program, str(tmp_path), "limit")
    assert (code, output) == (-signal.SIGKILL, "")
    assert TEXT.decode() in errors


UNGUARDED = """\
import resource, sys
from agentstore.local.engine import write_guard
from agentstore.local.engine.engine import Engine
def nowhere(library):
    raise write_guard.UnguardedError("in this test")
write_guard.install = nowhere
engine = Engine(sys.argv[1])
engine.open()
connection = engine.connect()
with engine.writing():
    connection.run("CREATE TABLE IF NOT EXISTS t (a UInt64, s String) ENGINE = ReplacingMergeTree ORDER BY a "
                   "SETTINGS non_replicated_deduplication_window = 1000")
if sys.argv[2] == "limited":
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
with engine.writing():
    connection.run("INSERT INTO t SETTINGS insert_deduplication_token = 'one' "
                   "SELECT number, randomString(1000) FROM numbers(6000)")
print("acknowledged", connection.text("SELECT uniqExact(cityHash64(s)) FROM t", "CSV"), flush=True)
"""


def test_where_it_is_not_a_repetition_is_not_taken_for_what_was_damaged(tmp_path: Path) -> None:
    code, output, errors = run_python("-c", UNGUARDED, str(tmp_path / "store"), "limited")
    assert (code, output) == (-signal.SIGKILL, "")
    assert "noticed only after the fact" in errors
    code, output, errors = run_python("-c", UNGUARDED, str(tmp_path / "store"), "free")
    assert (code, output.split()) == (0, ["acknowledged", "6000"])
    assert "is detached (broken-on-start)" in errors
