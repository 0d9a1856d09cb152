"""Hypothesis strategies for the records, and a profile that can be replayed."""

from __future__ import annotations

import datetime as dt
import types
import typing
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from agentstore import models
from agentstore.models import Record

# Failures print what replays them; machines differ in speed, so no deadline.
settings.register_profile("agentstore", deadline=None, print_blob=True, max_examples=25)
settings.load_profile("agentstore")

RECORDS = sorted(
    (one for one in vars(models).values() if isinstance(one, type) and issubclass(one, Record) and one is not Record),
    key=lambda one: one.__name__,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
moments = st.datetimes(timezones=st.just(dt.UTC))
ints = st.integers(0, 2**32 - 1)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Anything a field of this type may hold."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is list:
        return st.lists(values(arguments[0]), max_size=3)
    if origin is tuple and arguments[-1] is ...:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values, arguments))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return records(kind)
    if kind is Any:  # the dates of a filter
        return st.one_of(st.none(), st.dates(), moments, st.just("not a date"))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        int: ints,
        bool: st.booleans(),
        bytes: st.binary(max_size=30),
        type(None): st.none(),
        dt.datetime: moments,
        dt.date: st.dates(),
    }
    return plain[kind]


def records(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any record of this type."""
    hints = typing.get_type_hints(kind)
    fields = {name: values(hints[name]) for name in kind.__struct_fields__}
    return st.builds(kind, **fields)
