"""Records to encoded rows, and these to blocks.

Pure: nothing here waits or sends. A record that does not fit raises ``InvalidArgumentError`` naming record and field.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from agentstore.errors import InvalidArgumentError
from agentstore.organisation import organisation
from agentstore.write.encoding import Segments, encode_strings, encode_varint
from agentstore.write.rows import Table

# Block info of the protocol: no overflow rows, no bucket.
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"

_VERSION_BYTES = 8


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows of one table as columns of bytes, in the order of ``Table.header``. ``byte_count`` is their size.

    The version is 0, and its column has no bytes, until ``at_version`` says which it is: it is decided when the rows
    are accepted, which is later.
    """

    table: Table
    row_count: int
    columns: tuple[Segments, ...]
    byte_count: int
    version: int = 0

    def at_version(self, version: int) -> EncodedRows:
        """The same rows, all of this version."""
        if not self.table.versioned:
            return replace(self, version=version)
        column = (struct.pack("<Q", version) * self.row_count,)
        return replace(self, columns=(*self.columns[:-2], column, self.columns[-1]), version=version)


def encode_rows(
    table: Table, org_id: str, records: Sequence[Any], *, name: str, deleted: bool = False, offset: int = 0
) -> EncodedRows:
    """Check and encode records; ``name`` and ``offset`` say what to call them in an error (``messages[offset]``)."""
    count = len(records)
    columns: list[Segments] = [(_encode_org(org_id)[0] * count,)]
    # By class, not by the fields: a SessionStar has all those of a SessionDelete, and would hide the session.
    if not all(issubclass(kind, table.record) for kind in set(map(type, records))):
        raise _diagnose(table, records, name, offset)
    try:
        for column, (_, encode) in table.columns.items():
            columns.append(encode(list(map(attrgetter(table.fields.get(column, column)), records))))
    except (TypeError, ValueError, OverflowError, AttributeError):
        raise _diagnose(table, records, name, offset) from None
    if table.versioned:
        columns += [(b"",), (bytes([deleted]) * count,)]
    # With the version's bytes, which are not there yet: what may wait is bounded by what will be held.
    size = sum(len(segment) for column in columns for segment in column) + _VERSION_BYTES * count
    return EncodedRows(table, count, tuple(columns), size)


def encode_block(rows: Sequence[EncodedRows]) -> bytes:
    """One native block of all rows, in their order."""
    table = rows[0].table
    parts = [_BLOCK_INFO, encode_varint(len(table.header)), encode_varint(sum(part.row_count for part in rows))]
    for index, column in enumerate(table.header):
        parts.extend(encode_strings(column))
        # Segment by segment: in one block the map of absent values of all rows stands before all values.
        for segment in range(len(rows[0].columns[index])):
            parts.extend(part.columns[index][segment] for part in rows)
    return b"".join(parts)


def _encode_org(org_id: str) -> Segments:
    return encode_strings([organisation(org_id)])


def _diagnose(table: Table, records: Sequence[Any], name: str, offset: int) -> InvalidArgumentError:
    """Find the first record and field that does not encode; only called when something is known to be wrong."""
    for index, record in enumerate(records):
        where = f"{name}[{index + offset}]" if name.endswith("s") else name
        if not isinstance(record, table.record):
            return InvalidArgumentError(
                f"{where}: expected {table.record.__name__}, got {type(record).__name__}", record=where
            )
        for column, (_, encode) in table.columns.items():
            name_there = table.fields.get(column, column)
            reason = _refusal(encode, getattr(record, name_there))
            if reason:
                return InvalidArgumentError(f"{where}.{name_there}: {reason}", record=where, field=name_there)
    return InvalidArgumentError(f"{name}: cannot be encoded", record=name)


def _refusal(encode: Callable[[Sequence[Any]], Any], value: Any) -> str:
    try:
        encode([value])
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        return f"{error} (got {_shown(value)})"
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"naive {value.isoformat()}" if value.tzinfo is None else value.isoformat()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
