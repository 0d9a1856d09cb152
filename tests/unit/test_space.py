"""How much space is kept, who is refused, and what the refusal says."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from agentstore.local.engine.configuration import as_file, configuration
from agentstore.local.engine.disk_space import MIB, NoSpaceError, Space, Volume, reserve_file_size, reserve_of, shortage
from agentstore.local.engine.errors import EngineError
from agentstore.local.session.spool import Spool
from agentstore.local.sql.analysis import needs_space


@pytest.mark.parametrize(
    ("total", "reserve"),
    [(0, 0), (40 * MIB, 10 * MIB), (200 * MIB, 16 * MIB), (1000 * MIB, 50 * MIB), (10**12, 256 * MIB)],
)
def test_the_reserve_is_a_twentieth_within_bounds(total: int, reserve: int) -> None:
    assert reserve_of(total) == reserve
    assert reserve_file_size(reserve) <= min(reserve // 4, 16 * MIB)


def test_a_shortage_names_path_and_missing_bytes() -> None:
    volume = Volume(1000, 100, None)
    assert shortage("/a/b", volume, 40, 60) == ""
    assert shortage("/a/b", volume, 41, 60).startswith("Not enough space at /a/b: 1 bytes are missing")
    assert "-" not in shortage("/a/b", Volume(1000, 0, None), 0, 60)


def test_inodes_can_be_missing_too() -> None:
    assert shortage("/a", Volume(1000, 100, 7), 0, 0, inodes=8).startswith(
        "Not enough space at /a: 1 inodes are missing"
    )
    assert shortage("/a", Volume(1000, 100, 8), 0, 0, inodes=8) == ""


def test_what_others_are_writing_is_counted(tmp_path: Path) -> None:
    space = Space(str(tmp_path))
    free = Volume.of(str(tmp_path)).free
    with space.claim(free // 2), pytest.raises(NoSpaceError, match="bytes are missing"), space.claim(free // 2):
        pass
    with space.claim(free // 2):
        assert repr(space) == f"<Space {str(tmp_path)!r} claimed={free // 2}>"
    assert "claimed=0" in repr(space)


def test_the_reserve_file_has_its_size_where_there_is_space(tmp_path: Path) -> None:
    space = Space(str(tmp_path))
    descriptor = space.open()
    assert space.open() == descriptor
    space.refill()
    (file,) = tmp_path.iterdir()
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (reserve_file_size(space.reserve), 0o600)
    space.close()
    space.close()


@pytest.mark.parametrize(
    "sql",
    ["INSERT INTO t SELECT 1", "/* x */ insert into t values (1)", "CREATE TABLE t (a Int8) ORDER BY a",
     "OPTIMIZE TABLE t", "ALTER TABLE t UPDATE a = 1 WHERE b", "DELETE FROM t WHERE a",
     "CREATE OR REPLACE TABLE t AS u"],
)  # fmt: skip
def test_what_makes_a_store_grow_needs_space(sql: str) -> None:
    assert needs_space(sql)


@pytest.mark.parametrize(
    "sql",
    ["SELECT 'INSERT'", "DROP TABLE t", "TRUNCATE TABLE t", "ALTER TABLE t DROP PARTITION 1", "SYSTEM STOP MERGES", "",
     "CREATE DATABASE IF NOT EXISTS d", "create table if not exists t (a Int8)", "CREATE TEMPORARY TABLE t (a Int8)",
     "SET a = 1", "KILL QUERY WHERE 1", "ALTER TABLE t DETACH PART 'all_1_1_0'"],
)  # fmt: skip
def test_what_reads_and_what_frees_needs_none(sql: str) -> None:
    assert not needs_space(sql)


def test_an_insert_too_large_to_keep_is_refused_at_its_end(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "missing"), memory_bytes=4)
    spool.write(b"1234")
    spool.write(b"5678")
    spool.write(b"9")
    with pytest.raises(
        EngineError, match=r"Cannot keep an insert of 8 bytes or more in .*missing: No such file"
    ) as caught:
        spool.path()
    assert (caught.value.code, spool.size) == (243, 9)
    spool.close()


def test_an_insert_asks_for_space_before_its_file_grows(tmp_path: Path) -> None:
    space = Space(str(tmp_path), reserve=1 << 62)
    spool = Spool(str(tmp_path), memory_bytes=4, space=space)
    spool.write(b"12345")
    with pytest.raises(EngineError, match=f"Not enough space at {tmp_path}: "):
        spool.path()


@pytest.mark.parametrize("fsync", [False, True])
def test_the_configuration_is_a_file_for_as_long_as_it_is_needed(fsync: bool) -> None:
    with as_file(configuration(fsync=fsync, reserve=12345)) as path:
        root = ElementTree.parse(path).getroot()
    assert root.findtext("merge_tree/fsync_after_insert") == str(int(fsync))
    assert root.findtext("storage_configuration/disks/default/keep_free_space_bytes") == "12345"
