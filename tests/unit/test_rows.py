"""Records to rows: the columns of every table, blocks, and errors that name record and field."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentstore import InvalidArgumentError, Message, Session, ToolCall
from agentstore.models import Record
from agentstore.packed import pack
from agentstore.schema.plan import load_migrations
from agentstore.write.encoded_rows import encode_block, encode_rows
from agentstore.write.normalize import number_calls, of_session
from agentstore.write.rows import (
    FLOORED,
    KEPT,
    MESSAGES,
    SESSION_FLOORS,
    SESSIONS,
    SOURCE_FILES,
    TABLES,
    TOOL_CALLS,
    Table,
)
from tests.strategies import records, texts
from tests.unit.native_reader import read_block, read_rows

DERIVED = {"commit_count", "tool_call_count", "copied_message_count", "origin_session_id"}  # read, never written


def stored(value: Any, name: str) -> Any:
    """As the column has it."""
    if name == "data":
        value = pack(value)
    if isinstance(value, tuple):
        return "\0".join(text.replace("\x01", "\x01\x01").replace("\0", "\x01\x02") for text in value)
    return value.decode("utf-8", errors="surrogateescape") if isinstance(value, bytes) else value


def valid(table: Table) -> st.SearchStrategy[Any]:
    """Records of the table that may be written: with ids and a known relationship."""
    changes: dict[str, st.SearchStrategy[Any]] = {
        name: texts.filter(bool) for name in ("id", "session_id", "path", "original_id") if name in table.columns
    }
    if table is SESSIONS:
        changes["relationship_type"] = st.sampled_from(["", "continuation", "subagent", "fork"])
    if table is SOURCE_FILES:
        changes["session_ids"] = st.lists(texts.filter(bool), max_size=3).map(tuple)
    if table is SESSION_FLOORS:
        changes["scope"] = st.sampled_from(["content", "marks", "purged"])
    return st.builds(
        lambda record, given: msgspec.structs.replace(record, **given),
        records(table.record),
        st.fixed_dictionaries(changes),
    )


@pytest.mark.parametrize("table", [*TABLES, *KEPT], ids=lambda table: table.name)
def test_every_field_is_a_column_of_the_schema(table: Table) -> None:
    assert set(table.columns) == {field.name for field in msgspec.structs.fields(table.record)} - {"org_id"} - DERIVED
    statements = [one.text for migration in load_migrations() for one in migration.statements()]
    [create] = [text for text in statements if f"EXISTS {table.name} " in text]
    lines = [line.strip().rstrip(",") for line in create.splitlines()]
    for altered in (text for text in statements if text.startswith(f"ALTER TABLE {table.name} ")):
        lines += re.findall(r"ADD COLUMN IF NOT EXISTS (\w+ [\w()]+)", altered)
    for name, kind in table.header:
        plain = f"{name} LowCardinality({kind})" if f"{name} LowCardinality({kind})" in lines else f"{name} {kind}"
        assert any(line == plain or line.startswith((f"{plain} DEFAULT", f"{plain} CODEC(")) for line in lines), plain
    assert f"ORDER BY ({', '.join(('org_id', *(table.order or table.key)))})" in lines
    assert sorted(table.order or table.key) == sorted(table.key)


@pytest.mark.parametrize("table", [*TABLES, *KEPT], ids=lambda table: table.name)
def test_every_table_knows_tokens_and_its_newest_version(table: Table) -> None:
    """Without the window an insert that is sent again is stored twice; without the index each look reads all rows."""
    statements = [statement.text for migration in load_migrations() for statement in migration.statements()]
    [create] = [text for text in statements if f"EXISTS {table.name} " in text]
    assert "non_replicated_deduplication_window = 1000" in create
    assert "ENGINE = ReplacingMergeTree(_version, _deleted)" in create
    about = [text for text in statements if f" {table.name} " in text]
    assert any("INDEX version_range _version TYPE minmax" in text.replace("IF NOT EXISTS ", "") for text in about)


def test_every_table_with_rows_of_sessions_is_below_their_floors() -> None:
    """Else rows that a removal took away are there again when its floor is swept."""
    floored = [table.name for tables in FLOORED.values() for table in tables]
    own = [table.name for table in TABLES if table.key[0] == "session_id" != table.key[-1]]
    assert sorted(floored) == sorted([*own, "originals"])


@pytest.mark.parametrize("table", [*TABLES, *KEPT], ids=lambda table: table.name)
@given(data=st.data())
def test_rows_are_read_back_from_a_block_as_they_were(table: Table, data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.lists(valid(table), max_size=4), min_size=1, max_size=3))
    org, deleted, version = data.draw(texts), data.draw(st.booleans()), data.draw(st.integers(1, 2**64 - 1))
    encoded = [encode_rows(table, org, part, name="rows", deleted=deleted).at_version(version) for part in parts]
    block = encode_block(encoded)
    flat = [record for part in parts for record in part]
    assert read_rows(block) == [
        {
            "org_id": org,
            **{name: stored(getattr(record, name), name) for name in table.columns},
            "_version": version,
            "_deleted": int(deleted),
        }
        for record in flat
    ]
    assert [(name, kind) for name, (kind, _) in read_block(block).items()] == list(table.header)
    assert block == encode_block([encode_rows(table, org, flat, name="rows", deleted=deleted).at_version(version)])
    assert [one.row_count for one in encoded] == [len(part) for part in parts]


@pytest.mark.parametrize("table", [*TABLES, *KEPT], ids=lambda table: table.name)
def test_every_field_is_checked_and_named(table: Table) -> None:
    good: dict[str, Any] = {"id": "s"} if table is SESSIONS else {"session_id": "s"}
    if table in KEPT:
        good = {"path": "p"} if table is SOURCE_FILES else {"original_id": "o"}
    good |= {"scope": "content"} if table is SESSION_FLOORS else {}
    good |= {"link_type": "pr", "confidence": "high"} if "link_type" in table.columns else {}
    good |= {"path": "a.py", "operation": "read"} if "operation" in table.columns else {}
    good |= {name: 0 for name in ("ordinal", "message_ordinal") if name in table.columns}
    record = table.record(**good)
    for field in table.columns:
        takes_bytes = isinstance(getattr(record, field), bytes)
        for bad in (object(), "text" if takes_bytes else b"bytes", [1], 1.5, (1,), ("",)):
            with pytest.raises(InvalidArgumentError, match=rf"^rows\[7\].{field}: .*\(got ") as caught:
                encode_rows(table, "o", [record, record, msgspec.structs.replace(record, **{field: bad})],
                            name="rows", offset=5)  # fmt: skip
            assert (caught.value.record, caught.value.field) == ("rows[7]", field)


def test_the_error_shows_the_value_but_not_all_of_it() -> None:
    with pytest.raises(InvalidArgumentError, match="naive 2026-01-01T00:00:00"):
        encode_rows(SESSIONS, "o", [Session(id="s", started_at=dt.datetime(2026, 1, 1))], name="session")
    with pytest.raises(InvalidArgumentError) as caught:
        encode_rows(SESSIONS, "o", [Session(id="s", relationship_type="x" * 10**6)], name="session")
    assert len(str(caught.value)) < 300
    with pytest.raises(InvalidArgumentError, match=r"^session\.id: is missing"):
        encode_rows(SESSIONS, "o", [Session(id="")], name="session")


def test_records_of_another_type_are_refused_and_subclasses_taken() -> None:
    class Own(Message, frozen=True):
        extra: int = 0

    own = Own(ordinal=1, session_id="s", content="x")
    assert read_rows(encode_block([encode_rows(MESSAGES, "o", [own], name="m").at_version(1)]))[0]["content"] == "x"
    wrong: Any
    for wrong in (Session(id="s"), {"ordinal": 1}, None, "text", Message):
        with pytest.raises(InvalidArgumentError, match=r"^messages\[1\]: expected Message, got "):
            encode_rows(MESSAGES, "o", [own, wrong], name="messages")


def test_the_org_is_text() -> None:
    wrong: Any
    for wrong in (None, 5, b"o"):
        with pytest.raises(InvalidArgumentError, match=r"^org_id: expected str"):
            encode_rows(MESSAGES, wrong, [], name="messages")
    for wrong in ("\ud800", "o\udfffo"):
        with pytest.raises(InvalidArgumentError, match=r"^org_id: .*no valid text") as caught:
            encode_rows(MESSAGES, wrong, [], name="messages")
        assert caught.value.field == "org_id"


def test_keys_are_those_that_are_stored() -> None:
    call = ToolCall(message_ordinal=1, session_id="s\ud800", tool_use_id="\udfff", call_index=2)
    assert TOOL_CALLS.key_of("o", call) == ("o", "s\ufffd", 1, "\ufffd", 2)


def test_the_session_is_filled_in_where_it_is_empty() -> None:
    given = [Message(ordinal=0), Message(ordinal=1, session_id="s")]
    assert [one.session_id for one in of_session(given, "s", "messages")] == ["s", "s"]
    with pytest.raises(InvalidArgumentError, match=r"messages\[1\].session_id: 's' is not"):
        of_session(given, "t", "messages")


numbered_calls = st.lists(
    st.builds(
        ToolCall,
        message_ordinal=st.integers(0, 2),
        session_id=st.sampled_from(["a", "b"]),
        tool_use_id=st.sampled_from(["", "", "x"]),
        call_index=st.integers(0, 3),
    ),
    max_size=12,
)


@given(numbered_calls)
def test_no_two_calls_without_an_id_share_a_key(calls: list[ToolCall]) -> None:
    numbered = number_calls(calls)
    keys = [TOOL_CALLS.key_of("o", call) for call in numbered if not call.tool_use_id]
    assert len(keys) == len(set(keys))
    for before, after in zip(calls, numbered, strict=True):
        assert msgspec.structs.replace(after, call_index=before.call_index) == before
        assert after.call_index >= before.call_index
        if before.tool_use_id:
            assert after is before
    assert number_calls(numbered) == numbered
    assert number_calls(calls) == numbered


def test_all_tables_are_there_with_the_session_row_last() -> None:
    assert [table.name for table in TABLES][-1] == "sessions"
    assert {issubclass(table.record, Record) for table in TABLES} == {True}
    assert len({table.name for table in TABLES}) == 9
