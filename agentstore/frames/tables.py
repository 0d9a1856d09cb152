"""Structs and columns of a result to Arrow, and Arrow to polars and pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa

from agentstore.errors import ConfigError, InvalidArgumentError
from agentstore.frames.schemas import schema_of

if TYPE_CHECKING:
    import pandas
    import polars


def to_arrow(records: Iterable[msgspec.Struct], record: type[msgspec.Struct] | None = None) -> pa.Table:
    """A table with one row for each record and one column for each field, in their order.

    All records are of one type. ``record`` is that type, for where there may be none: an empty list says no columns.
    Times are ``timestamp[us, tz=UTC]``, dates ``date32``, numbers ``int64``; names of users, projects, models, tools
    and the like are dictionary-encoded. What may be None is nullable, and nothing else is. A number that needs more
    than 63 bits is an ``InvalidArgumentError``.
    """
    rows = list(records)
    kind = record or (type(rows[0]) if rows else None)
    if kind is None:
        raise InvalidArgumentError(
            "records: an empty list has no columns; say of what it is: record=…", field="records"
        )
    for row in rows:
        if type(row) is not kind:
            raise InvalidArgumentError(
                f"records: expected {kind.__name__} only, got {type(row).__name__}", field="records"
            )
    columns = [[_plain(getattr(row, name)) for row in rows] for name in kind.__struct_fields__]
    return pa.Table.from_batches([batch_of(kind, columns)])


def to_polars(records: Iterable[msgspec.Struct], record: type[msgspec.Struct] | None = None) -> polars.DataFrame:
    """``to_arrow`` as a polars frame (``pip install polars``): zone-aware times, categoricals."""
    return polars_of(to_arrow(records, record))


def to_pandas(records: Iterable[msgspec.Struct], record: type[msgspec.Struct] | None = None) -> pandas.DataFrame:
    """``to_arrow`` as a pandas frame (``pip install pandas``): zone-aware times, categoricals, ``Int64`` where a number
    may be missing."""
    return pandas_of(to_arrow(records, record))


def polars_of(table: pa.Table) -> polars.DataFrame:
    """An Arrow table of this module as a polars frame."""
    try:
        import polars
    except ImportError:
        raise ConfigError("polars is not installed", hint="pip install polars") from None
    frame = polars.from_arrow(table)
    assert isinstance(frame, polars.DataFrame)  # a Series is what an array becomes
    return frame


def pandas_of(table: pa.Table) -> pandas.DataFrame:
    """An Arrow table of this module as a pandas frame."""
    try:
        import pandas
    except ImportError:
        raise ConfigError("pandas is not installed", hint="pip install pandas") from None
    nullable = {pa.int64(): pandas.Int64Dtype()}
    frame = table.to_pandas(date_as_object=False)
    for field in table.schema:
        # Without it a column of numbers in which one is missing would become floats.
        if field.nullable and field.type in nullable:
            frame[field.name] = table[field.name].to_pandas(types_mapper=nullable.get)
    return frame


class Same(NamedTuple):
    """A column that has one text in all its rows."""

    value: str
    rows: int


def batch_of(record: type[msgspec.Struct], columns: Sequence[Sequence[Any] | Same]) -> pa.RecordBatch:
    """A batch of columns in the order of the fields. Times may be microseconds since 1970."""
    schema = schema_of(record)
    arrays = [_array(field, column) for field, column in zip(schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(field: pa.Field, column: Sequence[Any] | Same) -> pa.Array:
    kind = field.type
    if isinstance(column, Same):
        if pa.types.is_dictionary(kind):
            places = pa.repeat(pa.scalar(0, kind.index_type), column.rows)
            return pa.DictionaryArray.from_arrays(places, pa.array([column.value], kind.value_type))
        return pa.repeat(pa.scalar(column.value, kind), column.rows)
    try:
        if pa.types.is_dictionary(kind):
            return pa.array(column, kind.value_type).dictionary_encode()
        return pa.array(column, kind)
    except (OverflowError, pa.ArrowInvalid) as error:
        raise InvalidArgumentError(f"{field.name}: does not fit into {kind}: {error}", field=field.name) from error


def _plain(value: Any) -> Any:
    """Structs within a Struct as dicts, which Arrow takes for its structs."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
