"""Paths of other machines below one folder, chains of parts, and what the store knows better: pure decisions."""

from __future__ import annotations

import datetime as dt
import pathlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentstore.importers import ImportState
from agentstore.importers.projects import project_of
from agentstore.ingest.kept.chains import kept_of
from agentstore.ingest.kept.keeping import as_stored, merged, with_usage
from agentstore.ingest.kept.layout import Layout, parts_beside, parts_of
from agentstore.ingest.kept.restoring import folder_of
from agentstore.models import Message, OriginalPart, Session, SourceFile

TOP = pathlib.Path("/top")
NAMES = st.text("ab./\\:\0é☃ ", max_size=30)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("/home/ada/.claude/projects/-w/a.jsonl", ("home", "ada", ".claude", "projects", "-w", "a.jsonl")),
        ("C:/Users/ada/a.jsonl", ("C", "Users", "ada", "a.jsonl")),
        ("C:\\Users\\ada\\a.jsonl", ("C", "Users", "ada", "a.jsonl")),
        ("../../a.jsonl", ("__", "__", "a.jsonl")),
        ("./a//b/./c", ("a", "b", "c")),
        ("", ("_",)),
    ],
)
def test_a_path_is_kept_but_for_what_leads_elsewhere(name: str, parts: tuple[str, ...]) -> None:
    assert parts_of(name) == parts


def test_names_that_fit_no_file_system_are_cut_and_stay_different() -> None:
    one, other = (parts_of("/a/" + "x" * 300 + end + ".jsonl")[-1] for end in "ab")
    assert one != other
    assert one.endswith(".jsonl")
    assert len(one.encode()) <= 240
    deep = parts_of("/".join(["☃" * 70] * 100))
    assert sum(len(part.encode()) + 1 for part in deep) <= 3100
    assert deep[1:] == ("☃" * 70,) * (len(deep) - 1)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=3)), max_size=8))
def test_no_file_leaves_the_folder_or_has_anothers_place(files: list[tuple[str, list[str]]]) -> None:
    layout = Layout(TOP)
    own: set[str] = set()
    shared: dict[str, bytes] = {}
    for number, (name, beside) in enumerate(files):
        target = layout.place(name, dict.fromkeys(beside, b"%d" % (number % 2)))
        for path in (target.path, *target.beside.values()):
            assert path.is_relative_to(TOP)
            assert ".." not in path.parts
            assert "\0" not in str(path)
        key = str(target.path).casefold()
        assert key not in own | shared.keys()
        own.add(key)
        for path in target.beside.values():
            key = str(path).casefold()
            assert key not in own
            assert shared.setdefault(key, b"%d" % (number % 2)) == b"%d" % (number % 2)
    paths = [pathlib.PurePath(one) for one in own | shared.keys()]
    assert not any(one in other.parents for one in paths for other in paths)


def test_a_file_beside_is_found_from_the_folder_of_its_own() -> None:
    own = ("home", "s", "chats", "a.json")
    assert parts_beside(own, "../.project_root") == ("home", "s", ".project_root")
    assert parts_beside(own, "a/tool-results/x") == ("home", "s", "chats", "a", "tool-results", "x")
    assert parts_beside(own, "../../../../x") is None
    assert parts_beside(own, "..") is None


def row(size: int, state: int | None = None, path: str = "/a.jsonl") -> SourceFile:
    packed = msgspec.msgpack.encode(ImportState(1, state, 0, b"", b"", b"")) if state is not None else b""
    return SourceFile(path=path, size=size, state=packed)


def parts(*bounds: tuple[int, int]) -> list[OriginalPart]:
    return [OriginalPart(original_id="o", start=start, end=end, data=b"x" * (end - start)) for start, end in bounds]


@pytest.mark.parametrize(
    ("bounds", "row", "ends", "reason"),
    [
        (((0, 5), (5, 9)), row(9, 9), [5, 9], ""),
        (((0, 5), (5, 9)), row(7, 9), [5, 9], ""),  # it grew while it was read
        (((0, 5), (3, 9), (5, 9), (9, 12)), row(9, 9), [5, 9], ""),  # of versions before
        (((0, 5), (5, 9)), row(9, 5), [5, 9], ""),  # a last line without its end
        (((0, 5), (5, 9)), row(5, 5), [5], ""),  # which was taken away
        (((0, 5), (6, 9)), row(9, 9), [], "the original ends at byte 5 of 9"),
        (((5, 9),), row(9, 9), [], "the original begins at byte 5"),
        ((), row(9, 9), [], "no original is kept"),
        (((0, 0),), row(0), [0], ""),
        (((0, 50), (50, 90)), row(9, 50, "/a.jsonl.zst"), [50, 90], ""),
        (((0, 40),), row(9, 50, "/a.jsonl.zst"), [], "the original ends at byte 40 of 50"),
    ],
)
def test_parts_that_join_are_the_file(
    bounds: tuple[tuple[int, int], ...], row: SourceFile, ends: list[int], reason: str
) -> None:
    chain = kept_of(parts(*bounds), row).own
    assert ([part.end for part in chain.parts], chain.reason) == (ends, reason)


def test_what_is_empty_in_the_new_session_stays() -> None:
    moment = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    by_path = project_of("/home/ada/clock")
    by_git = Session(
        id="s", project_id="git", project_name="clock", project_path="/home/ada/clock", display_name="Title",
        started_at=moment, parent_session_id="p", relationship_type="subagent", total_output_tokens=5,
    )  # fmt: skip
    new = Session(id="s", project_id=by_path.id, project_name=by_path.name, project_path="/home/ada/clock")
    assert merged(new, by_git) == by_git
    told = msgspec.structs.replace(new, display_name="New", project_path="/other", total_output_tokens=6)
    assert merged(told, by_git).display_name == "New"
    assert merged(told, by_git).project_path == "/other"
    assert merged(told, by_git).total_output_tokens == 6
    remote = msgspec.structs.replace(new, project_id="remote", project_name="tide")
    assert merged(remote, msgspec.structs.replace(new, display_name="x")).project_name == "tide"
    fork = msgspec.structs.replace(by_git, id="s~1", relationship_type="fork")
    assert merged(new, fork).parent_session_id == ""


def test_usage_stays_with_the_message_that_it_is_of() -> None:
    had = [Message(ordinal=1, role="assistant", model="m", token_usage="{}", output_tokens=5)]
    new = [Message(ordinal=0, role="user"), Message(ordinal=1, role="assistant", content="so")]
    assert with_usage(new, had) == [new[0], msgspec.structs.replace(had[0], content="so")]
    assert with_usage([Message(ordinal=1, role="user")], had) == [Message(ordinal=1, role="user")]


def test_ids_are_mapped_only_where_as_many_are_missing() -> None:
    assert as_stored(["a", "n"], ["a", "o"]) == {"n": "o"}
    assert as_stored(["a", "n", "m"], ["a", "o"]) == {}
    assert as_stored(["a"], ["a", "o"]) == {}


def test_the_folder_that_claude_code_gives_a_directory() -> None:
    assert folder_of("/home/ada/clock_2.git") == "-home-ada-clock-2-git"
    assert folder_of("C:\\Users\\Mei") == "C--Users-Mei"
    assert folder_of("/ä/☃/\U0001f600") == "-------"
    long = folder_of("/" + "a" * 300)
    assert long.startswith("-" + "a" * 199 + "-")
    assert len(long) < 210
