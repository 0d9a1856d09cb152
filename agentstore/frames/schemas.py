"""The Arrow schema of a Struct: one column for each field, of the type that the field says."""

from __future__ import annotations

import datetime as dt
import types
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pyarrow as pa

# Fields with few different texts, and many rows of each: a dictionary of them and a number for each row.
NAMES = frozenset(
    (
        "agent_type",
        "category",
        "confidence",
        "copied_by",
        "git_branch",
        "importer",
        "link_type",
        "machine",
        "model",
        "org_id",
        "operation",
        "project_id",
        "project_name",
        "project_path",
        "relationship_type",
        "role",
        "skill_name",
        "tool_category",
        "tool_name",
        "user_id",
        "user_name",
    )
)
_NAME = pa.dictionary(pa.int32(), pa.string())
_TYPES: dict[Any, pa.DataType] = {
    bool: pa.bool_(),
    bytes: pa.large_binary(),
    dt.date: pa.date32(),
    dt.datetime: pa.timestamp("us", tz="UTC"),
    float: pa.float64(),
    int: pa.int64(),
    str: pa.string(),
}


@cache
def schema_of(record: type[msgspec.Struct]) -> pa.Schema:
    """Columns in the order of the fields, under their names. Those that may be None are nullable."""
    hints = get_type_hints(record)
    return pa.schema([_field(name, hints[name]) for name in record.__struct_fields__])


def _field(name: str, hint: Any) -> pa.Field:
    parts = [part for part in _alternatives(hint) if part is not type(None)]
    kind = _NAME if name in NAMES and parts == [str] else _kind(parts[0])
    return pa.field(name, kind, nullable=len(parts) < len(_alternatives(hint)))


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _kind(hint: Any) -> pa.DataType:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _NAME
    if origin in (list, tuple):
        return pa.list_(_kind(arguments[0]))
    if origin is dict:
        return pa.map_(*map(_kind, arguments))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return pa.struct(list(schema_of(hint)))
    return _TYPES[hint]
