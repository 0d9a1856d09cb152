"""Which file is a conversation's session, where several have it."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from agentstore.importers.cursor import composer, state_db, store_db
from agentstore.importers.cursor.blocks import RESULTS, blocks_of
from agentstore.importers.cursor.prompts import read_prompt
from agentstore.importers.jsonl import read_records, stretches
from agentstore.importers.sqlite_files import open_database
from agentstore.importers.tools import text_of

# The more it says, the later it stands.
TEXT, LINES, STORE, STATE = range(4)
KINDS = (".txt", ".jsonl", "store.db", "state.vscdb")


def kind_of(path: pathlib.Path) -> int:
    return KINDS.index(path.name if path.name in KINDS else path.suffix if path.suffix in KINDS else ".txt")


class Sources:
    """The files that have each conversation. ``prompts`` tells how many a file has of one."""

    def __init__(self, prompts: Callable[[pathlib.Path, str], int]) -> None:
        self._prompts = prompts
        self._claims: dict[str, list[pathlib.Path]] = {}
        self._winners: dict[str, pathlib.Path] = {}

    def claim(self, id: str, path: pathlib.Path) -> None:
        claims = self._claims.setdefault(id, [])
        if path not in claims:
            claims.append(path)
            self._winners.pop(id, None)

    def decide(self) -> None:
        """Count what has to be counted, so that it is remembered with the files."""
        for id, claims in self._claims.items():
            self.is_session(id, claims[0])

    def is_session(self, id: str, path: pathlib.Path) -> bool:
        """Whether this file is the one that is imported as this session."""
        claims = self._claims.get(id, [])
        if len(claims) < 2 or path not in claims:
            return True
        if id not in self._winners:
            # The path decides last, so that the order in which files were named does not.
            self._winners[id] = max(claims, key=lambda one: (self._prompts(one, id), kind_of(one), one.as_posix()))
        return self._winners[id] == path


def prompts_in(path: pathlib.Path) -> dict[str, int]:
    """How many prompts the conversations of a file have; of a file that has one, under the id "". -1 where it cannot be
    read: its import says why. Of a database all at once: to open it for each of thousands takes minutes."""
    counters: dict[int, Callable[[pathlib.Path], int]] = {TEXT: _in_text, LINES: _in_lines, STORE: _in_store}
    try:
        count = counters.get(kind_of(path))
        return {"": count(path)} if count is not None else _in_state(path)
    except (OSError, RecursionError):
        return {"": -1}


def _in_text(path: pathlib.Path) -> int:
    return sum(line.strip() == b"user:" for line in path.read_bytes().splitlines())


def _in_lines(path: pathlib.Path) -> int:
    found = 0
    with path.open("rb") as stream:
        for stretch in stretches(stream):
            if stretch.kind not in ("lines", "tail"):
                continue
            for _, line in read_records(stretch.data, lambda _line, _reason: None):
                message = line.get("message")
                content = message.get("content") if isinstance(message, dict) else message
                if line.get("role") == "user":
                    said = [text_of(one, "text") for one in blocks_of(content) if text_of(one, "type") not in RESULTS]
                    text = "\n".join(said).strip()
                    found += bool(text) and read_prompt(text).role == "user"
    return found


def _in_store(path: pathlib.Path) -> int:
    return store_db.prompts_in(store_db.read_store(path, lambda _reason: None))


def _in_state(path: pathlib.Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    with open_database(path, lambda _reason: None) as database:
        for id, kept in state_db.kept_composers(database, lambda _reason: None):
            counts.setdefault(id, composer.prompts_in(kept))
        for id in state_db.composer_ids(database):
            if own := state_db.composer(database, id, lambda _reason: None):
                counts[id] = composer.prompts_in(own, state_db.bubble_ids(database, id))
    return counts
