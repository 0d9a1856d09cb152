"""Who owns what several sessions hold: an order that does not depend on when they were written."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from agentstore.write.owners import Member, chains, in_order, is_counted, numbered, unknown_parents
from agentstore.write.touched import Touched
from tests.builders import at, message, session


def member(id: str, **fields: Any) -> Member:
    values: dict[str, Any] = {
        "parent": "", "is_browsable": True, "is_subagent": False, "is_hidden": False, "started_at": at(), **fields
    }  # fmt: skip
    return Member(id, **values)


def known(*members: Member) -> dict[str, Member]:
    return {one.id: one for one in members}


FIRST = [
    ("earlier", member("b"), member("a", started_at=at(day=6))),
    ("original before fork", member("b", started_at=at(day=6)), member("a", parent="b")),
    ("with a start before one without", member("b"), member("a", started_at=None)),
    ("browsable before unlisted", member("b", started_at=at(day=6)), member("a", is_browsable=False)),
    ("shown before hidden", member("b", parent="x"), member("a", is_hidden=True)),
    ("by the id where all is equal", member("a"), member("b")),
]


@pytest.mark.parametrize(("first", "second"), [case[1:] for case in FIRST], ids=[case[0] for case in FIRST])
def test_order(first: Member, second: Member) -> None:
    for family in ([first.id, second.id], [second.id, first.id]):
        assert in_order(family, known(first, second))[0] == [first.id, second.id]


def test_sessions_that_are_not_stored_are_last_and_count_nothing() -> None:
    assert in_order(["gone", "a"], known(member("a", parent="x", started_at=None))) == (["a", "gone"], 1, 1)


def test_every_order_of_a_family_is_the_same() -> None:
    family = known(member("a", parent="b"), member("b"), member("c", is_hidden=True), member("d", started_at=None))
    orders = {tuple(in_order(ids, family)[0]) for ids in itertools.permutations(family)}
    assert orders == {("b", "d", "a", "c")}


def test_subagents_count_with_their_roots() -> None:
    root, hidden = member("r"), member("h", is_hidden=True)
    subs = [
        member(id, parent=parent, is_subagent=True, is_browsable=False)
        for id, parent in (("s", "r"), ("t", "s"), ("u", "h"), ("v", "nowhere"), ("x", "y"), ("y", "x"))
    ]
    members = known(root, hidden, *subs)
    assert {id for id in members if is_counted(id, members)} == {"r", "s", "t"}
    assert unknown_parents(members) == {"nowhere"}


def test_chains_lead_to_roots_and_circles_end() -> None:
    roots = chains({"a": "b", "b": "c", "x": "y", "y": "x", "self": "self"})
    assert (roots["a"], roots["b"]) == ("c", "c")
    assert {roots["x"], roots["y"]} <= {"x", "y"}
    assert roots["self"] == "self"


def test_groups_that_a_chain_connects_are_one_family() -> None:
    numbers = numbered([["a", "b"], ["c"], ["d", "e"], ["b", "d"], ["f", "c"]])
    assert len({numbers[id] for id in "abde"}) == 1
    assert numbers["c"] == numbers["f"] != numbers["a"]


def test_what_calls_touch_is_put_together() -> None:
    one, other = Touched("o", versions={1}), Touched("o", versions={2})
    assert list(one.messages([[message(3, session_id="s", source_id="x"), message(1, session_id="s")]]))
    assert list(
        other.messages([[message(2, session_id="s", source_id="y"), message(9, session_id="t", source_id="z")]])
    )
    assert list(one.sessions([[session("sub", parent_session_id="s")]]))
    # It turns out to be no subagent.
    assert list(other.sessions([[session("sub", parent_session_id="s", relationship_type="fork")]]))
    assert one.parents == {"sub": "s"}
    one.merge(other)
    assert (one.lowest, one.versions, one.parents) == ({"s": 2, "t": 9}, {1, 2}, {})
    assert one.ids == {"s", "t", "sub"}
