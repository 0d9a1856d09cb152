"""A store with a mask: what was planted is in no column of any table afterwards, and is not found."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from agentstore import AsyncClickHouseStore, MessagePin, SearchQuery, Session
from agentstore.connection.sql import Sql, identifier, join, sql
from agentstore.importers import ImportResult, import_claude_code
from agentstore.ingest import ImportWriter
from agentstore.masking import Masker
from agentstore.write.narrow import NARROW
from tests.builders import at, call, message, pull_request, session, touch
from tests.live.snapshot import snapshot
from tests.servers import Server
from tests.unit.importer_lines import SESSION, assistant, data, result, use, user
from tests.unit.masking_examples import fill, key_lines

KINDS = {"github-token", "password", "private-key", "url-password", "anthropic-key"}


@pytest.fixture
async def masking(server: Server, database: str) -> AsyncIterator[AsyncClickHouseStore]:
    """An open store that masks, on the run's database."""
    async with AsyncClickHouseStore(server.dsn, database=database, mask=True) as opened:
        yield opened


class Secrets:
    """Secrets that nobody had before, and a text with all of them."""

    def __init__(self) -> None:
        seed = uuid.uuid4().hex
        print(f"seed: {seed}")
        self.token, self.password = fill("ghp_{a36}", seed), fill("{a8}!7{a4}", seed)
        self.key, self.url = key_lines(seed), fill("{a10}", seed)
        self.model = fill("sk-ant-api03-{w93}AA", seed)
        self.text = "\n".join(
            (
                "Where is the moon?",
                f"export GITHUB_TOKEN={self.token}",
                f"  db_password: {self.password}",
                *self.key,
                f"postgres://ada:{self.url}@db.local/x",
                f'{{"env": {{"ANTHROPIC_API_KEY": "{self.model}"}}}}',
                "Above the sea.",
            )
        )

    @property
    def needles(self) -> list[str]:
        return [self.token, self.password, self.url, self.model, *(line for line in self.key[1:-1])]


HOLDING_TEXTS = {"sessions", "messages", "tool_calls", "git_links", "file_touches", "message_pins"}


def tables(found: dict[str, int]) -> set[str]:
    """Without the narrow copies of tables, and the views that fill them."""
    return {name for name in found if name not in {one for copy in NARROW for one in (copy.name, copy.view)}}


async def found_in(store: AsyncClickHouseStore, org: str, needles: list[str]) -> dict[str, int]:
    """Rows by table that hold one of the texts in any column with texts, read from all versions and tombstones."""
    columns = await store._open_pool.fetch(
        sql(
            "SELECT table, if(startsWith(type, 'Array'), concat('arrayStringConcat(', name, ', char(0))'), name)"
            " FROM system.columns WHERE database = currentDatabase() AND table IN"
            " (SELECT table FROM system.columns WHERE database = currentDatabase() AND name = 'org_id')"
            " AND type LIKE '%String%'"
        )
    )
    by_table: dict[str, list[str]] = {}
    for table, name in zip(*columns, strict=True):
        by_table.setdefault(str(table), []).append(str(name))
    assert set(by_table) >= HOLDING_TEXTS
    found = {}
    for table, names in by_table.items():
        held = join(
            " OR ",
            [
                sql("position({column}, {needle}) > 0", column=Sql(name), needle=needle)
                for name in names
                for needle in needles
            ],
        )
        query = sql(
            "SELECT count() FROM {table} WHERE org_id = {org} AND ({held})", table=identifier(table), org=org, held=held
        )
        ((count,),) = await store._open_pool.fetch(query)
        if count:
            found[table] = int(count)
    return found


async def write_all(store: AsyncClickHouseStore, org: str, id: str, text: str) -> None:
    """The text in every field that takes one, by every method that writes some."""
    head = session(
        id,
        user_name=text,
        project_name=text,
        project_path=text,
        first_message=text,
        display_name=text,
        git_branch=text,
        source_created_at=text,
    )
    messages = [message(n, text, token_usage=json.dumps({"note": text}), model=text) for n in range(3)]
    calls = [
        call(1, tool_use_id=f"t{n}", tool_name=text, skill_name=text, input_json=json.dumps({"command": text}),
             result_content=text, result_content_length=len(text))
        for n in range(3)
    ]  # fmt: skip
    # Large enough to be masked beside the loop.
    messages.append(message(3, text + "x" * 200_000, content_length=12))
    await store.write_session(org, head, messages, calls, replace=True)
    other = [replace(one, session_id=f"{id}-b") for one in messages]
    await store.write_batch(org, [replace(head, id=f"{id}-b")], other, [replace(one, session_id=id) for one in calls])
    await store.submit_session(org, replace(head, id=f"{id}-c"), messages, calls)
    await store.submit_batch(org, [replace(head, id=f"{id}-d")], [replace(one, session_id=f"{id}-d") for one in other])
    links = [pull_request(id, f"https://{text.split('TOKEN=')[1].splitlines()[0]}@h/1"), pull_request(f"{id}-b", text)]
    await store.write_git_links(org, links)
    await store.submit_git_links(org, [pull_request(f"{id}-c", text)])
    await store.write_file_touches(org, [touch(id, text, moved_from=text, moved_to=text)])
    pins = [MessagePin(session_id=id, message_ordinal=n, user_id="u", note=text, created_at=at()) for n in range(2)]
    await store.write_message_pins(org, pins)
    await store.remove_message_pins(org, pins[1:])


async def test_what_was_planted_is_nowhere(masking: AsyncClickHouseStore, org: str) -> None:
    secrets = Secrets()
    await write_all(masking, org, "s", secrets.text)
    assert await found_in(masking, org, secrets.needles) == {}
    marked = await found_in(masking, org, ["‹secret:github-token›"])
    assert tables(marked) == HOLDING_TEXTS
    read = await masking.get_session(org, "s")
    assert read.first_message == Masker().mask_text(secrets.text)
    assert read.first_message.startswith("Where is the moon?\nexport GITHUB_TOKEN=‹secret:github-token›\n")
    messages = await masking.get_session_messages(org, "s")
    assert [one.content_length for one in messages] == [0, 0, 0, 12]
    assert json.loads(messages[0].token_usage)["note"] == read.first_message
    calls = await masking.get_session_tool_calls(org, "s")
    assert {json.loads(one.input_json)["command"] for one in calls} == {read.first_message}
    assert {one.result_content_length for one in calls} == {len(secrets.text)}
    assert isinstance(masking.mask, Masker)
    assert set(masking.mask.counts) == KINDS


@pytest.mark.parametrize("mode", ["substring", "words"])
async def test_search_finds_the_kind_and_not_the_secret(masking: AsyncClickHouseStore, org: str, mode: str) -> None:
    secrets = Secrets()
    await masking.write_session(org, session("s"), [message(0, secrets.text)])
    for needle in (secrets.token, secrets.password, secrets.url, secrets.key[1], secrets.token[4:20]):
        page = await masking.search(org, SearchQuery(query=f'"{needle}"' if mode == "words" else needle, mode=mode))
        assert page.results == []
    for kind in ("github-token", "private-key", "url-password"):
        query = f'"{kind}"' if mode == "words" else f"secret:{kind}"
        (hit,) = (await masking.search(org, SearchQuery(query=query, mode=mode))).results
        assert (hit.session_id, hit.ordinal) == ("s", 0)


async def test_without_a_mask_all_is_stored_as_it_is(store: AsyncClickHouseStore, org: str) -> None:
    secrets = Secrets()
    await write_all(store, org, "s", secrets.text)
    assert store.mask is None
    assert (await store.get_session(org, "s")).first_message == secrets.text
    assert [one.content for one in await store.get_session_messages(org, "s")][:3] == [secrets.text] * 3
    held = await found_in(store, org, [secrets.token])
    assert tables(held) == HOLDING_TEXTS


async def test_writing_the_same_again_changes_nothing(masking: AsyncClickHouseStore, org: str) -> None:
    secrets = Secrets()
    await write_all(masking, org, "s", secrets.text)
    before = await snapshot(masking, org, ["s", "s-b", "s-c", "s-d"])
    await write_all(masking, org, "s", secrets.text)
    assert await snapshot(masking, org, ["s", "s-b", "s-c", "s-d"]) == before
    # Nor does what was read from it, where all that is masked is masked already.
    for id in ("s", "s-b"):
        rows = await masking.get_session_messages(org, id), await masking.get_session_tool_calls(org, id)
        await masking.write_session(org, await masking.get_session(org, id), *rows)
    assert await snapshot(masking, org, ["s", "s-b", "s-c", "s-d"]) == before


def transcript(text: str) -> bytes:
    return data(
        user(text, 0, uuid="u-0"),
        assistant(use("t1", "Bash", command=text)),
        result("t1", text),
    )


def read(lines: bytes) -> ImportResult:
    return import_claude_code(lines, file=f"p/{SESSION}.jsonl")


async def test_an_import_that_is_masked_before_and_again_is_masked_once(
    masking: AsyncClickHouseStore, store: AsyncClickHouseStore, org: str, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = Secrets()
    lines = transcript(secrets.text)
    masked = read(Masker().mask(lines))
    with caplog.at_level(logging.WARNING, "agentstore"):
        for _ in range(2):  # the second is the same import once more
            await ImportWriter(masking, org).write(masked)
            await ImportWriter(store, f"{org}-b").write(masked)
    assert caplog.messages == []
    assert await found_in(masking, org, secrets.needles) == {}
    assert await rows_of(masking, org) == await rows_of(store, f"{org}-b")
    # And one that is masked by the store only has the same texts, with the lengths of what was read.
    await ImportWriter(masking, f"{org}-c").write(read(lines))
    assert await found_in(masking, f"{org}-c", secrets.needles) == {}
    there = await masking.get_session_messages(f"{org}-c", SESSION)
    assert [one.content for one in there] == [one.content for one in masked.messages]


async def rows_of(store: AsyncClickHouseStore, org: str) -> list[object]:
    """All of the import, without the organisation."""
    head: Session = await store.get_session(org, SESSION)
    messages = await store.get_session_messages(org, SESSION)
    calls = await store.get_session_tool_calls(org, SESSION)
    return [replace(one, org_id="") for one in (head, *messages, *calls)]
