"""Short ids: as long as it takes to tell them apart."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from agentstore import AsyncClickHouseStore, Session
from agentstore.cli.resolving import short_ids
from tests.cli.running import Cli

IDS = st.lists(
    st.builds(
        lambda agent, id, tail: agent + id + tail,
        st.sampled_from(["", "codex:", "pi:", "gemini:"]),
        st.text("01", min_size=1, max_size=12),
        st.sampled_from(["", ":agent-1", ":agent-12345", ":agent-12346"]),
    ),
    max_size=12,
)


def test_the_agents_name_is_left_out_and_eight_characters_are_enough() -> None:
    ids = ["0b6e2f4a-51c7", "codex:019cb8d2-4f10", "0b6e2f4a-51c7:agent-7c1e0b2", "copilot:aaaaaaaaaa:agent-x"]
    assert short_ids(ids) == {
        "0b6e2f4a-51c7": "0b6e2f4a",
        "codex:019cb8d2-4f10": "019cb8d2",
        "0b6e2f4a-51c7:agent-7c1e0b2": "0b6e2f4a:agent-7c1",
        "copilot:aaaaaaaaaa:agent-x": "aaaaaaaa:agent-x",
    }


def test_it_takes_more_where_they_begin_alike() -> None:
    assert sorted(short_ids(["aaaaaaaaaa1", "pi:aaaaaaaaaa2", "b"]).values()) == ["aaaaaaaaaa1", "aaaaaaaaaa2", "b"]


def test_what_two_agents_have_is_told_whole() -> None:
    found = short_ids(["codex:0123456789", "pi:0123456789"])
    assert len(set(found.values())) == 2


@given(IDS)
def test_no_two_are_the_same(ids: list[str]) -> None:
    found = short_ids(ids)
    assert set(found) == set(ids)
    assert len(set(found.values())) == len(found)


def test_a_beginning_of_the_agents_name_and_of_its_id_is_one_candidate(own_cli: Cli) -> None:
    async def fill() -> None:
        async with AsyncClickHouseStore(own_cli.dsn) as store:
            await store.ensure_schema()
            one = Session(id="codex:c1", agent_type="codex", display_name="One", user_message_count=1)
            await store.write_session("local", one)

    asyncio.run(fill())
    done = own_cli("show", "c")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == "One"
