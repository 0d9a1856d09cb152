"""Clients that somebody else wrote: asynch, clickhouse-driver, Debian's clickhouse-client, and chDB's remote()."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from asynch.proto.connection import Connection as Asynch
from clickhouse_driver import Client as Driver
from clickhouse_driver.errors import ServerException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.local.conftest import PASSWORD, ServerThread
from tests.local.types import DRIVER_TYPES

CLICKHOUSE_CLIENT = shutil.which("clickhouse-client")
COMPRESSIONS = [False, "lz4", "zstd"]

ALL_TYPES: list[tuple[str, list[Any]]] = [
    ("UInt8", [0, 255]),
    ("Int256", [-(2**255), 2**255 - 1]),
    ("Float64", [1.5, float("inf")]),
    ("Bool", [True, False]),
    ("String", ["", "ä\x00'\\ \U0001f600" * 50]),
    ("FixedString(3)", ["abc", "xyz"]),
    ("Date", [dt.date(1970, 1, 1), dt.date(2149, 6, 6)]),
    ("Date32", [dt.date(1900, 1, 1), dt.date(2299, 12, 31)]),
    ("DateTime('UTC')", [dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC)] * 2),
    ("DateTime64(6, 'UTC')", [dt.datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)] * 2),
    ("Decimal(76, 6)", [Decimal("-1.5"), Decimal("12345678901234567890.123456")]),
    (r"Enum8('a' = 1, 'b\'),(' = -2)", ["a", "b'),("]),
    ("UUID", [uuid.UUID(int=1), uuid.UUID(int=2**128 - 1)]),
    ("IPv4", [IPv4Address("1.2.3.4"), IPv4Address("0.0.0.0")]),
    ("IPv6", [IPv6Address("::1"), IPv6Address("fe80::1")]),
    ("Nullable(String)", [None, "x"]),
    ("LowCardinality(String)", ["x", "y"]),
    ("LowCardinality(Nullable(String))", [None, "y"]),
    ("Array(Array(LowCardinality(String)))", [[], [["a"], [], ["b", "a"]]]),
    ("Array(Nullable(UInt64))", [[1, None], []]),
    ("Map(String, Array(UInt8))", [{}, {"a": [1], "b": []}]),
    ("Map(LowCardinality(String), Nullable(String))", [{"a": None}, {"b": "c"}]),
    ("Tuple(UInt8, Tuple(String, Array(Int16)))", [(1, ("a", [1])), (2, ("", []))]),
    ("Point", [(1.0, 2.0), (0.0, -1.0)]),
    ("Polygon", [[[(1.0, 2.0)]], []]),
    ("SimpleAggregateFunction(max, UInt64)", [1, 2]),
]


@pytest.fixture(scope="module")
def driver(local: ServerThread) -> Iterator[Driver]:
    client = Driver("127.0.0.1", port=local.port, password=PASSWORD)
    yield client
    client.disconnect()


def plain(value: Any) -> Any:
    """Lists and tuples alike, and times by what instant they are: drivers differ in both."""
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return value


def through_driver(port: int, compression: Any, structure: str, rows: list[Any]) -> list[Any]:
    options = {"allow_suspicious_low_cardinality_types": 1}
    client = Driver("127.0.0.1", port=port, password=PASSWORD, compression=compression, settings=options)
    try:
        client.execute(f"CREATE TEMPORARY TABLE values ({structure})")
        client.execute("INSERT INTO values VALUES", rows)
        got: list[Any] = client.execute("SELECT * FROM values")
        return got
    finally:
        client.disconnect()


def through_asynch(port: int, compression: Any, structure: str, rows: list[Any]) -> list[Any]:
    async def talk() -> list[Any]:
        client = Asynch(host="127.0.0.1", port=port, password=PASSWORD, compression=compression)
        await client.connect()
        try:
            settings = {"allow_suspicious_low_cardinality_types": 1}
            await client.execute(f"CREATE TEMPORARY TABLE values ({structure})", settings=settings)
            await client.execute("INSERT INTO values VALUES", rows)
            got: list[Any] = await client.execute("SELECT * FROM values")
            return got
        finally:
            await client.disconnect()

    return asyncio.run(talk())


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(("kind", "values"), ALL_TYPES, ids=[kind for kind, _ in ALL_TYPES])
def test_every_type_through_clickhouse_driver(
    local: ServerThread, kind: str, values: list[Any], compression: Any
) -> None:
    rows = [(value,) for value in values]
    assert plain(through_driver(local.port, compression, f"v {kind}", rows)) == plain(rows)


# asynch's own ZSTD decoder hands its library a bytearray, which that refuses.
@pytest.mark.parametrize("compression", [False, "lz4"])
@pytest.mark.parametrize(("kind", "values"), ALL_TYPES, ids=[kind for kind, _ in ALL_TYPES])
def test_every_type_through_asynch(local: ServerThread, kind: str, values: list[Any], compression: Any) -> None:
    rows = [(value,) for value in values]
    assert plain(through_asynch(local.port, compression, f"v {kind}", rows)) == plain(rows)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[tuple[Any, ...]]]:
    columns = draw(st.lists(DRIVER_TYPES, min_size=1, max_size=4))
    rows = draw(st.lists(st.tuples(*(values for _, values in columns)), min_size=1, max_size=6))
    return ", ".join(f"c{index} {name}" for index, (name, _) in enumerate(columns)), rows


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(table=tables(), compression=st.sampled_from([False, "lz4", "zstd"]))
def test_random_schemas_and_values_come_back_equal(
    local: ServerThread, table: tuple[str, list[tuple[Any, ...]]], compression: Any
) -> None:
    structure, rows = table
    assert plain(through_driver(local.port, compression, structure, rows)) == plain(rows)


def test_driver_counters(driver: Driver) -> None:
    progress = driver.execute_with_progress("SELECT sum(number) FROM numbers(1000000)")
    assert list(progress)[-1] == (1_000_000, 1_000_000)
    assert progress.get_result() == [(499_999_500_000,)]
    driver.execute("SELECT number FROM numbers(200000)")
    info = driver.last_query.profile_info
    assert (info.rows, info.bytes > 200_000 * 8, info.blocks >= 1) == (200_000, True, True)
    driver.execute("CREATE TABLE IF NOT EXISTS counted (a UInt8) ENGINE = Memory")
    driver.execute("INSERT INTO counted SELECT number FROM numbers(5)")
    assert driver.last_query.progress.written_rows == 5


def test_driver_sees_columns_iterates_and_cancels(driver: Driver) -> None:
    assert driver.execute("SELECT 1 AS a", with_column_types=True) == ([(1,)], [("a", "UInt8")])
    rows = driver.execute_iter("SELECT number FROM numbers(300000)", settings={"max_block_size": 1000})
    assert sum(number for (number,) in rows) == 300_000 * 299_999 // 2
    driver.execute_with_progress("SELECT sleepEachRow(0.3) FROM numbers(3)")
    driver.cancel()
    with pytest.raises(ServerException) as caught:
        driver.execute("SELECT * FROM nosuch")
    assert caught.value.code == 60
    assert driver.execute("SELECT 1") == [(1,)]


ZONED = "toDateTime(1500000000, 'Asia/Tokyo')"


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (f"SELECT {ZONED} AS t, now() AS n", 1),
        (f"SELECT {ZONED} AS t, now() AS n, sleepEachRow(0.03) FROM numbers(2)", 2),
        (f"SELECT {ZONED} AS t, now() AS n, repeat('x', 100) FROM numbers(50000)", 50_000),
        (f"SELECT {ZONED} AS t, now() AS n WHERE 0", 0),
        (f"SELECT {ZONED} AS t, now() AS n, count() FROM numbers(2) GROUP BY t, n WITH TOTALS", 2),
    ],
)
def test_a_time_keeps_the_zone_of_its_column(driver: Driver, sql: str, rows: int) -> None:
    """The engine's own blocks leave out the zone of a DateTime; a server's do not."""
    found, columns = driver.execute(sql, with_column_types=True, settings={"max_block_size": 10_000})
    assert columns[:2] == [("t", "DateTime('Asia/Tokyo')"), ("n", "DateTime")]
    assert len(found) == rows
    assert {row[0].utcoffset() for row in found} <= {dt.timedelta(hours=9)}
    assert {row[1].tzinfo for row in found} <= {None}


DOCUMENTS: list[dict[str, Any]] = [
    {"a": 1, "b": "x"}, {"nested": {"deep": {"deeper": "v"}}}, {"numbers": [1, 2], "texts": ["p", "ä"]},
    {"flag": True, "ratio": 2.5}, {}, {"big": 2**63 - 1}, {"a": "now text", "b": [True]},
]  # fmt: skip


def test_json_documents_through_asynch(local: ServerThread) -> None:
    rows = list(enumerate(DOCUMENTS))
    for compression in (False, "lz4"):
        assert through_asynch(local.port, compression, "id UInt8, doc JSON", rows) == rows
        assert through_asynch(local.port, compression, "id UInt8, doc JSON(max_dynamic_paths=1)", rows) == rows


def test_json_documents_through_clickhouse_driver(local: ServerThread) -> None:
    rows = list(enumerate(DOCUMENTS))
    assert through_driver(local.port, "zstd", "id UInt8, doc JSON", rows) == rows


def test_wrong_password_is_code_516_for_drivers(local: ServerThread) -> None:
    client = Driver("127.0.0.1", port=local.port, password="wrong")
    with pytest.raises(ServerException) as caught:
        client.execute("SELECT 1")
    assert caught.value.code == 516


def test_many_connections_at_once(local: ServerThread) -> None:
    async def talk(number: int) -> int:
        client = Asynch(host="127.0.0.1", port=local.port, password=PASSWORD)
        await client.connect()
        try:
            for _ in range(5):
                await client.execute("INSERT INTO shared VALUES", [(number,)])
            rows: list[Any] = await client.execute("SELECT count() FROM shared WHERE a = %(a)s", {"a": number})
            return int(rows[0][0])
        finally:
            await client.disconnect()

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(talk(number) for number in range(24)))

    client = Driver("127.0.0.1", port=local.port, password=PASSWORD)
    client.execute("CREATE TABLE shared (a UInt8) ORDER BY a")
    assert asyncio.run(all_of_them()) == [5] * 24
    assert client.execute("SELECT count() FROM shared") == [(120,)]
    client.disconnect()


# Debian's clickhouse-client: C++ of 2018, revision 54412.


def clickhouse_client(local: ServerThread, sql: str, *options: str, data: bytes = b"") -> str:
    if CLICKHOUSE_CLIENT is None:
        pytest.skip("clickhouse-client is not installed (apt-get install clickhouse-client)")
    command = [CLICKHOUSE_CLIENT, "--host", "127.0.0.1", "--port", str(local.port), "--password", PASSWORD, *options]
    done = subprocess.run([*command, "-q", sql], input=data, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return done.stdout.decode()


@pytest.mark.parametrize("compression", ["0", "1"])
def test_clickhouse_client(local: ServerThread, compression: str) -> None:
    def run(sql: str, *options: str, data: bytes = b"") -> str:
        return clickhouse_client(local, sql, "--compression", compression, *options, data=data)

    run("DROP TABLE IF EXISTS old")
    run("CREATE TABLE old (a UInt32, s String, n Nullable(Float64), l Array(String), d UInt8 DEFAULT 7) ENGINE = Log")
    run("INSERT INTO old (a, s, n, l) VALUES (1, 'ä', NULL, ['x', 'y']), (2, '', 2.5, [])")
    run("INSERT INTO old FORMAT TSV", data=b"3\tz\t\\N\t[]\t9\n")
    run("INSERT INTO old SELECT number + 10, toString(number), number, [], 1 FROM numbers(100000)")
    assert run("SELECT * FROM old WHERE a < 4 ORDER BY a") == (
        "1\tä\t\\N\t['x','y']\t7\n2\t\t2.5\t[]\t7\n3\tz\t\\N\t[]\t9\n"
    )
    assert run("SELECT count(), sum(a) FROM old") == "100003\t5000950006\n"
    assert run("SELECT number FROM numbers(200000) FORMAT Null") == ""
    assert json.loads(run("SELECT 1 AS x FORMAT JSON"))["data"] == [{"x": 1}]
    assert run("SELECT a % 2 AS x, count() FROM old WHERE a < 4 GROUP BY x WITH TOTALS ORDER BY x FORMAT TSV") == (
        "0\t1\n1\t2\n\n0\t3\n"
    )
    assert run("SELECT 1 WHERE 0") == ""
    assert run("SHOW TABLES LIKE 'old'") == "old\n"
    assert run("SELECT getSetting('max_block_size')", "--max_block_size", "11") == "11\n"
    options = ["--totals_mode", "after_having_exclusive", "--totals_auto_threshold", "0.25", "--max_threads", "1"]
    assert run("SELECT getSetting('totals_mode'), getSetting('totals_auto_threshold')", *options) == (
        "after_having_exclusive\t0.25\n"
    )
    assert run("SELECT 1; SELECT 2;", "-n") == "1\n2\n"
    assert run("SELECT toLowCardinality('a'), [toLowCardinality('b')]") == "a\t['b']\n"
    with pytest.raises(RuntimeError, match=r"Code: 60\..*nosuch"):
        run("SELECT * FROM nosuch")
    with pytest.raises(RuntimeError, match=r"Code: 81\."):
        run("SELECT 1", "--database", "nosuch")


# chDB's remote(): the newest C++ client, in a process of its own because an engine opens one path per process.

REMOTE = """
import json, sys, chdb
port, password, folder = sys.argv[1], sys.stdin.read(), sys.argv[2]
connection = chdb.connect(folder)
answers = []
for sql in json.loads(sys.argv[3]):
    sql = sql.replace("REMOTE(", "remote('127.0.0.1:" + port + "', ")
    sql = sql.replace("AS_USER", "'default', '" + password.replace("'", "\\\\'") + "'")
    try:
        answers.append(connection.query(sql, "TSV").bytes().decode())
    except Exception as error:
        answers.append("ERROR " + str(error))
connection.close()
print(json.dumps(answers))
"""


def remote(local: ServerThread, folder: Path, *statements: str) -> list[str]:
    command = [sys.executable, "-c", REMOTE, str(local.port), str(folder), json.dumps(statements)]
    done = subprocess.run(command, input=PASSWORD.encode(), capture_output=True, timeout=90, check=True)
    answers: list[str] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("method", ["NONE", "LZ4", "ZSTD"])
def test_remote_of_chdb(local: ServerThread, driver: Driver, tmp_path: Path, method: str) -> None:
    driver.execute("DROP TABLE IF EXISTS far")
    driver.execute(
        "CREATE TABLE far (a UInt64, s String, l LowCardinality(Nullable(String)), m Map(String, Array(UInt8)), "
        "t Tuple(x UInt8, y DateTime64(3, 'UTC'))) ENGINE = MergeTree ORDER BY a"
    )
    columns = "number, toString(number), toLowCardinality(toNullable('v')), map('k', [1, 2]), (1, '2020-01-01')"
    settings = f"SETTINGS network_compression_method = '{method}'"
    answers = remote(
        local,
        tmp_path / "own",
        f"INSERT INTO FUNCTION REMOTE(default.far, AS_USER) {settings} SELECT {columns} FROM numbers(100000)",
        f"SELECT count(), sum(a), any(l), any(m), any(t) FROM REMOTE(default.far, AS_USER) {settings}",
        f"SELECT a % 3 AS k, count() FROM REMOTE(default.far, AS_USER) GROUP BY k ORDER BY k {settings}",
        f"SELECT s FROM REMOTE(default.far, AS_USER) WHERE a = 77777 {settings}",
        f"SELECT s FROM REMOTE(default.far, AS_USER) WHERE a > 1e9 {settings}",
        f"SELECT a FROM REMOTE(default.far, AS_USER) ORDER BY a DESC LIMIT 2 {settings}",
        "SELECT count() FROM REMOTE(numbers(1000000), AS_USER)",
        "SELECT 1 FROM REMOTE(default.nosuch, AS_USER)",
        "SELECT 1 FROM REMOTE(system.one, 'default', 'wrong')",
        "SELECT 'the last' FROM REMOTE(system.one, AS_USER)",
    )
    assert answers[:7] == [
        "",
        "100000\t4999950000\tv\t{'k':[1,2]}\t(1,'2020-01-01 00:00:00.000')\n",
        "0\t33334\n1\t33333\n2\t33333\n",
        "77777\n",
        "",
        "99999\n99998\n",
        "1000000\n",
    ]
    assert answers[7].startswith("ERROR Code: 60")
    assert answers[8].startswith("ERROR Code: 516")
    assert answers[9] == "the last\n"
    assert driver.execute("SELECT count() FROM far") == [(100_000,)]
