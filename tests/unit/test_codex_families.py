"""Forks and subagents of Codex: what they inherit counts once, whatever is read, in whatever order."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Iterable

import pytest

from agentstore.importers import ImportResult, Options
from agentstore.importers.codex import Codex
from agentstore.models import Message, ToolCall
from tests.unit.codex_families import STYLES, Clock, Thread, family


def imported(paths: Iterable[pathlib.Path], piece_bytes: int = 1 << 24) -> list[ImportResult]:
    history = Codex().survey(list(paths), Options(piece_bytes=piece_bytes))
    return [result for path in history.files for result in history.read(path)]


class Counted:
    """The rows of several sessions, each message once by its ``source_id``: what a store's totals are."""

    def __init__(self, results: Iterable[ImportResult]) -> None:
        rows: dict[tuple[str, int], Message] = {}
        calls: dict[tuple[str, int, str], ToolCall] = {}
        for result in results:
            rows |= {(row.session_id, row.ordinal): row for row in result.messages}
            calls |= {(row.session_id, row.message_ordinal, row.tool_use_id): row for row in result.tool_calls}
        assert all(row.source_id for row in rows.values())
        once: dict[str, Message] = {}
        for row in rows.values():
            if row.source_id not in once or once[row.source_id].output_tokens < row.output_tokens:
                once[row.source_id] = row
        # A copy tells the same tokens, or none.
        assert all(row.output_tokens in (0, once[row.source_id].output_tokens) for row in rows.values())
        # Within one session an id is there once.
        assert len({(key[0], row.source_id) for key, row in rows.items()}) == len(rows)
        self.prompts = sum(row.role == "user" for row in once.values())
        self.responses = sum(row.role == "assistant" for row in once.values())
        self.output = sum(row.output_tokens for row in once.values())
        self.input = sum(row.input_tokens for row in once.values())
        self.calls = len({(rows[key[0], key[1]].source_id, key[2]) for key in calls})

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other)

    def __repr__(self) -> str:
        return f"Counted({vars(self)})"


def written(threads: Iterable[Thread]) -> dict[str, int]:
    names = ("prompts", "responses", "output", "input", "calls")
    listed = list(threads)
    return {name: sum(getattr(thread, name) for thread in listed) for name in names}


@pytest.mark.parametrize("style", STYLES)
def test_everything_counts_once(style: str, tmp_path: pathlib.Path) -> None:
    for number in range(60):
        seed = random.randrange(10**9)
        print(f"{style}: seed {seed}")
        rng = random.Random(seed)
        threads = family(rng, style)
        root = tmp_path / str(number)
        paths = [thread.save(root) for thread in threads]
        rng.shuffle(paths)
        assert vars(Counted(imported(paths))) == written(threads)
        # One after the other, each knowing the files that were there before.
        assert vars(Counted(imported(paths, piece_bytes=rng.randint(1, 5000)))) == written(threads)


@pytest.mark.parametrize("style", ["turns", "ids", "paginated"])
def test_a_child_alone_knows_what_is_its_own(style: str, tmp_path: pathlib.Path) -> None:
    """Without its parent's file; and when that is read, elsewhere, it still counts once."""
    for number in range(60):
        seed = random.randrange(10**9)
        print(f"{style}: seed {seed}")
        threads = family(random.Random(seed), style)
        alone = []
        for place, thread in enumerate(threads):
            results = imported([thread.save(tmp_path / f"{number}-{place}")])
            assert sum(row.output_tokens for result in results for row in result.messages) == thread.output
            alone += results
        assert vars(Counted(alone)) == written(threads)


def test_a_fork_of_a_fork_of_a_hundred_others_whose_files_come_the_youngest_first(tmp_path: pathlib.Path) -> None:
    rng = random.Random(5)
    threads = [Thread(Clock(rng), rng, "turns")]
    threads[0].turn()
    for _ in range(103):
        threads.append(threads[-1].fork())
        threads[-1].turn()
    paths = [thread.save(tmp_path / f"{999 - number}") for number, thread in enumerate(threads)]
    assert vars(Counted(imported(paths))) == written(threads)
