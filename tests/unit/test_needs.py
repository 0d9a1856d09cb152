"""Settings of a profile: what is sent, what is left out, and what is refused."""

from __future__ import annotations

import pytest

from agentstore.connection.needs import (
    FOR_SPEED,
    NEEDS,
    READ_YOUR_WRITES,
    SHIELD,
    UNTOLD,
    Fitted,
    Found,
    Need,
    answer,
    fit,
    question,
    same,
)

ALL = {need.name: need for need in (*NEEDS, *READ_YOUR_WRITES)}


def fitted(**found: Found | str) -> tuple[dict[str, str], list[str]]:
    """What is sent, and the names that are refused, for a session with these settings."""
    settings = {name: Found(one) if isinstance(one, str) else one for name, one in found.items()}
    made, refused = fit(NEEDS, settings)
    return dict(made.sent), [one.need.name for one in refused]


def test_each_setting_is_named_once() -> None:
    names = [need.name for need in (*NEEDS, *READ_YOUR_WRITES)]
    assert len(names) == len(set(names))
    assert not set(names) & (set(FOR_SPEED) | set(UNTOLD))
    assert set(SHIELD) <= set(names)


def test_what_is_as_it_has_to_be_is_not_sent() -> None:
    assert fitted(**{need.name: need.value for need in NEEDS}) == ({}, [])
    assert fitted() == ({}, [])  # a server that knows none of them


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.name)
def test_what_differs_is_sent(need: Need) -> None:
    harmful = next(iter(need.wrong), "1" if need.value == "0" else "0")
    assert fitted(**{need.name: harmful}) == ({need.name: need.value}, [])


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.name)
def test_what_differs_and_is_locked_is_refused_by_name(need: Need) -> None:
    harmful = Found(next(iter(need.wrong), "1" if need.value == "0" else "0"), locked=True)
    harmless = need.wish or bool(need.unless_zero)
    assert fitted(**{need.name: harmful}) == ({}, [] if harmless else [need.name])
    for limit in need.unless_zero:
        zero: dict[str, Found | str] = {need.name: harmful, limit: "0"}
        assert fitted(**zero) == ({}, [])
        assert fitted(**{**zero, limit: "1000"}) == ({}, [need.name])


def test_who_only_reads_is_not_refused_for_what_only_writes_need() -> None:
    locked = Found("1", locked=True)
    assert fitted(final=locked) == ({}, ["final"])
    assert fitted(final=locked, readonly=Found("1", locked=True)) == ({}, [])
    assert fitted(final=locked, readonly=Found("2", locked=True)) == ({}, ["final"])


def test_values_that_do_no_harm_stay() -> None:
    assert fitted(deduplicate_insert="backward_compatible_choice") == ({}, [])
    assert fitted(distributed_ddl_task_timeout="600") == ({}, [])
    assert fitted(distributed_ddl_output_mode="none") == ({}, [])


@pytest.mark.parametrize(
    ("there", "value", "expected"),
    [
        (Found("1"), "0", True),
        (Found("1", locked=True), "0", False),
        (Found("1", minimum="1"), "0", False),
        (Found("1", maximum="5"), "0", True),
        (Found("65409", maximum="1000"), "8192", False),
        (Found("65409", maximum="8192"), "8192", True),
        (Found("ANY"), "ALL", True),
        (Found("ANY", locked=True), "ALL", False),
    ],
)
def test_what_a_user_may_set(there: Found, value: str, expected: bool) -> None:
    assert there.may_be(value) is expected


def test_what_is_for_speed_is_left_out_where_it_may_not_be_set() -> None:
    made, refused = fit(
        NEEDS,
        {
            "max_block_size": Found("65409", locked=True),
            "max_query_size": Found("262144", maximum="262144"),
            "preferred_block_size_bytes": Found("1000000"),
        },
    )
    assert refused == []
    own = {"max_block_size": 8192, "max_query_size": 1 << 20, "preferred_block_size_bytes": 5, "async_insert": 0}
    assert made.settings(own) == {"preferred_block_size_bytes": 5, "async_insert": 0}


def test_a_statement_s_own_setting_wins() -> None:
    made = Fitted({"final": "0", "limit": "0"})
    assert made.settings({"final": 1}) == {"final": 1, "limit": "0"}
    assert Fitted().settings({"a": 1}) == {"a": 1}


def test_what_was_sent_with_the_question_is_sent_from_then_on() -> None:
    made, _ = fit(NEEDS, {"join_use_nulls": Found("1")}, SHIELD)
    assert made.sent == {**SHIELD, "join_use_nulls": "0"}


def test_the_question_names_all_it_needs() -> None:
    text = question(NEEDS).text
    for name in ("readonly", "join_use_nulls", "max_execution_time", "max_block_size"):
        assert f"'{name}'" in text
    assert "insert_quorum" not in text
    assert "'insert_quorum'" in question((*NEEDS, *READ_YOUR_WRITES)).text


def test_the_answer_is_its_first_row() -> None:
    columns = [("26.9.1.1", ""), (["a", "b"], []), (["1", "x"], []), ([0, 1], []), (["", "0"], []), (["", "9"], [])]
    assert answer(columns) == ("26.9.1.1", {"a": Found("1"), "b": Found("x", True, "0", "9")})


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("0", "0.0", True), ("true", "1", True), ("all", "ALL", True), ("", "0", False), ("{}", "{}", True)],
)
def test_texts_of_one_value(one: str, other: str, expected: bool) -> None:
    assert same(one, other) is expected
