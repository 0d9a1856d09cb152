"""Direct writes with a mask: which texts are masked, where it is done, and that records stay as they are."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, ConfigError, InvalidArgumentError, Message, MessagePin
from agentstore.masking import Masker
from agentstore.models import Record
from agentstore.protocols import TextMasker
from agentstore.write.accumulator import Limits
from agentstore.write.calls import Call, Calls
from agentstore.write.encoded_rows import encode_block
from agentstore.write.masked import TEXTS, Masking
from agentstore.write.rows import (
    BATCHED,
    MESSAGES,
    TABLES,
    TOOL_CALLS,
    Table,
)
from agentstore.write.writer import Writer
from tests.builders import call, message, pull_request, session, touch
from tests.unit.masking_examples import fill
from tests.unit.test_writer_outage import Reads
from tests.unit.write_parts import ORG, Server, until

TOKEN = fill("ghp_{a36}")
MARKER = "‹secret:github-token›"
# What is stored as it is: ids, and what says whose or of which kind a row is.
KEPT = {
    "sessions": {
        "id", "user_id", "project_id", "machine", "agent_type", "parent_session_id", "relationship_type", "copied_by",
    },
    "messages": {"session_id", "role", "source_id"},
    "tool_calls": {"session_id", "tool_use_id", "tool_category", "subagent_session_id"},
    "git_links": {"session_id", "commit_sha", "user_id", "link_type", "confidence"},
    "file_touches": {"session_id", "operation", "tool_use_id"},
    "session_stars": {"session_id", "user_id"},
    "message_pins": {"session_id", "user_id"},
    "session_deletes": {"session_id", "user_id"},
    "session_floors": {"scope", "session_id"},
    "message_sources": {"session_id"},
    # What an ingest remembers, in bytes that it masked: a file is found again by its path.
    "source_files": {
        "machine", "path", "source_id", "importer", "root", "user_id", "user_name", "stat", "context", "outcome",
        "session_ids", "original_id", "state", "facts",
    },
    "originals": {"original_id", "file", "session_id", "data"},
}  # fmt: skip


def calls_with(mask: TextMasker | None) -> Calls:
    calls = Calls(500)
    calls.masking = Masking(mask) if mask is not None else None
    return calls


class Upper:
    """A masker of one's own: it is told from the other one by what it writes, and says in which threads it ran."""

    def __init__(self) -> None:
        self.threads = set[int]()

    def mask_text(self, text: str) -> str:
        self.threads.add(threading.get_ident())
        return text.upper()


class Waits:
    """One that does not go on before it is told to."""

    def __init__(self) -> None:
        self.begun, self.told = threading.Event(), threading.Event()

    def mask_text(self, text: str) -> str:
        self.begun.set()
        assert self.told.wait(60)
        return text.replace(TOKEN, MARKER)


@pytest.mark.parametrize("table", BATCHED, ids=lambda table: table.name)
def test_every_column_with_text_is_masked_or_known_as_an_id(table: Table) -> None:
    """A new column has to be named in TEXTS, or here."""
    columns = {name for name, (type_name, _) in table.columns.items() if type_name == "String"}
    assert columns == {*TEXTS.get(table.name, ()), *KEPT[table.name]}
    assert not KEPT[table.name] & set(TEXTS.get(table.name, ()))


PLAIN: dict[str, Record] = {
    "sessions": session("s"),
    "messages": message(0, session_id="s", content_length=7, source_id="m"),
    "tool_calls": call(0, session_id="s", result_content_length=8),
    "git_links": pull_request("s", ""),
    "file_touches": touch("s", ""),
    "message_pins": MessagePin(session_id="s"),
}


def full(table: Table, text: str) -> Record:
    """A record with this text in each field that is masked."""
    return msgspec.structs.replace(PLAIN[table.name], **dict.fromkeys(TEXTS[table.name], text))


@pytest.mark.parametrize("table", [table for table in TABLES if table.name in TEXTS], ids=lambda table: table.name)
@pytest.mark.parametrize("remove", [False, True])
async def test_what_is_encoded_is_masked_and_the_record_stays(table: Table, remove: bool) -> None:
    record, before = (full(table, f"a {TOKEN} b") for _ in range(2))
    (entry,) = (await calls_with(Masker()).rows(table, ORG, [record, record], name="rows", remove=remove)).entries
    assert record == before
    assert entry.records == [full(table, f"a {MARKER} b")] * 2
    # All of it, and a part that is encoded anew because the server refused the whole.
    for rows in (entry.rows, entry.part(0, 1)):
        block = encode_block([rows.at_version(1)])
        assert TOKEN.encode() not in block
        assert block.count(MARKER.encode()) == len(TEXTS[table.name]) * rows.row_count
    assert TOKEN in repr((await Calls(500).rows(table, ORG, [record], name="rows")).entries[0].records)


async def test_records_without_secrets_are_handed_on_as_they_are() -> None:
    records = [message(n, f"text {n}", session_id="s") for n in range(3)]
    assert await Masking(Masker()).masked(MESSAGES, records) is records
    one = [*records, message(3, TOKEN, session_id="s")]
    masked = await Masking(Masker()).masked(MESSAGES, one)
    assert [new is old for new, old in zip(masked, one, strict=True)] == [True, True, True, False]


async def test_inputs_stay_json_and_lengths_as_they_were_given() -> None:
    inputs = {"command": f'export GITHUB_TOKEN="{TOKEN}"\necho "done"', "nested": json.dumps({"password": "hunter2!x"})}
    given = call(0, session_id="s", input_json=json.dumps(inputs), result_content=TOKEN, result_content_length=40)
    (masked,) = await Masking(Masker()).masked(TOOL_CALLS, [given])
    read = json.loads(masked.input_json)
    assert read["command"] == f'export GITHUB_TOKEN="{MARKER}"\necho "done"'
    assert json.loads(read["nested"]) == {"password": "‹secret:password›"}
    assert (masked.result_content, masked.result_content_length) == (MARKER, 40)


@pytest.mark.parametrize("wrong", [None, "text", 7, {"content": TOKEN}, session("s")])
async def test_what_is_no_record_is_refused_by_name_as_without_a_mask(wrong: Any) -> None:
    for mask in (None, Masker()):
        with pytest.raises(InvalidArgumentError, match=r"rows\[1\]: expected Message"):
            await calls_with(mask).rows(MESSAGES, ORG, [message(0, session_id="s"), wrong], name="rows")


@pytest.mark.parametrize("wrong", [None, 7, b"bytes", ["a"]])
async def test_what_is_no_text_is_refused_by_name_as_without_a_mask(wrong: Any) -> None:
    for mask in (None, Masker()):
        with pytest.raises(InvalidArgumentError, match=r"rows\[1\]\.content: expected a str"):
            await calls_with(mask).rows(
                MESSAGES, ORG, [message(0, "a", session_id="s"), message(1, wrong, session_id="s")], name="rows"
            )


async def test_a_mask_that_returns_no_text_is_refused_and_one_that_raises_stops_the_call() -> None:
    class Nothing:
        def mask_text(self, text: str) -> Any:
            if text == "boom":
                raise RuntimeError(text)

    with pytest.raises(InvalidArgumentError, match=r"rows\[0\]\.content: expected a str"):
        await calls_with(Nothing()).rows(MESSAGES, ORG, [message(0, "a", session_id="s")], name="rows")
    with pytest.raises(RuntimeError, match="boom"):
        await calls_with(Nothing()).rows(MESSAGES, ORG, [message(0, "boom", session_id="s")], name="rows")


async def test_little_is_masked_on_the_loop_and_much_beside_it() -> None:
    small, large = Upper(), Upper()
    await Masking(small).masked(MESSAGES, [message(n, f"m{n}", session_id="s") for n in range(30)])
    assert small.threads == {threading.get_ident()}
    for records in ([message(0, "x" * 100_000)], [message(n, f"m{n}") for n in range(200)]):
        (first, *_) = await Masking(large).masked(MESSAGES, records)
        assert first.content == records[0].content.upper()
    assert threading.get_ident() not in large.threads


async def test_the_loop_runs_while_a_large_text_is_masked() -> None:
    masker = Waits()
    task = asyncio.create_task(Masking(masker).masked(MESSAGES, [message(0, f"{'x' * 100_000} {TOKEN}")]))
    await until(masker.begun.is_set)
    assert not task.done()  # and this ran meanwhile
    masker.told.set()
    (masked,) = await task
    assert masked.content.endswith(f"x {MARKER}")


async def test_a_call_that_is_cancelled_while_it_is_masked_stores_nothing() -> None:
    masker, server = Waits(), Server()
    writer = Writer(Reads(), server, Reads(), Limits(100, 10**6, 0.0, 1000, 10**6), deadline_seconds=60)
    writer.calls.masking = Masking(masker)
    writer.start()

    async def rows(ordinal: int, text: str) -> Call:
        return await writer.calls.rows(MESSAGES, ORG, [message(ordinal, f"<{ordinal:06}>{text}", session_id="s")],
                                       name="rows")  # fmt: skip

    try:
        task = asyncio.create_task(writer.write(lambda: rows(1, "x" * 100_000)))
        receipt = writer.submit(lambda: rows(2, "x" * 100_000 + TOKEN))
        await until(masker.begun.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.attempts == []
        masker.told.set()
        await receipt
        assert server.stored == [2]
        sent = b"".join(block for blocks, _ in server.attempts for block in blocks)
        assert MARKER.encode() in sent
        assert TOKEN.encode() not in sent
    finally:
        masker.told.set()
        await writer.aclose(30)


def test_threads_may_share_a_masker() -> None:
    masker, interval = Masker(), sys.getswitchinterval()
    texts = [f"{n} {fill('ghp_{a36}', n)} {fill('npm_{a36}', n)}" for n in range(200)]
    expected = [f"{n} {MARKER} ‹secret:npm-token›" for n in range(200)]
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda _: [masker.mask_text(text) for text in texts], range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert found == [expected] * 8
    assert masker.counts == {"github-token": 1600, "npm-token": 1600}


class Plain:
    """One's own masker, as a program has it."""

    def mask_text(self, text: str) -> str:
        return text


def test_what_a_store_takes_for_a_mask() -> None:
    assert AsyncClickHouseStore("clickhouse://h").mask is None
    assert AsyncClickHouseStore("clickhouse://h", mask=None).mask is None
    assert AsyncClickHouseStore("clickhouse://h", mask=False).mask is None
    assert isinstance(AsyncClickHouseStore("clickhouse://h", mask=True).mask, Masker)
    mine = Plain()
    assert AsyncClickHouseStore("clickhouse://h", mask=mine).mask is mine


@pytest.mark.parametrize(
    ("wrong", "shown"), [("yes", "str"), (1, "int"), (Masker, "Masker"), (Plain, "Plain"), (str.upper, "method")]
)
def test_what_is_no_mask_is_refused(wrong: Any, shown: str) -> None:
    with pytest.raises(ConfigError, match=f"mask: expected True, False or an object with mask_text.*got .*{shown}"):
        AsyncClickHouseStore("clickhouse://h", mask=wrong)


def test_it_is_no_option_of_a_dsn() -> None:
    with pytest.raises(ConfigError, match="unknown option 'mask'"):
        AsyncClickHouseStore("clickhouse://h?mask=true")


def test_without_the_library_it_is_refused_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(ConfigError, match=r"masking needs google-re2.*agentstore\[ingest\]"):
        AsyncClickHouseStore("clickhouse://h", mask=True)
    assert AsyncClickHouseStore("clickhouse://h").mask is None


def test_a_store_without_a_mask_loads_nothing_for_it() -> None:
    code = (
        "import sys; from agentstore import AsyncClickHouseStore; AsyncClickHouseStore('clickhouse://h');"
        "print(sorted({'re2', 'agentstore.masking'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


async def test_a_message_of_a_subclass_is_masked_and_stays_one() -> None:
    class Mine(Message, frozen=True):
        note: str = ""

    given = Mine(0, session_id="s", content=TOKEN, note=TOKEN)
    (masked,) = await Masking(Masker()).masked(MESSAGES, [given])
    assert masked == Mine(0, session_id="s", content=MARKER, note=TOKEN)
