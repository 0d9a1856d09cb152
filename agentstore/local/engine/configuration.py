"""What the engine is told when it opens a store: a ClickHouse configuration, made anew at every start.

chdb's own defaults are for throw-away data: a merge removes its source parts at once, nothing is synced, and nothing
keeps a merge from the last free byte.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO

# How long the source parts of a merge stay. The merged part is synced, so this is for what syncing cannot promise: a
# kernel writes back what it holds after half a minute, and the directory entries with it.
OLD_PARTS_SECONDS = 120

_TEMPLATE = """\
<clickhouse>
    <merge_tree>
        <old_parts_lifetime>{old_parts_seconds}</old_parts_lifetime>
        <min_rows_to_fsync_after_merge>1</min_rows_to_fsync_after_merge>
        <min_compressed_bytes_to_fsync_after_merge>1</min_compressed_bytes_to_fsync_after_merge>
        <fsync_after_insert>{fsync:d}</fsync_after_insert>
        <fsync_part_directory>{fsync:d}</fsync_part_directory>
    </merge_tree>
    <storage_configuration>
        <disks>
            <default>
                <keep_free_space_bytes>{reserve}</keep_free_space_bytes>
            </default>
        </disks>
    </storage_configuration>
</clickhouse>
"""


def configuration(*, fsync: bool, reserve: int) -> bytes:
    """The configuration for a store whose inserts are synced, or not, and whose disk keeps ``reserve`` bytes free.

    The engine starts no merge, mutation or insert that would go below the reserve, by its own estimate.
    """
    return _TEMPLATE.format(old_parts_seconds=OLD_PARTS_SECONDS, fsync=fsync, reserve=reserve).encode()


@contextlib.contextmanager
def as_file(content: bytes) -> Iterator[str]:
    """A path under which the engine can read this, whatever the store's own path is called.

    In memory where that can be, so that it needs no space, no owner and no cleaning up.
    """
    with _anonymous_file() as file:
        file.write(content)
        # Flushes as well: what Python still held, the engine would not see.
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}"


def _anonymous_file() -> IO[bytes]:
    if not hasattr(os, "memfd_create"):  # not everywhere
        return tempfile.TemporaryFile()
    return os.fdopen(os.memfd_create("agentstore-configuration"), "w+b")
