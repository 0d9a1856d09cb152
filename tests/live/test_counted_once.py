"""What several sessions hold counts in one of them, whoever was written first, and whoever is gone later."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from typing import Any

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, Message, SearchQuery, SessionDelete
from agentstore.write.families import Families
from agentstore.write.sweep import undecided_sessions
from tests.builders import at, call, commit, message, session
from tests.live.families import Family, Transcript, counted, parts, totals_of, without
from tests.servers import Server

# More of them in `make test-faults`.
SEEDS = range(int(os.environ.get("AGENTSTORE_FAMILIES", "3")))


async def everything(store: AsyncClickHouseStore, org: str) -> list[Any]:
    """All totals, in every cut."""
    return [
        await store.usage_by_user(org),
        await store.daily_activity(org),
        await store.token_usage_by_model(org),
        await store.tool_usage_distribution(org),
        await store.activity_heatmap(org),
    ]


@pytest.mark.parametrize("seed", SEEDS)
async def test_totals_are_those_of_distinct_rows_whatever_the_order(
    store: AsyncClickHouseStore, org: str, seed: int
) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    family = Family(rng, "f").grow(rng.randrange(2, 7)) + Family(rng, "g").grow(2)
    orders = []
    for number in range(2):
        one_org = f"{org}-{number}"
        shuffled = rng.sample(family, len(family))
        if number:
            await asyncio.gather(*(one.write(store, one_org) for one in shuffled))
        else:
            for one in shuffled:
                await one.write(store, one_org)
        assert await counted(store, one_org) == totals_of(family)
        assert await parts(store, one_org) == totals_of(family)
        orders.append(await everything(store, one_org))
    assert orders[0] == orders[1]


@pytest.mark.parametrize("seed", SEEDS)
async def test_totals_after_an_owner_is_gone_hidden_or_back(store: AsyncClickHouseStore, org: str, seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    family = Family(rng, "f").grow(rng.randrange(3, 7))
    await store.write_batch(
        org,
        [one.session for one in family],
        [msgspec.structs.replace(row, session_id=one.session.id) for one in family for row in one.messages],
        [msgspec.structs.replace(row, session_id=one.session.id) for one in family for row in one.calls],
    )
    await store.write_git_links(org, [link for one in family for link in one.links])
    assert await counted(store, org) == totals_of(family)
    for one in rng.sample(family, len(family) - 1):
        id = one.session.id
        hide = [SessionDelete(session_id=id)]
        await store.write_session_deletes(org, hide)
        assert await counted(store, org) == totals_of(without(family, [id]))
        await store.remove_session_deletes(org, hide)
        assert await counted(store, org) == totals_of(family)
        if rng.random() < 0.5:
            await store.delete_sessions(org, [id])
        else:
            await store.purge_sessions(org, [id])
        family = without(family, [id])
        assert await counted(store, org) == totals_of(family)


@pytest.mark.parametrize("seed", SEEDS)
async def test_each_row_is_found_once_and_inside_of_each_session_that_has_it(
    store: AsyncClickHouseStore, org: str, seed: int
) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    family = Family(rng, "f").grow(5)
    for one in rng.sample(family, len(family)):
        await one.write(store, org)
    for content in rng.sample(sorted({row.content for one in family for row in one.messages}), 4):
        holders = [one for one in family if any(row.content == content for row in one.messages)]
        needle = content.split()[0]
        for mode in ("substring", "words"):
            page = await store.search(org, SearchQuery(query=needle, role="user", mode=mode))
            page_of_models = await store.search(org, SearchQuery(query=needle, role="assistant", mode=mode))
            assert page.total + page_of_models.total == 1
            assert len(page.results + page_of_models.results) == 1
            calls = {row.tool_use_id for one in holders for row in one.calls if needle in row.input_json}
            assert (await store.search(org, SearchQuery(query=needle, role="tool", mode=mode))).total == len(calls)
            for one in holders:
                inside = await store.search(org, SearchQuery(query=needle, mode=mode, session_id=one.session.id))
                assert inside.total == 1 + sum(needle in row.input_json for row in one.calls)
    # Each reads whole, and says what of it is another's.
    for one in family:
        read = await store.get_session(org, one.session.id)
        assert [row.content for row in await store.get_session_messages(org, read.id)] == [
            row.content for row in one.messages
        ]
        assert read.message_count == len(one.messages)
        assert (read.origin_session_id != "") == (read.copied_message_count > 0)
    listed = (await store.list_sessions(org)).sessions
    assert len(listed) == len(family)
    assert sum(one.message_count - one.copied_message_count for one in listed) == totals_of(family).messages


def fork(id: str, *rows: Message, **fields: Any) -> Transcript:
    return Transcript(session(id, **fields), list(rows)).with_totals()


def said(ordinal: int, source: str, **fields: Any) -> Message:
    return message(ordinal, f"said {source}", source_id=source, **fields)


async def messages_by_user(store: AsyncClickHouseStore, org: str) -> dict[str, int]:
    return {one.user_id: one.message_count for one in await store.usage_by_user(org)}


async def test_a_copy_says_its_origin(store: AsyncClickHouseStore, org: str) -> None:
    await fork("a", said(0, "1"), said(1, "2"), user_id="ada").write(store, org)
    await fork("b", said(0, "1"), said(1, "2"), said(2, "3"), user_id="bob", parent_session_id="a",
               relationship_type="fork").write(store, org)  # fmt: skip
    copy, origin = await store.get_session(org, "b"), await store.get_session(org, "a")
    assert (copy.origin_session_id, copy.copied_message_count, copy.message_count) == ("a", 2, 3)
    assert (origin.origin_session_id, origin.copied_message_count) == ("", 0)
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 1}


async def test_an_owner_that_lists_do_not_show_gives_way(store: AsyncClickHouseStore, org: str) -> None:
    await fork("a", said(0, "1"), said(1, "2"), user_id="ada", user_message_count=0).write(store, org)
    await fork("b", said(0, "1"), user_id="bob", parent_session_id="a", relationship_type="fork").write(store, org)
    assert await messages_by_user(store, org) == {"bob": 1}
    await store.write_session(org, session("a", user_id="ada", message_count=2))
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 0}


async def test_a_session_that_is_rewritten_owns_what_is_new_in_it(store: AsyncClickHouseStore, org: str) -> None:
    await fork("a", said(0, "1"), said(1, "2"), user_id="ada").write(store, org)
    other = fork("b", said(0, "1"), said(1, "2"), user_id="bob", parent_session_id="a", relationship_type="fork")
    await other.write(store, org)
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 0}
    await store.write_session(org, other.session, [said(0, "5"), said(1, "6")])  # rewound, and something else said
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 2}
    # And the other way round: the origin is cut.
    await store.write_session(org, other.session, [said(0, "1"), said(1, "2")])
    await store.write_session(org, session("a", user_id="ada", message_count=1), [said(0, "1")], replace=True)
    assert await messages_by_user(store, org) == {"ada": 1, "bob": 1}


async def test_copies_by_two_stores_at_once(server: Server, database: str, org: str) -> None:
    """Neither knows of the other when it begins; whoever looks last sees both."""
    async with (
        AsyncClickHouseStore(server.dsn, database=database) as one,
        AsyncClickHouseStore(server.dsn, database=database) as other,
    ):
        for number in range(10):
            rows = [said(0, f"{number}-1"), said(1, f"{number}-2")]
            await asyncio.gather(
                fork(f"a{number}", *rows, user_id="ada").write(one, org),
                fork(f"b{number}", *rows, user_id="bob").write(other, org),
            )
        assert sum((await messages_by_user(one, org)).values()) == 20


async def test_links_that_a_fork_made_itself_are_its_own(store: AsyncClickHouseStore, org: str) -> None:
    """Where no ordinal is said, a link stands at 0, among the copies; that does not make it one."""
    await fork("a", said(0, "1"), user_id="ada").write(store, org)
    await fork("b", said(0, "1"), said(1, "2"), user_id="bob", parent_session_id="a", relationship_type="fork").write(
        store, org
    )
    await store.write_git_links(org, [commit("a", "aaaa1111"), commit("b", "aaaa1111"), commit("b", "bbbb2222")])
    assert {one.user_id: one.commit_count for one in await store.usage_by_user(org)} == {"ada": 1, "bob": 1}
    assert [one.session_id for one in await store.lookup_git_links(org, sha="aaaa1111")] == ["a"]
    assert [one.session_id for one in await store.lookup_git_links(org, sha="bbbb2222")] == ["b"]
    assert len(await store.get_session_git_links(org, "b")) == 2


async def test_organisations_share_nothing(store: AsyncClickHouseStore, org: str) -> None:
    for one in (org, org + "-2"):
        await fork("a", said(0, "1"), user_id="ada").write(store, one)
    assert await messages_by_user(store, org) == await messages_by_user(store, org + "-2") == {"ada": 1}


async def test_subagents_count_for_their_root(store: AsyncClickHouseStore, org: str) -> None:
    root = session("r", user_id="ada", project_name="alpha", total_output_tokens=120, message_count=1)
    await store.write_session(org, root, [message(0, source_id="m", model="x", output_tokens=120, role="assistant")])
    parent = "r"
    for number in range(4):  # each the subagent of the one before
        sub = session(f"r:{number}", user_id="other", project_name="other", parent_session_id=parent,
                      relationship_type="subagent" if number % 2 else "", total_output_tokens=500, message_count=1,
                      user_message_count=number % 2)  # fmt: skip
        row = message(0, source_id=f"m{number}", model="x", output_tokens=500, role="assistant")
        await store.write_session(org, sub, [row], [call(0, tool_use_id=f"t{number}")])
        parent = sub.id
    (used,) = await store.usage_by_user(org)
    assert (used.user_id, used.project_name, used.session_count, used.message_count) == ("ada", "alpha", 1, 1)
    assert used.total_output_tokens == 2120
    for filter in ({}, {"user_id": "ada"}, {"project_name": "alpha"}):
        assert [one.usage_count for one in await store.tool_usage_distribution(org, **filter)] == [4]
        assert [one.output_tokens for one in await store.token_usage_by_model(org, **filter)] == [2120]
        assert [one.total_output_tokens for one in await store.daily_activity(org, **filter)] == [2120]
    assert await store.usage_by_user(org, user_id="other") == []
    assert (await store.list_sessions(org)).total == 1


async def test_a_subagent_counts_on_its_own_day(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("r", user_id="ada", started_at=at(day=5), total_output_tokens=1))
    await store.write_session(org, session("s", parent_session_id="r", started_at=at(day=7), total_output_tokens=10))
    assert [(one.date.day, one.session_count, one.total_output_tokens) for one in await store.daily_activity(org)] == [
        (5, 1, 1),
        (7, 0, 10),
    ]
    (used,) = await store.usage_by_user(org, date_from="2026-01-06")
    assert (used.session_count, used.total_output_tokens) == (0, 10)


async def test_hidden_roots_hide_their_subagents(store: AsyncClickHouseStore, org: str) -> None:
    await store.write_session(org, session("r", total_output_tokens=1))
    await store.write_session(org, session("s", parent_session_id="r", total_output_tokens=10))
    await store.write_session(org, session("t", parent_session_id="s", total_output_tokens=100))
    for hidden, expected in (("t", 11), ("s", 101), ("r", 0)):
        await store.write_session_deletes(org, [SessionDelete(session_id=hidden)])
        assert sum(one.total_output_tokens for one in await store.usage_by_user(org)) == expected
        await store.remove_session_deletes(org, [SessionDelete(session_id=hidden)])
    await store.delete_sessions(org, ["r"])
    assert await store.usage_by_user(org) == []


async def test_subagents_that_were_copied_with_their_roots_count_once(store: AsyncClickHouseStore, org: str) -> None:
    for root, user in (("a", "ada"), ("b", "bob")):
        await fork(root, said(0, "1"), user_id=user).write(store, org)
        sub = fork(f"{root}:x", said(0, "s1"), message(1, source_id="s2", role="assistant", output_tokens=7),
                   parent_session_id=root, relationship_type="subagent")  # fmt: skip
        await sub.write(store, org)
    assert sum(one.total_output_tokens for one in await store.usage_by_user(org)) == 7
    await store.write_session_deletes(org, [SessionDelete(session_id="a")])
    assert {one.user_id: one.total_output_tokens for one in await store.usage_by_user(org)} == {"bob": 7}
    await store.remove_session_deletes(org, [SessionDelete(session_id="a")])
    await store.delete_sessions(org, ["a"])
    assert {one.user_id: one.total_output_tokens for one in await store.usage_by_user(org)} == {"bob": 7}


async def tokens_by_user(store: AsyncClickHouseStore, org: str) -> dict[str, int]:
    return {one.user_id: one.total_output_tokens for one in await store.usage_by_user(org)}


async def test_a_root_takes_its_subagents_along(server: Server, database: str, org: str) -> None:
    """Whatever becomes of it, and whichever store writes it: nothing is remembered that another one may change."""
    async with (
        AsyncClickHouseStore(server.dsn, database=database) as one,
        AsyncClickHouseStore(server.dsn, database=database) as other,
    ):
        root, sub = session("r", user_id="ada", project_name="alpha"), session("s", parent_session_id="r")
        root = msgspec.structs.replace(root, total_output_tokens=1)
        sub = msgspec.structs.replace(sub, total_output_tokens=10)
        for record in (root, sub):
            await one.write_session(org, record)
        assert await tokens_by_user(one, org) == {"ada": 11}
        await other.write_session(org, msgspec.structs.replace(root, user_id="bob", project_name="beta"))
        assert await tokens_by_user(one, org) == {"bob": 11}
        assert [used.project_name for used in await one.usage_by_user(org)] == ["beta"]
        await one.write_session(org, root)
        assert await tokens_by_user(one, org) == {"ada": 11}
        await other.delete_sessions(org, ["r"])
        assert await tokens_by_user(one, org) == {}
        await one.write_session(org, root)
        assert await tokens_by_user(one, org) == {"ada": 11}
        await other.write_session(org, msgspec.structs.replace(root, user_message_count=0))
        assert await tokens_by_user(one, org) == {}
        await one.write_session(org, root)
        # One that stands for itself after all.
        await other.write_session(org, msgspec.structs.replace(sub, relationship_type="fork", user_id="eve"))
        assert await tokens_by_user(one, org) == {"ada": 1, "eve": 10}
        await one.write_session(org, sub)
        assert await tokens_by_user(one, org) == {"ada": 11}
        await other.delete_sessions(org, ["s"])
        assert await tokens_by_user(one, org) == {"ada": 1}


async def test_an_id_that_is_used_again_has_nothing_of_the_old_session(store: AsyncClickHouseStore, org: str) -> None:
    await fork("a", said(0, "1"), said(1, "2"), user_id="ada").write(store, org)
    copy = fork("b", said(0, "1"), said(1, "2"), user_id="bob", parent_session_id="a", relationship_type="fork")
    await copy.write(store, org)
    await store.delete_sessions(org, ["b"])
    assert await messages_by_user(store, org) == {"ada": 2}
    await fork("b", said(0, "5"), said(1, "6"), said(2, "7"), user_id="bob").write(store, org)
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 3}
    assert (await store.get_session(org, "b")).origin_session_id == ""


async def test_messages_before_their_session(store: AsyncClickHouseStore, org: str) -> None:
    rows = [said(0, "1", session_id="a"), said(1, "2", session_id="a")]
    await fork("b", said(0, "1"), said(1, "2"), user_id="bob", parent_session_id="a", relationship_type="fork").write(
        store, org
    )
    await store.write_batch(org, [], rows)
    assert await messages_by_user(store, org) == {"bob": 2}
    await store.write_session(org, session("a", user_id="ada", message_count=2))
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 0}


async def test_submitted_and_cancelled_writes_are_counted_once(store: AsyncClickHouseStore, org: str) -> None:
    rows = [said(0, "1"), said(1, "2")]
    receipts = [store.submit_session(org, session(id, user_id=id, message_count=2), rows) for id in "abc"]
    for receipt in receipts:
        await receipt
    assert sum((await messages_by_user(store, org)).values()) == 2
    writes = [asyncio.create_task(store.write_session(org, session(id, message_count=2), rows)) for id in "def"]
    await asyncio.sleep(0)
    for write in writes:
        write.cancel()
    await asyncio.gather(*writes, return_exceptions=True)
    await store.flush()
    assert sum((await messages_by_user(store, org)).values()) == 2


@pytest.mark.parametrize("order", list(itertools.permutations("rst")))
async def test_subagents_of_subagents_in_any_order(store: AsyncClickHouseStore, org: str, order: tuple[str]) -> None:
    rows = {
        "r": session("r", user_id="ada", total_output_tokens=1),
        "s": session("s", parent_session_id="r", total_output_tokens=10),
        "t": session("t", parent_session_id="s", total_output_tokens=100),
    }
    for id in order:
        await store.write_session(org, rows[id])
    assert await tokens_by_user(store, org) == {"ada": 111}
    await store.write_session(org, session("q", user_id="bob"))
    await store.write_session(org, msgspec.structs.replace(rows["s"], parent_session_id="q"))
    assert await tokens_by_user(store, org) == {"ada": 1, "bob": 110}
    await store.write_session(org, session("s", user_id="eve", total_output_tokens=10))  # stands for itself
    assert await tokens_by_user(store, org) == {"ada": 1, "bob": 0, "eve": 110}


async def test_an_owner_that_is_rewritten_in_place_gives_up_what_it_held(store: AsyncClickHouseStore, org: str) -> None:
    rows = [said(0, "1"), said(1, "2")]
    await fork("a", *rows, user_id="ada").write(store, org)
    await fork("b", *rows, user_id="bob", parent_session_id="a", relationship_type="fork").write(store, org)
    await store.write_batch(org, [], [said(1, "9", session_id="a")])
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 1}
    assert [hit.session_id for hit in (await store.search(org, SearchQuery(query="said 2"))).results] == ["b"]


async def test_what_a_session_shares_with_its_subagent_is_its_own(store: AsyncClickHouseStore, org: str) -> None:
    from tests.builders import at

    await fork("a", said(0, "1"), said(1, "2", output_tokens=1), user_id="ada").write(store, org)
    await fork("a:x", said(0, "2", output_tokens=7), parent_session_id="a", started_at=at(day=1)).write(store, org)
    assert await messages_by_user(store, org) == {"ada": 2}
    assert [hit.session_id for hit in (await store.search(org, SearchQuery(query="said 2"))).results] == ["a"]


async def test_prompts_that_come_alone_are_known_by_their_time(store: AsyncClickHouseStore, org: str) -> None:
    from tests.builders import at

    asked = {"timestamp": at(1), "content_length": 6}
    await fork("a", said(0, "1"), said(1, "2", **asked), user_id="ada").write(store, org)
    await fork("b", said(0, "1"), user_id="bob", parent_session_id="a", relationship_type="fork").write(store, org)
    await store.write_batch(org, [session("b", user_id="bob", parent_session_id="a", relationship_type="fork",
                                          message_count=2)], [said(1, "again", session_id="b", **asked)])  # fmt: skip
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 0}


async def test_what_grew_in_a_copy_counts_there_whatever_its_role(store: AsyncClickHouseStore, org: str) -> None:
    from tests.builders import at

    same = {"role": "model", "timestamp": at(1), "content_length": 6}
    await fork("a", said(0, "1", output_tokens=5, **same), user_id="ada").write(store, org)
    await fork("b", said(0, "1", output_tokens=9, **same), user_id="bob").write(store, org)
    assert await messages_by_user(store, org) == {"ada": 0, "bob": 1}


async def test_ids_that_are_no_valid_text(store: AsyncClickHouseStore, org: str) -> None:
    await fork("a\udc80", said(0, "1"), user_id="ada").write(store, org)
    await fork("b", said(0, "1"), user_id="bob").write(store, org)
    await store.delete_sessions(org, ["a\udc80"])
    assert await messages_by_user(store, org) == {"bob": 1}


async def test_totals_stand_still_while_copies_are_written_again(store: AsyncClickHouseStore, org: str) -> None:
    rows = [said(0, "1"), said(1, "2")]
    copies = [fork(id, *rows, user_id=id) for id in "ab"]
    sub = session("a:x", parent_session_id="a", total_output_tokens=100)

    async def write() -> None:
        for one in copies:
            await one.write(store, org)
        await store.write_session(org, sub)

    await write()
    writing = asyncio.create_task(write())
    while not writing.done():
        used = await store.usage_by_user(org)
        assert (sum(one.message_count for one in used), sum(one.total_output_tokens for one in used)) == (2, 100)
    await writing


async def test_copies_by_three_stores_again_and_again(server: Server, database: str, org: str) -> None:
    """No store may carry on a decision that another one is about to replace."""
    async with (
        AsyncClickHouseStore(server.dsn, database=database) as one,
        AsyncClickHouseStore(server.dsn, database=database) as other,
        AsyncClickHouseStore(server.dsn, database=database) as third,
    ):
        for number in range(20):
            rows = [said(0, f"{number}-1"), said(1, f"{number}-2")]
            await asyncio.gather(
                *(fork(f"{at}{number}", *rows, user_id="u").write(store, org)
                  for at, store in zip("abc", (one, other, third), strict=True))
            )  # fmt: skip
        assert sum((await messages_by_user(one, org)).values()) == 40


async def test_a_copy_that_has_more_of_a_message_owns_it(store: AsyncClickHouseStore, org: str) -> None:
    """The origin was killed while its tool ran; the resume has the result, and another call."""
    row = message(0, "[Bash]", role="assistant", source_id="m", output_tokens=5, content_length=6)
    await store.write_session(org, session("a", user_id="ada"), [row], [call(0, tool_use_id="t0")])
    answered = call(0, tool_use_id="t0", result_content="the answer", result_content_length=10)
    await store.write_session(
        org,
        session("b", user_id="bob", parent_session_id="a", relationship_type="continuation"),
        [row],
        [answered, call(0, tool_use_id="t1", call_index=1)],
    )
    assert [one.usage_count for one in await store.tool_usage_distribution(org)] == [2]
    assert (await store.search(org, SearchQuery(query="the answer"))).total == 1
    more = [call(0, session_id="a", tool_use_id=f"t{number}", call_index=number) for number in (1, 2)]
    await store.write_batch(org, [], [], [msgspec.structs.replace(answered, session_id="a"), *more])
    assert [one.usage_count for one in await store.tool_usage_distribution(org)] == [3]


async def test_an_owner_that_is_replaced_by_nothing_gives_up_what_it_held(
    store: AsyncClickHouseStore, org: str
) -> None:
    rows = [said(0, "1"), said(1, "2")]
    await fork("a", *rows, user_id="ada").write(store, org)
    await fork("b", *rows, user_id="bob", parent_session_id="a", relationship_type="fork").write(store, org)
    await store.write_session(org, session("a", user_id="ada", message_count=0), [], replace=True)
    assert await messages_by_user(store, org) == {"ada": 0, "bob": 2}


async def test_a_fork_that_goes_on_is_counted_from_where_it_forked(store: AsyncClickHouseStore, org: str) -> None:
    rows = [said(0, "1"), said(1, "2")]
    await fork("a", *rows, user_id="ada").write(store, org)
    more = [*rows, said(2, "3"), said(3, "4")]
    for count in (2, 3, 4):
        await fork("b", *more[:count], user_id="bob", parent_session_id="a", relationship_type="fork").write(store, org)
        await store.write_batch(
            org, [], [said(9, "9", session_id="b")]
        )  # behind what is shared: nothing else to look at
        assert await messages_by_user(store, org) == {"ada": 2, "bob": count - 2}


async def test_what_nobody_has_decided_is_found_and_decided(
    server: Server, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their writer was killed between the commit and the decision."""
    rows = [said(0, "1"), said(1, "2")]
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as killed:
        await killed.ensure_schema()
        with monkeypatch.context() as dead:
            dead.setattr(Families, "add", lambda *_: None)
            for id, user in (("a", "ada"), ("b", "bob"), ("c", "eve")):
                await fork(id, *rows, user_id=user).write(killed, "o")
        await fork("alone", said(0, "5"), user_id="eve").write(killed, "o")
        assert await messages_by_user(killed, "o") == {"ada": 2, "bob": 2, "eve": 3}
    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        writer = store._open_writer
        found = await undecided_sessions(writer.background)
        assert found == {"o": {"a", "b", "c"}}
        decided = writer.families.doubt("o", found["o"])
        assert decided is not None
        await decided
        assert await messages_by_user(store, "o") == {"ada": 2, "bob": 0, "eve": 1}
        assert await undecided_sessions(writer.background) == {}
        await store.delete_sessions("o", ["a"])
        assert await messages_by_user(store, "o") == {"bob": 2, "eve": 1}


async def test_a_subagent_that_became_a_session_is_paid_once_and_decided_anew(
    server: Server, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [message(0, model="opus", output_tokens=5, source_id="r")]
    child = session("child", user_id="ada", message_count=1, total_output_tokens=5)

    async def paid(store: AsyncClickHouseStore) -> tuple[object, ...]:
        found = [(await store.cost_by("o", key)).total.responses for key in ("model", "user", "session", "day")]
        return found, (await store.cost_by("o", "session")).rows[0].key

    async def spent(store: AsyncClickHouseStore) -> tuple[object, ...]:
        days = sum(one.total_output_tokens for one in await store.daily_activity("o"))
        return days, {one.user_id: one.total_output_tokens for one in await store.usage_by_user("o")}

    async with AsyncClickHouseStore(server.dsn, database=fresh_database) as store:
        await store.ensure_schema()
        await store.write_session("o", session("root", user_id="bob"))
        child_of_root = msgspec.structs.replace(child, relationship_type="subagent", parent_session_id="root")
        await store.write_session("o", child_of_root, rows)
        assert (await paid(store), await spent(store)) == (([1] * 4, "root"), (5, {"bob": 5}))
        with monkeypatch.context() as dead:
            dead.setattr(Families, "add", lambda *_: None)
            await store.write_session("o", child, rows)
        assert await paid(store) == ([1] * 4, "child")
        writer = store._open_writer
        found = await undecided_sessions(writer.background)
        assert found == {"o": {"child"}}
        decided = writer.families.doubt("o", found["o"])
        assert decided is not None
        await decided
        assert await undecided_sessions(writer.background) == {}
        assert (await paid(store), await spent(store)) == (([1] * 4, "child"), (5, {"ada": 5, "bob": 0}))


@pytest.mark.parametrize("sessions", [1, 2100])
async def test_one_copy_among_thousands_of_rows_is_found(store: AsyncClickHouseStore, org: str, sessions: int) -> None:
    """Of so many it is asked in another way than of few."""
    rows = [said(0, "1"), said(1, "2")]
    await fork("a", *rows, user_id="ada").write(store, org)
    owners = [session(f"b{number}", user_id="bob", message_count=0) for number in range(sessions)]
    many = [said(number, f"b{number}", session_id=f"b{number % sessions}") for number in range(2100)]
    last = owners[-1].id
    copied = [msgspec.structs.replace(row, session_id=last, ordinal=9000 + row.ordinal) for row in rows]
    await store.write_batch(org, owners, [*many, *copied])
    assert (await store.get_session(org, last)).copied_message_count == 2
    # And a mark among them: what is written with so many others has a family.
    owners = [session(f"c{number}", user_id="eve", message_count=0) for number in range(2100)]
    await store.write_batch(org, [*owners, session("a", user_id="ada", user_message_count=0)], [])
    assert (await store.get_session(org, last)).copied_message_count == 0


async def test_whoever_comes_into_a_family_by_anothers_rows_is_looked_at_from_then_on(
    store: AsyncClickHouseStore, org: str
) -> None:
    await fork("a", said(0, "1"), user_id="ada").write(store, org)
    await store.write_session(org, session("b", user_id="bob", message_count=2), [said(0, "1")])
    await fork("c", said(0, "3"), user_id="eve", started_at=at(day=4)).write(store, org)
    await store.write_batch(org, [], [said(1, "3", session_id="b")])
    assert await messages_by_user(store, org) == {"ada": 1, "bob": 0, "eve": 1}
    await store.write_session_deletes(org, [SessionDelete(session_id="c")])
    assert await messages_by_user(store, org) == {"ada": 1, "bob": 1}


async def test_another_parent_of_a_subagent_takes_it_along(store: AsyncClickHouseStore, org: str) -> None:
    await fork("p", said(0, "1"), user_id="ada").write(store, org)
    await fork("q", said(0, "2"), user_id="bob").write(store, org)
    for parent in "pq":
        below = {"parent_session_id": parent, "relationship_type": "subagent", "user_message_count": 0}
        await fork("s", said(0, "3", role="assistant", output_tokens=7), **below).write(store, org)
    tokens = {one.user_id: one.total_output_tokens for one in await store.usage_by_user(org)}
    assert tokens == {"ada": 0, "bob": 7}
    await store.write_session_deletes(org, [SessionDelete(session_id="q")])
    assert sum(one.total_output_tokens for one in await store.usage_by_user(org)) == 0


async def test_a_row_without_an_id_in_the_place_of_a_shared_one(store: AsyncClickHouseStore, org: str) -> None:
    for id, user in (("a", "ada"), ("b", "bob")):
        await fork(id, said(0, "1"), said(1, "2"), user_id=user).write(store, org)
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 0}
    await store.write_batch(org, [], [message(1, "other", session_id="a")])
    assert await messages_by_user(store, org) == {"ada": 2, "bob": 1}


async def test_one_that_was_decided_and_not_marked_is_doubted_once(
    store: AsyncClickHouseStore, org: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer was killed, and then another member of the family was written."""
    await fork("a", said(0, "1"), user_id="ada").write(store, org)
    await fork("b", said(0, "1"), user_id="bob").write(store, org)
    with monkeypatch.context() as dead:
        dead.setattr(Families, "add", lambda *_: None)
        await fork("c", said(0, "1"), user_id="eve").write(store, org)
    await fork("a", said(0, "1"), user_id="ada").write(store, org)
    assert await messages_by_user(store, org) == {"ada": 1, "bob": 0, "eve": 0}
    assert org not in await undecided_sessions(store._open_writer.background)
