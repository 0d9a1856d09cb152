"""A method of the store stands once, with its docstring; the protocols say the same, to the annotation."""

from __future__ import annotations

import inspect
import pydoc
from typing import Any, get_type_hints

import pytest

from agentstore import AsyncClickHouseStore, ReadStore, Store
from agentstore.filters import AnalyticsFilter, AnalyticsKeywords
from agentstore.protocols import Executor
from agentstore.read.reads import Reads
from agentstore.write.writes import Writes
from tests.unit.test_public import BESIDE

METHODS = sorted(name for name in dir(AsyncClickHouseStore) if not name.startswith("_"))
PROMISED = [(protocol, name) for protocol in (Store, ReadStore) for name in vars(protocol) if not name.startswith("_")]
ANALYTICS = [
    "activity_heatmap",
    "daily_activity",
    "summary",
    "token_usage_by_model",
    "tool_usage_distribution",
    "usage_by_user",
]


def of(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize(("protocol", "name"), PROMISED, ids=lambda one: getattr(one, "__name__", one))
def test_a_protocol_says_what_the_store_does(protocol: type, name: str) -> None:
    said, done = getattr(protocol, name), getattr(AsyncClickHouseStore, name)
    assert inspect.signature(said) == inspect.signature(done)  # names, kinds, defaults and annotations
    assert inspect.iscoroutinefunction(said) == inspect.iscoroutinefunction(done)


def test_what_no_protocol_promises() -> None:
    """Iterators, receipts and pipelines, and what the pages and tools ask for; another store need not have them."""
    assert of(Reads) - of(ReadStore) == {"iter_messages", "iter_sessions", *BESIDE}
    assert {name for name in of(Writes) - of(Store) if not name.startswith("submit_")} == {"pipeline"}
    assert of(ReadStore) | of(Store) <= of(AsyncClickHouseStore)
    assert not of(Reads) & of(Writes)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_stands_in_one_class_and_says_there_what_it_does(name: str) -> None:
    (home,) = [kind for kind in AsyncClickHouseStore.__mro__ if name in vars(kind)]
    assert vars(home)[name].__doc__


def test_help_and_editors_see_all_of_them() -> None:
    shown = pydoc.plain(pydoc.render_doc(AsyncClickHouseStore))
    for name in METHODS:
        described = inspect.getdoc(getattr(AsyncClickHouseStore, name))
        assert described
        # A property has no parentheses.
        assert f" {name}" + ("(" if callable(getattr(AsyncClickHouseStore, name)) else "\n") in shown
        assert described.splitlines()[0] in shown


def test_the_keywords_of_analytics_are_the_fields_of_their_filter() -> None:
    keywords = get_type_hints(AnalyticsKeywords)
    assert keywords == get_type_hints(AnalyticsFilter)
    assert not AnalyticsKeywords.__required_keys__
    for name in ANALYTICS:
        _, org_id, *rest = inspect.signature(getattr(AsyncClickHouseStore, name)).parameters.values()
        assert org_id.kind is org_id.POSITIONAL_OR_KEYWORD
        assert {one.kind for one in rest} == {inspect.Parameter.KEYWORD_ONLY}
        assert {one.name: one.annotation for one in rest} == keywords
        assert {one.name: one.default for one in rest} == {one: getattr(AnalyticsFilter(), one) for one in keywords}


def test_costs_take_them_beside_their_own() -> None:
    parameters = inspect.signature(AsyncClickHouseStore.cost_by).parameters
    own = {"self", "org_id", "key", "limit"}
    assert {name: one.annotation for name, one in parameters.items() if name not in own} == get_type_hints(
        AnalyticsKeywords
    )


class Unasked(Reads):
    """Notices a read that asks for a connection."""

    @property
    def _open_pool(self) -> Executor:
        raise AssertionError

    _heavy = _open_pool


@pytest.mark.parametrize("name", ANALYTICS)
async def test_other_keywords_are_refused_by_name(name: str) -> None:
    read: Any = getattr(Unasked(), name)
    with pytest.raises(TypeError, match="projekt"):
        await read("o", projekt="p")
    with pytest.raises(TypeError, match="positional"):
        await read("o", "p")
