"""What a watcher is made of: changes that collapse, a clock that sees sleep, partial looks, and looking in turns."""

from __future__ import annotations

import asyncio
import os
import pathlib
import threading

import pytest

from agentstore.importers.claude_code.importer import ClaudeCode
from agentstore.importers.opencode.importer import OpenCode
from agentstore.importers.sqlite_files import open_database
from agentstore.ingest.ledger import Ledger
from agentstore.ingest.looking import Look, Looker
from agentstore.ingest.places import stat_of
from agentstore.ingest.remembered import Remembered
from agentstore.ingest.watchers.changes import Changes, Sleep
from agentstore.ingest.watchers.polling import Poller
from tests.unit.importer_lines import SESSION, data, user
from tests.unit.opencode_files import export, said, write_database
from tests.unit.opencode_files import user as asked

A, B, C = (pathlib.Path(name) for name in "abc")


async def test_changes_collapse() -> None:
    changes = Changes(most=2)
    changes.add([A])
    changes.add([A, B])
    assert changes
    assert changes.take() == {A, B}
    assert not changes
    changes.add([A, B, C])
    assert changes.take() is None
    changes.add([A])
    changes.add_everything()
    changes.add([B])
    assert changes.take() is None
    assert changes.take() == set()


async def test_who_waits_for_changes_is_woken() -> None:
    changes = Changes()
    await changes.wait(0)
    assert not changes
    waiting = asyncio.create_task(changes.wait(3600))
    await asyncio.sleep(0)
    changes.add([])
    await asyncio.sleep(0)
    assert not waiting.done()
    changes.add([A])
    await waiting
    assert changes.take() == {A}
    changes.add_later([A], 0)
    changes.add_later([B], 3600)
    await changes.wait(3600)
    assert changes.take() == {A}


def test_sleep_is_seen_by_two_clocks() -> None:
    awake, always = 10.0, 500.0
    sleep = Sleep(lambda: awake, lambda: always)
    assert not sleep.was()
    awake, always = 100.0, 590.5
    assert not sleep.was()
    always += 60
    assert sleep.was()
    assert not sleep.was()


def test_the_clocks_of_this_machine() -> None:
    assert not Sleep().was()


# --- looks -----------------------------------------------------------------------------------------------------------


def transcript(path: pathlib.Path) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data(user("a", 0, uuid=path.stem)))
    return path


def names(look: Look) -> list[str]:
    return [file.path.name for file in look.files]


def looker_of(*places: pathlib.Path) -> Looker:
    return Looker(places, [OpenCode(), ClaudeCode()], Ledger(None, "", ""))  # type: ignore[arg-type]  # it is not asked


def test_a_partial_look_is_as_a_whole_one(tmp_path: pathlib.Path) -> None:
    place, outside = tmp_path / "place", transcript(tmp_path / "outside.jsonl")
    first, second = transcript(place / "p" / "b.jsonl"), transcript(place / "q" / "deep" / "c.jsonl")
    other = place / "notes.txt"
    other.write_text("nothing")
    looker = looker_of(place)
    whole = looker.look()
    assert (names(whole), whole.looked, whole.unrecognised) == (["b.jsonl", "c.jsonl"], None, {".txt": 1})
    assert looker.number == 3

    changes: list[tuple[set[pathlib.Path], set[pathlib.Path]]] = []
    third = transcript(place / "p" / "a.jsonl")
    changes.append(({third}, {third, first}))  # the folder of one that is new
    changes.append(({first}, {first}))
    changes.append(({other, outside}, {other}))
    fourth = transcript(place / "r" / "d.jsonl")
    changes.append(({fourth.parent}, {fourth}))
    (place / "link").symlink_to(tmp_path)  # no walk goes there
    changes.append(({place / "link", place / "link" / outside.name}, set()))
    for only, looked in changes:
        look = looker.look(only)
        assert (look.looked, look.failed) == (looked, [])
    assert names(looker.look(set())) == names(looker_of(place).look()) == ["a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"]

    first.rename(place / "r" / "e.jsonl")
    second.unlink()
    second.parent.rmdir()
    looker.look({first, place / "r" / "e.jsonl", place / "q" / "deep", place / "never"})
    assert names(looker.look(set())) == names(looker_of(place).look()) == ["a.jsonl", "d.jsonl", "e.jsonl"]
    other.write_bytes(third.read_bytes())
    other.rename(place / "p" / "a.jsonl")
    looker.look({other, third})
    assert (looker.number, names(looker.look(set()))) == (3, ["a.jsonl", "d.jsonl", "e.jsonl"])


def test_what_lies_beside_leads_to_the_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "opencode" / "opencode.db"
    path.parent.mkdir()
    connection = write_database(path, export(asked(0, said("a"))))
    transcript(tmp_path / f"{SESSION}.jsonl")
    looker = looker_of(tmp_path)
    looker.look()
    assert looker.look({path.with_name("opencode.db-wal")}).looked == {path, path.with_name("opencode.db-wal")}
    connection.close()
    assert not path.with_name("opencode.db-wal").exists()
    assert looker.look({path.with_name("opencode.db-wal")}).looked == {path}


def test_a_database_is_not_changed_by_being_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentstore.ingest.places._TICK", 0)
    monkeypatch.setattr("agentstore.ingest.places._COARSE_TICK", 0)
    path = tmp_path / "opencode.db"
    write_database(path, export(asked(0, said("a")))).commit()
    before = stat_of(path, OpenCode().beside(path))
    with open_database(path, pytest.fail) as database:
        assert [*database.rows("SELECT count(*) FROM session")] == [(1,)]
    assert stat_of(path, OpenCode().beside(path)) == before != ""


def test_a_failure_is_told_once() -> None:
    remembered = Remembered()
    news = [
        remembered.is_news("f", "broken", 10, ""),
        remembered.is_news("f", "broken", 10, "x"),  # the same, and now its times tell
        remembered.is_news("f", "broken", 10, "x"),
        remembered.is_news("f", "broken", 10, "y"),
        remembered.is_news("f", "broken", 11, "y"),
        remembered.is_news("f", "locked", 11, "y"),
        remembered.is_news("g", "locked", 11, "y"),
    ]
    assert news == [True, False, False, True, True, True, True]


# --- where the system tells nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("everything", [False, True])
def test_a_poller_sees_each_change(tmp_path: pathlib.Path, everything: bool) -> None:
    first, second = transcript(tmp_path / "p" / "a.jsonl"), transcript(tmp_path / "p" / "b.jsonl")
    poller = Poller([str(tmp_path)], deep=True)
    look = poller._look_at_all if everything else poller._look_at_some
    assert look() == set()
    for _ in range(3):  # within one second, too
        with first.open("ab") as file:
            file.write(b"\n")
        assert look() == {str(first)}
    os.utime(second, ns=(0, 0))
    new = transcript(tmp_path / "p" / "c.jsonl")
    assert look() >= {str(second), str(new.parent)}
    first.unlink()
    assert str(first) in look()
    assert poller.wait(_set()) == set()
    assert poller._look_at_all() == (set() if everything else {str(new)})


def test_a_flat_poller_stays_in_its_folder(tmp_path: pathlib.Path) -> None:
    below = transcript(tmp_path / "p" / "a.jsonl")
    poller = Poller([str(tmp_path)], deep=False)
    with below.open("ab") as file:
        file.write(b"\n")
    assert poller._look_at_all() == set()
    new = transcript(tmp_path / "b.jsonl")
    assert poller._look_at_all() == {str(new), str(tmp_path)}


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event
