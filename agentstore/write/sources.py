"""Source ids as numbers: by them it is found which sessions hold the same messages. Pure.

The number is ``halfMD5(source_id)`` on the server, so that statements can make it from what is stored. Two ids with one
number make a family of two sessions that share nothing: then nothing in it is a copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from agentstore.connection.sql import Sql, sql, valid_text


def source_of(source_id: str) -> int:
    """The number of a message's source id."""
    return int.from_bytes(hashlib.md5(valid_text(source_id).encode(), usedforsecurity=False).digest()[:8], "big")


def encode_sources(source_ids: Sequence[str]) -> tuple[bytes]:
    """The numbers of many source ids as a column ``UInt64``."""
    # The number is made of the first eight bytes, the highest first; a column has the lowest first.
    md5 = hashlib.md5
    return (b"".join([md5(valid_text(id).encode(), usedforsecurity=False).digest()[7::-1] for id in source_ids]),)


def marker_of(session_id: str) -> int:
    """The number under which it is noted that a session has a family, is a subagent, or has some."""
    return source_of("\0" + session_id)


# Of a message, and of a session's own mark, on the server.
SOURCE = sql("halfMD5(source_id)")
MARKER = sql("halfMD5(concat('\\0', session_id))")


def is_marker() -> Sql:
    """The condition on a row of ``message_sources``."""
    return sql("source = {marker}", marker=MARKER)
