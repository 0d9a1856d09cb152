"""Statements that reach outside of the store are refused, however they are written; what only looks so is not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client as Driver

from agentstore.local.protocol.wire import text, varint
from tests.local.conftest import ServerThread
from tests.local.talk import HELLO, NO_TABLES, Raw, connected, execute, query_packet

REFUSED = b"(ACCESS_DENIED)"
WORD = "the word of the secret file"


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("secret") / "secret.txt"
    file.write_text(WORD + "\n")
    return file


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    with ServerThread(tmp_path_factory.mktemp("wall") / "db") as running, Driver("127.0.0.1", running.port) as client:
        client.execute("CREATE TABLE t (a String, b String) ENGINE = MergeTree ORDER BY a")
        client.execute("CREATE TABLE inputs (input String) ENGINE = Memory")
        yield running


async def ask(server: ServerThread, sql: str, settings: bytes = b"") -> bytes:
    """Everything the server answers to one query, and to a packet that makes no sense after it."""
    raw = await Raw.connect(server.server, HELLO, query_packet(sql, settings=settings), NO_TABLES, NO_TABLES, b"\x63")
    return await raw.all()


REACHING = [
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM FILE ('{secret}', 'LineAsString')",
    "SELECT * FROM file/* ( */('{secret}', 'LineAsString')",
    "SELECT * FROM file -- x\n ('{secret}', 'LineAsString')",
    "SELECT * FROM file\u00a0('{secret}', 'LineAsString')",
    "SELECT * FROM file" + " " * 200_000 + "('{secret}', 'LineAsString')",
    "SELECT '" + "x" * 65_280 + "', * FROM file('{secret}', 'LineAsString')",
    "SELECT " + "abs(" * 400 + "length(file('{secret}'))" + ")" * 400,
    "SELECT * FROM `file`('{secret}', 'LineAsString')",
    'SELECT * FROM "file"(\'{secret}\', \'LineAsString\')',
    "SELECT * FROM “file”('{secret}', 'LineAsString')",
    "SELECT * FROM `fi\\x6ce`('{secret}', 'LineAsString')",
    "SELECT file('{secret}')",
    "SELECT 1 IN file('{secret}', 'LineAsString')",
    "SELECT (SELECT any(line) FROM file('{secret}', 'LineAsString'))",
    "WITH a AS (SELECT * FROM file('{secret}', 'LineAsString')) SELECT * FROM a",
    "SELECT * FROM view(SELECT * FROM file('{secret}', 'LineAsString'))",
    "SELECT 1 UNION ALL SELECT count() FROM file('{secret}', 'LineAsString')",
    "FROM file('{secret}', 'LineAsString') SELECT *",
    "(SELECT * FROM file('{secret}', 'LineAsString'))",
    "/* c */ SELECT * FROM file('{secret}', 'LineAsString')",
    "EXPLAIN SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM (EXPLAIN SELECT * FROM file('{secret}', 'LineAsString'))",
    "DESCRIBE file('{secret}', 'LineAsString')",
    "DESCRIBE (SELECT file('{secret}'))",
    "DESCRIBE (SELECT formatRow('Template', 1) SETTINGS format_template_row = '{secret}')",
    "INSERT INTO FUNCTION file('{secret}', 'LineAsString') SELECT 'x'",
    "INSERT INTO TABLE FUNCTION file('{secret}', 'LineAsString', 'a String') VALUES ('x')",
    "INSERT INTO FUNCTION file('{secret}', 'LineAsString', 'a String') VALUES",
    "INSERT INTO t SELECT line, '' FROM file('{secret}', 'LineAsString')",
    "INSERT INTO t VALUES ('x', file('{secret}'))",
    "INSERT INTO t VALUES ('x;', `fi\\x6ce`('{secret}'))",
    "INSERT INTO t VALUES ('x', 'y'); INSERT INTO t VALUES ('x', file('{secret}'))",
    "INSERT INTO t FROM INFILE '{secret}' FORMAT CSV",
    "INSERT INTO t (a, b, $$x$$, file('{secret}')) VALUES",
    "SELECT $$'$$; SELECT * FROM file('{secret}', 'LineAsString') --'",
    "SELECT $$'$$; DROP TABLE t --'",
    "CREATE TABLE x AS file('{secret}', 'LineAsString')",
    "CREATE TABLE x (line String) ENGINE = File(LineAsString, '{secret}')",
    "CREATE TEMPORARY TABLE x (line String) ENGINE = File(LineAsString)",
    "CREATE TABLE x (line String) ENGINE = Kafka SETTINGS kafka_broker_list = 'h:1'",
    "CREATE TABLE x (a String DEFAULT file('{secret}')) ENGINE = Memory",
    "ALTER TABLE t ADD COLUMN c String DEFAULT file('{secret}')",
    "ALTER TABLE t UPDATE b = file('{secret}') WHERE 1",
    "CREATE VIEW x AS SELECT * FROM file('{secret}', 'LineAsString')",
    "CREATE MATERIALIZED VIEW x ENGINE = File(CSV, '{secret}.csv') AS SELECT * FROM t",
    "CREATE TABLE x (a Int8) ENGINE = Memory PARALLEL WITH CREATE TABLE y AS file('{secret}', 'LineAsString')",
    "DROP TABLE IF EXISTS none PARALLEL WITH CREATE TABLE y ENGINE = Kafka SETTINGS kafka_broker_list = 'h:1'",
    "CREATE TABLE x (a Int8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = '{secret}.d/')",
    "CREATE TABLE x (j JSON(max_dynamic_paths = 1), a String DEFAULT file('{secret}')) ENGINE = Memory",
    "CREATE TABLE x (j JSON(a String)) ENGINE = MergeTree ORDER BY tuple() SETTINGS disk = disk(type = 'local')",
    "CREATE MATERIALIZED VIEW x (j JSON(a String)) ENGINE = File(CSV, '{secret}.csv') AS SELECT '{{}}'::JSON AS j",
    "CREATE TABLE x (j JSON(a String)) ENGINE = File(CSV, '{secret}.csv')",
    "CREATE TABLE x (j JSON(a Int8), b Int8) ENGINE = Memory AS SELECT * FROM format(CSV, 'b Int8 DEFAULT 1', '1')",
    "CREATE FUNCTION x AS (a) -> file(a)",
    "CREATE DICTIONARY x (a UInt64, b String) PRIMARY KEY a SOURCE(FILE(path '{secret}' format 'TSV')) LAYOUT(FLAT())",
    "CREATE DATABASE x ENGINE = Filesystem('/')",
    "CREATE NAMED COLLECTION x AS url = 'http://127.0.0.1:1/'",
    "ATTACH TABLE x FROM '{secret}' (a Int8) ENGINE = MergeTree ORDER BY a",
    "BACKUP TABLE t TO File('{secret}.backup')",
    "RESTORE TABLE t FROM File('{secret}.backup')",
    "SET format_template_row = '{secret}'",
    "SET dialect = 'kusto'",
    "SELECT formatRow('Template', 1) SETTINGS format_template_row = '{secret}'",
    "SELECT formatRow('Template', 1) SETTINGS `format_template_ro\\x77` = '{secret}'",
    "SELECT * FROM format(JSONEachRow, 'a String, b String DEFAULT file(\\'{secret}\\')', '{{\"a\": \"1\"}}')",
    "SELECT * FROM format(CSV, concat('a String, b String DEF', 'AULT fi', 'le(\\'{secret}\\')'), '1')",
    "SYSTEM SHUTDOWN",
    "SYSTEM KILL",
    "SYSTEM RELOAD CONFIG",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1:1', 'default.t')",
    "SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV')",
    "SELECT * FROM executable('x.sh', 'TSV', 'a String')",
    "SELECT * FROM python('x')",
    "SELECT * FROM sqlite('{secret}', 'x')",
    "SELECT * FROM loop(file('{secret}', 'LineAsString')) LIMIT 1",
    "SELECT aiGenerate('x')",
    "CREATE USER x",
    "SELECT * APPLY(file) FROM (SELECT '{secret}' AS p)",
    "SELECT * APPLY file FROM (SELECT '{secret}' AS p)",
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT 1 SETTINGS additional_result_filter = 'throwIf(1, file(\\'{secret}\\'))'",
    "SELECT 1 FROM t SETTINGS additional_table_filters = {'t': 'throwIf(1, file(\\'{secret}\\'))'}",
    "SET parallel_replicas_custom_key = 'throwIf(1, file(\\'{secret}\\'))'",
    "SELECT * FROM format(Values, 'a String', '(file(\\'{secret}\\'))')",
    "SELECT * FROM format(concat('Val', 'ues'), 'a String', '(fi\\x6ce(\\'{secret}\\'))')",
    "SELECT b FROM generateRandom('a UInt8, b String ALIAS fi\\x6ce(\\'{secret}\\')') LIMIT 1",
    "SELECT b FROM values('a UInt8, b String ALIAS fi\\x6ce(\\'{secret}\\')', 1)",
    "INSERT INTO FUNCTION null('a UInt8, b UInt8 DEFAULT throwIf(1, fi\\x6ce(\\'{secret}\\'))') (a) SELECT 1",
    "INSERT INTO t VALUES ([ -- ], file('{secret}'))\n",
    "INSERT INTO t SELECT * FROM input('a String, b String ALIAS file(\\'{secret}\\')') FORMAT Native",
]  # fmt: skip


@pytest.mark.parametrize("sql", REACHING, ids=lambda sql: sql[:60].encode("ascii", "replace").decode())
async def test_what_reaches_outside_is_refused(server: ServerThread, secret: Path, sql: str) -> None:
    answer = await ask(server, sql.replace("{{", "{").replace("}}", "}").replace("{secret}", str(secret)))
    assert REFUSED in answer or b"(SYNTAX_ERROR)" in answer
    assert WORD.encode() not in answer
    assert untouched(secret)
    assert await stored(server) == []


def untouched(secret: Path) -> bool:
    return list(secret.parent.iterdir()) == [secret] and secret.read_text() == WORD + "\n"


async def test_defaults_in_a_structure_of_blocks_are_never_computed(server: ServerThread, secret: Path) -> None:
    structure = f"a String, b String DEFAULT file(\\'{secret}\\')"
    answer = await ask(server, f'INSERT INTO t SELECT * FROM input(\'{structure}\') FORMAT JSONEachRow {{"a": "1"}}')
    assert WORD.encode() not in answer
    assert await stored(server) == []


async def stored(server: ServerThread) -> object:
    async with connected(server.server) as client:
        tables = await execute(client, "SELECT name FROM system.tables WHERE database = 'default' ORDER BY name")
        assert tables == [("inputs",), ("t",)]
        return await execute(client, "SELECT * FROM t")


@pytest.mark.parametrize("name", ["format_template_row", "format_schema", "dialect"])
async def test_a_setting_sent_along_is_refused_as_well(server: ServerThread, secret: Path, name: str) -> None:
    answer = await ask(server, "SELECT 1", text(name) + varint(0) + text(str(secret)))
    assert REFUSED in answer
    assert REFUSED not in await ask(server, "SELECT 1", text("dialect") + varint(0) + text("clickhouse"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'file(', 'SELECT * FROM url(\\'http://\\'); DROP TABLE t'",
        "SELECT `file`, `a\\x62` FROM (SELECT 'remote(' AS `file`, 1 AS ab)",
        "SELECT 1 AS url, 2 AS file, 3 AS python WHERE url IN (1) -- file(",
        "SELECT arrayMap(url -> (url), [1]) AS s3",
        "WITH x AS (SELECT number AS file FROM numbers(3)) SELECT file FROM x WHERE file IN (SELECT * FROM zeros(2))",
        "INSERT INTO inputs (input) VALUES ('file(\\'x\\'); SELECT')",
        "INSERT INTO inputs VALUES (upper('; url('))",
        "INSERT INTO inputs (input) VALUES",
        "INSERT INTO inputs SELECT ';'",
        "SELECT * FROM format(JSONEachRow, 'a String', '{\"a\": \"file(DEFAULT\"}')",
        "SELECT input FROM merge('default', 'inputs') UNION ALL SELECT 'x' FROM generateRandom('a Int8') LIMIT 1",
        "SELECT format('{}', input) FROM inputs",
        "EXPLAIN SELECT 'file('",
        "DESCRIBE (SELECT 'file(' AS x)",
        "CREATE OR REPLACE TEMPORARY TABLE f (j JSON(a String, max_dynamic_paths = 1)) ENGINE = Memory",
        "SHOW CREATE TABLE t",
        "CREATE OR REPLACE FUNCTION twice AS (x) -> x * 2",
        "CREATE OR REPLACE TEMPORARY TABLE f (x String DEFAULT 'file(', y Int8) ENGINE = Memory",
        "SYSTEM STOP MERGES inputs",
        "SYSTEM START MERGES inputs",
        "SYSTEM FLUSH LOGS",
        "OPTIMIZE TABLE t",
        "KILL QUERY WHERE query_id = 'file('",
        "SET max_threads = 2",
        "SELECT file, count(file), `file` FROM (SELECT 1 AS file) GROUP BY file",
        "SELECT arrayMap(x -> (x, file), [1]) FROM (SELECT 1 AS file)",
        "SELECT * APPLY(toString) FROM t",
        "SELECT * FROM values('a String', 'C:\\\\x', 'file(')",
        "SELECT * FROM generateRandom() LIMIT 1",
        "SELECT * FROM null('a String')",
    ],
)
async def test_what_only_names_it_passes(server: ServerThread, sql: str) -> None:
    answer = await ask(server, sql)
    assert answer.count(b"DB::Exception: ") == 1, answer  # that of the packet after it
    assert b"Unexpected packet " in answer


async def test_files_are_no_tables(server: ServerThread, secret: Path) -> None:
    for name in (f"`{secret}`", f"default.`{secret}`", f"`{secret.parent}/*`"):
        assert b"(UNKNOWN_TABLE)" in await ask(server, f"SELECT * FROM {name}")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t // ( throwIf(1, file('{secret}')) )\n (a) VALUES",
        "KILL QUERY // WHERE (SELECT throwIf(1, file('{secret}'))) = 0) --\n WHERE query_id = 'x'",
        "KILL QUERY WHERE query_id = $$ WHERE file('{secret}') $$",
    ],
)
async def test_parts_of_a_statement_are_what_they_are_in_the_whole(
    server: ServerThread, secret: Path, sql: str
) -> None:
    answer = await ask(server, sql.replace("{secret}", str(secret)))
    assert WORD.encode() not in answer
    assert b"(SYNTAX_ERROR)" not in answer


async def test_the_refusal_names_the_way_out(server: ServerThread, secret: Path) -> None:
    answer = await ask(server, f"SELECT * FROM file('{secret}')")
    assert (497).to_bytes(4, "little") in answer
    assert b"--allow-external" in answer
    assert b"AGENTSTORE_LOCAL_ALLOW_EXTERNAL" in answer


async def test_a_word_costs_a_look_and_no_more(server: ServerThread) -> None:
    async with connected(server.server) as client:
        await execute(client, "SELECT 1")
        session = list(server.server._connections)[-1]._queries._session
        assert session._asked is None
        await execute(client, "SELECT url, pr_url, file_path FROM (SELECT 1 AS url, 2 AS pr_url, 3 AS file_path)")
        assert session._asked is None
        await execute(client, "SELECT 'file('")
        assert session._asked is not None


def test_looking_for_names_first_finds_what_trying_each_does(server: ServerThread) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # shown where the test fails
    chance, sandbox = random.Random(seed), server.server._make_sandbox()
    names = [
        *sandbox._names,
        "aiGenerate",
        "ai",
        "values",
        "İfile",
        "\u212afile",
        "éfile",
        "f\u0131le",
        "xfile",
        "file_",
    ]
    between = ["(", " (", ",", ")", "`", "é", " ", "\n(", ".", "'", "/*", "1", "_", "\u00a0", "=", "id", "x" * 65_500]
    found = 0
    for _ in range(3_000):
        parts = [chance.choice(chance.choice([names, between])) for _ in range(chance.randrange(1, 7))]
        piece = "".join(part.upper() if chance.random() < 0.3 else part for part in parts)
        matches = sandbox._suspect.search(piece) is not None
        assert sandbox._is_suspect_piece(piece) == matches, piece
        found += matches
    assert 300 < found < 2_700
