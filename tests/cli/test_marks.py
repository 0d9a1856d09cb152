"""``agentstore star``, ``unstar``, ``pin``, ``unpin``, ``delete``, as processes."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from agentstore import AsyncClickHouseStore, MessagePin, Session, SessionDelete, SessionStar
from tests.cli.conftest import import_sample
from tests.cli.running import Cli
from tests.cli.test_sessions import read
from tests.cli.test_show import TIDE

SECOND = "c2f81d65-9a0e-4f3b-b6d4-0e7a5c93d103"
Marks = tuple[list[SessionStar], list[MessagePin], list[SessionDelete]]


@pytest.fixture(scope="module")
def marked_cli(module_cli: Cli) -> Cli:
    asyncio.run(import_sample(module_cli.dsn))
    return module_cli


def marks(cli: Cli) -> Marks:
    async def ask() -> Marks:
        async with AsyncClickHouseStore(cli.dsn) as store:
            return (
                await store.list_session_stars("local"),
                await store.list_message_pins("local"),
                await store.list_session_deletes("local"),
            )

    return asyncio.run(ask())


def ids(cli: Cli, *arguments: str) -> set[str]:
    return {session.id for session in read(cli(*arguments, "--json").lines)}


def test_a_star_is_ones_own(marked_cli: Cli) -> None:
    done = marked_cli("star", "0b6e", SECOND)
    assert (done.code, done.err) == (0, "")
    assert done.lines == [
        f"starred {TIDE}  Fix the drifting tide clock",
        f"starred {SECOND}  横浜: a second hand for the tide clock",
    ]
    assert ids(marked_cli, "sessions", "--starred") == {TIDE, SECOND}
    assert ids(marked_cli, "sessions", "--starred", "--user", "jonas") == set()
    assert marked_cli("star", "0b6e", "--user", "jonas").code == 0
    assert sorted((one.session_id, one.user_id) for one in marks(marked_cli)[0]) == [
        (TIDE, "ada"), (TIDE, "jonas"), (SECOND, "ada")
    ]  # fmt: skip
    assert all(one.created_at for one in marks(marked_cli)[0])
    assert marked_cli("unstar", "0b6e", "c2f8").code == 0
    assert [one.user_id for one in marks(marked_cli)[0]] == ["jonas"]
    gone = marked_cli("unstar", "0b6e")
    assert (gone.code, gone.out) == (1, "")
    assert marked_cli("unstar", "0b6e", "--user", "jonas").code == 0


def test_a_pin_has_a_note_that_show_shows(marked_cli: Cli) -> None:
    done = marked_cli("pin", "0b6e", "#3", "One", "constant")
    assert (done.code, done.out) == (0, f"pinned #3 of {TIDE}  Fix the drifting tide clock\n")
    assert [(one.message_ordinal, one.user_id, one.note) for one in marks(marked_cli)[1]] == [
        (3, "ada", "One constant")
    ]
    assert "  pinned: One constant" in marked_cli("show", "0b6e").lines
    assert marked_cli("pin", "0b6e", "3", "other").code == 0
    assert [one.note for one in marks(marked_cli)[1]] == ["other"]
    assert marked_cli("pin", "0b6e", "0").code == 0
    assert marked_cli("unpin", "0b6e", "3", "--user", "mei").code == 1
    assert marked_cli("unpin", "0b6e", "3").code == 0
    assert marked_cli("unpin", "0b6e", "#0").code == 0
    assert marked_cli("unpin", "0b6e", "3").code == 1
    assert marks(marked_cli)[1] == []


def test_what_is_hidden_is_listed_and_comes_back(marked_cli: Cli) -> None:
    done = marked_cli("delete", "0b6e")
    assert (done.code, done.out) == (0, f"hidden {TIDE}  Fix the drifting tide clock\n")
    assert TIDE not in ids(marked_cli, "sessions")
    assert marked_cli("search", "drifts about 50 minutes").code == 1
    assert marked_cli("show", "0b6e").code == 0
    assert ids(marked_cli, "delete", "--list") == {TIDE}
    assert "Fix the drifting tide clock" in marked_cli("delete", "--list").out
    assert [(one.session_id, one.user_id) for one in marks(marked_cli)[2]] == [(TIDE, "ada")]
    done = marked_cli("delete", "--undo", "0b6e")
    assert (done.code, done.out) == (0, f"shown again {TIDE}  Fix the drifting tide clock\n")
    assert TIDE in ids(marked_cli, "sessions")
    for nothing in (["delete", "--undo", "0b6e"], ["delete", "--list"], ["delete", "--list", "--json"]):
        done = marked_cli(*nothing)
        assert (done.code, done.out) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["star"], 2),
        (["unstar"], 2),
        (["star", "no such"], 1),
        (["star", "0b6e", "no such"], 1),
        (["star", ""], 2),
        (["pin", "0b6e"], 2),
        (["pin", "0b6e", "-1"], 2),
        (["pin", "0b6e", "three"], 2),
        (["pin", "0b6e", "99"], 1),
        (["pin", "no such", "1"], 1),
        (["unpin", "0b6e", "²"], 2),
        (["delete"], 2),
        (["delete", "--list", "0b6e"], 2),
        (["delete", "0b6e", "--json"], 2),
        (["delete", "no such"], 1),
    ],
)
def test_what_cannot_be_done_leaves_everything_as_it_is(marked_cli: Cli, arguments: list[str], code: int) -> None:
    done = marked_cli(*arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("agentstore: ")
    assert marks(marked_cli) == ([], [], [])


def test_the_store_is_not_made_for_a_mark(own_cli: Cli) -> None:
    assert own_cli("star", "0b6e").code == 1
    assert not (own_cli.home / "store").exists()


def test_marks_are_records(marked_cli: Cli) -> None:
    """What ``--json`` of the hidden ones prints are the sessions themselves."""
    assert marked_cli("delete", SECOND).code == 0
    [line] = marked_cli("delete", "--list", "--json").lines
    assert msgspec.json.decode(line, type=Session).id == SECOND
    assert marked_cli("delete", "--undo", SECOND).code == 0


def test_a_number_of_thousands_of_digits_is_no_message(sample_cli: Cli) -> None:
    done = sample_cli("pin", TIDE, "9" * 5000)
    assert done.code == 2
    assert "is no number of a message" in done.err
