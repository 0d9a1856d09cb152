"""One session in several files: what continues it, what is a fork of it, and that no order and no folder decides."""

from __future__ import annotations

import itertools
import random

from agentstore.importers.copies import Trace, record_key, sort_out, trace_of


def trace(records: str, size: int = 0, *, hour: int = 0) -> Trace:
    """One record a letter, in the order of the alphabet; those in capitals an hour later."""
    return trace_of(
        [
            (letter, f"2026-03-02T{hour + letter.isupper():02d}:{ord(letter.lower()) - 97:02d}:00Z")
            for letter in records
        ],
        size,
    )


def settled(**records: str) -> dict[str, str]:
    """The ids; and that they are the same whatever the order and the names."""
    traces = {name: trace(text) for name, text in records.items()}
    ids = sort_out("s", traces)
    for order in itertools.permutations(traces):
        assert sort_out("s", {name: traces[name] for name in order}) == ids
    renamed = {f"{9 - number}": name for number, name in enumerate(traces)}
    again = sort_out("s", {new: traces[old] for new, old in renamed.items()})
    assert sorted(filter(None, again.values())) == sorted(filter(None, ids.values()))
    return ids


def test_what_extends_a_session_continues_it() -> None:
    assert settled(a="abc", b="abcde", c="a") == {"a": "", "b": "s", "c": ""}
    # A line that was torn where one copy was made is missing there; a record that stands twice is one.
    assert settled(a="acc", b="abcd") == {"a": "", "b": "s"}


def test_equal_copies_are_one_session_in_one_file() -> None:
    ids = sort_out("s", {"b": trace("abc", 7), "a": trace("abc", 7), "c": trace("abc", 9)})
    assert ids == {"a": "", "b": "", "c": "s"}
    assert sort_out("s", {"b": trace("abc"), "a": trace("abc")}) == {"a": "s", "b": ""}


def test_of_two_that_diverged_the_first_to_go_on_is_the_session() -> None:
    ids = settled(early="abcd", late="abcXY")
    assert ids["early"] == "s"
    assert ids["late"].startswith("s~")
    assert len(ids["late"]) == len("s~") + 8


def test_a_fork_keeps_its_id_while_files_grow_and_others_come() -> None:
    before = settled(early="abcd", late="abcX")
    assert settled(early="abcd", late="abcXYZVW")["late"] == before["late"]
    assert settled(early="abcdefghi", late="abcXY") == before
    assert settled(early="abcd", late="abcX", later="abcQ", part="ab") | before == settled(
        early="abcd", late="abcX", later="abcQ", part="ab"
    )


def test_forks_of_forks_have_ids_of_their_own() -> None:
    ids = settled(main="abc", fork="abXmn", further="abXmp", other="aY")
    assert ids["main"] == "s"
    assert len(set(ids.values())) == 4
    assert all(id == "s" or id.startswith("s~") for id in ids.values())


def test_files_without_a_record_in_common_are_a_session_and_a_fork() -> None:
    ids = settled(a="abc", b="XYZ")
    assert ids["a"] == "s"
    assert ids["b"].startswith("s~")


def test_files_in_which_nobody_speaks_are_one() -> None:
    assert sort_out("s", {"b": trace(""), "a": trace("")}) == {"a": "s", "b": ""}
    assert sort_out("s", {"b": trace(""), "a": trace("a")}) == {"a": "s", "b": ""}
    assert sort_out("s", {}) == {}


def test_a_record_is_known_by_what_stays_when_it_is_copied() -> None:
    response = record_key("assistant", "line", "msg_1", "now", "hi")
    assert response == record_key("assistant", "other line", "msg_1", "later", "more")
    assert record_key("user", "u", "", "now", "hi") == record_key("user", "u", "", "later", "x")
    assert record_key("user", "", "", "now", "hi") != record_key("user", "", "", "now", "x")
    assert record_key("user", "", "", "", "") == ""
    assert len(trace_of([("", "now"), ("a", "no time"), ("a", "now")]).digests) == 1


def test_files_that_lack_different_records_have_ids_of_their_own() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(500):
        files = {str(n): "".join(sorted(chance.sample("abcdefgh", chance.randrange(1, 8)))) for n in range(5)}
        ids = sort_out("s", {name: trace(records) for name, records in files.items()})
        given = [id for id in ids.values() if id]
        assert len(given) == len(set(given))
        assert "s" in given


def test_any_tree_of_forks_gets_as_many_ids_as_it_has_ends() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(50):
        ends = ["a"]
        for number in range(chance.randrange(1, 12)):
            start = chance.choice(ends)
            ends.append(
                start[: chance.randrange(len(start) + 1)]
                + f"{number:x}" * chance.randrange(1, 4)
                + chance.choice("ghi")
            )
        files = {
            f"{number}": trace_of([(end[: n + 1], "") for n in range(len(end))]) for number, end in enumerate(ends)
        }
        ids = sort_out("s", files)
        open_ends = {end for end in ends if not any(other != end and other.startswith(end) for other in ends)}
        given = [id for id in ids.values() if id]
        assert len(given) == len(set(given)) == len(open_ends)
        assert "s" in given
