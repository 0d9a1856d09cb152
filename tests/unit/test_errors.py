"""The tree of errors: what each one is, carries and says, also on the other side of a process."""

from __future__ import annotations

import copy
import pickle

import pytest

from agentstore import errors
from agentstore.errors import (
    AgentStoreError,
    AlreadyThereError,
    AuthenticationError,
    ConfigError,
    ConnectionFailedError,
    InvalidArgumentError,
    InvalidCursorError,
    NotFoundError,
    OperationTimeoutError,
    PoolTimeoutError,
    QueryError,
    SchemaError,
    SessionPurgedError,
    StoreClosedError,
    WriteError,
    WrongLoopError,
)

BASES: dict[type[AgentStoreError], type[Exception]] = {
    ConfigError: ValueError,
    InvalidArgumentError: ValueError,
    InvalidCursorError: ValueError,
    NotFoundError: LookupError,
    AlreadyThereError: FileExistsError,
    StoreClosedError: AgentStoreError,
    WrongLoopError: StoreClosedError,
    SchemaError: AgentStoreError,
    ConnectionFailedError: AgentStoreError,
    AuthenticationError: ConnectionFailedError,
    OperationTimeoutError: TimeoutError,
    PoolTimeoutError: OperationTimeoutError,
    QueryError: AgentStoreError,
    WriteError: AgentStoreError,
    SessionPurgedError: WriteError,
}
EXAMPLES: list[AgentStoreError] = [
    AgentStoreError("m", hint="h"),
    ConfigError("m"),
    InvalidArgumentError("m", record="messages[3]", field="ordinal", hint="h"),
    InvalidCursorError("m", field="cursor"),
    NotFoundError("m"),
    AlreadyThereError("m", paths=["/a"], hint="h"),
    StoreClosedError("m", hint="h"),
    WrongLoopError("m", hint="h"),
    SchemaError("m"),
    ConnectionFailedError("m"),
    AuthenticationError("m"),
    OperationTimeoutError("m"),
    PoolTimeoutError("m"),
    QueryError("m", code=60, name="UNKNOWN_TABLE", query_id="q"),
    QueryError("m", code=202),
    WriteError("m", table="messages", keys=[("o", "s", 1)], retriable=True),
    SessionPurgedError("m", session_ids=["s"], hint="h"),
]


def test_the_tree_is_complete_and_rooted() -> None:
    found = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)}
    assert found == {AgentStoreError, *BASES}
    for kind, base in BASES.items():
        assert issubclass(kind, AgentStoreError)
        assert issubclass(kind, base)


def test_the_picture_in_the_docstring_names_every_error() -> None:
    assert errors.__doc__
    for kind in BASES:
        assert kind.__name__ in errors.__doc__
        assert kind.__doc__


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_what_an_error_carries_survives_pickling_and_copying(error: AgentStoreError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert (str(twin), vars(twin)) == (str(error), vars(error))
        assert twin.retriable == error.retriable


def test_the_hint_is_part_of_the_text() -> None:
    assert str(ConfigError("port 8123 speaks HTTP", hint="use 9000")) == "port 8123 speaks HTTP (use 9000)"
    assert str(ConfigError("no")) == "no"


def test_what_may_be_tried_again() -> None:
    again = {type(error) for error in EXAMPLES if error.retriable}
    assert again == {ConnectionFailedError, OperationTimeoutError, PoolTimeoutError, QueryError, WriteError}
    for code in (159, 202, 209, 210, 241, 242, 252, 319, 999):
        assert QueryError("m", code=code).retriable
    for code in (0, 27, 53, 60, 62, 117, 497, 516):
        assert not QueryError("m", code=code).retriable


def test_a_write_error_has_its_keys_and_table() -> None:
    error = WriteError("m", table="messages", keys=[("o", "s", 1)])
    assert (error.table, error.keys, error.retriable) == ("messages", (("o", "s", 1),), False)
