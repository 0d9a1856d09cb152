"""Every importer of the registry with a mask: no secret comes through, wherever it stands, and nothing else changes."""

from __future__ import annotations

import functools
import os
import pathlib
import random
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
import zstandard

from agentstore.importers import ImportResult, Options, Original, StaleStateError, import_tree, importer_named
from agentstore.masking import Masker
from tests.unit.importer_rows import kept, union
from tests.unit.importer_seeds import SEEDS, Seed
from tests.unit.planted_secrets import fresh_secret, planted, unpacked
from tests.unit.test_importers_all import drawn, each_seed, laid, plain

Mask = Callable[[bytes], bytes]
MOST = 50  # places of a seed that are tried
PIECES = (1, 300, 1 << 24)
LISTS = ("history.jsonl", "session_index.jsonl")  # of all sessions: a session has its own line of them


def each_of(*shapes: str) -> pytest.MarkDecorator:
    seeds = [seed for seed in SEEDS if seed.shape in shapes]
    return pytest.mark.parametrize("seed", seeds, ids=lambda seed: seed.name.replace(" ", "-"))


each_file = each_of("lines", "document", "bytes")


@functools.cache
def mask() -> Mask:
    return Masker().mask


def imported(
    seed: Seed, path: pathlib.Path, mask: Mask | None = None, piece_bytes: int = 1 << 24, state: Any = None
) -> list[ImportResult]:
    options = Options(user_id="ada", piece_bytes=piece_bytes, mask=mask, keep_original=True)
    history = importer_named(seed.agent).survey([path], options)
    return [result for file in history.files for result in history.read(file, state)]


def holds(secret: str, results: Iterable[ImportResult], *, originals: bool = True) -> bool:
    shown = results if originals else (msgspec.structs.replace(one, originals=[]) for one in results)
    return any(secret.encode() in msgspec.msgpack.encode(result) for result in shown)


@each_seed
def test_no_secret_comes_through(seed: Seed, tmp_path: pathlib.Path) -> None:
    chance = random.Random(drawn())
    secret = fresh_secret(chance)
    places = list(planted(seed, secret))
    shown = 0
    for place in chance.sample(places, min(MOST, len(places))):
        path = laid(place, tmp_path)
        assert not holds(secret, imported(place, path, mask(), chance.choice(PIECES)))
        history = importer_named(place.agent).survey([path], Options(mask=mask()))
        assert secret.encode() not in history.facts(path)
        shown += holds(secret, imported(place, path), originals=False)
    assert shown > 2, "without a mask it would be seen"


@each_seed
def test_without_secrets_a_mask_changes_nothing(seed: Seed, tmp_path: pathlib.Path) -> None:
    path = laid(seed, tmp_path)
    seen: list[int] = []

    def copied(data: bytes) -> bytes:
        seen.append(len(data))
        return bytes(bytearray(data))

    expected = list(map(plain, imported(seed, path)))
    assert list(map(plain, imported(seed, path, mask()))) == expected
    assert list(map(plain, imported(seed, path, copied))) == expected
    if seed.shape in ("lines", "document"):
        assert sum(seen) >= len(seed.data)


@each_seed
def test_states_are_those_of_the_bytes_as_they_are(seed: Seed, tmp_path: pathlib.Path) -> None:
    """So that a file is known again, with a mask and without, whatever rules the mask has."""
    chance = random.Random(drawn())
    for place in chance.sample(places := list(planted(seed, fresh_secret(chance))), min(10, len(places))):
        path = laid(place, tmp_path)
        plain_states = [proof(one) for one in imported(place, path, None, 300)]
        assert [proof(one) for one in imported(place, path, mask(), 300)] == plain_states


def proof(result: ImportResult) -> Any:
    """What a state says of the file; of a database that is in its memory."""
    state = result.state
    return state and (state.offset, state.line, state.head, state.tail)


# --- originals --------------------------------------------------------------------------------------------------------


class Kept:
    """Originals as a store has them: parts by their file and where they begin."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[int, Original]] = {}

    def take(self, results: Iterable[ImportResult]) -> None:
        for result in results:
            for part in result.originals:
                self.parts.setdefault(part.file, {})[part.offset] = part

    def files(self) -> dict[str, bytes]:
        return {file: self.joined(file) for file in self.parts}

    def joined(self, file: str) -> bytes:
        position, found = 0, list[bytes]()
        for offset, part in sorted(self.parts[file].items()):
            assert offset == position or file.endswith(LISTS), "one begins where another ends"
            assert part.end > offset
            position = part.end
            found.append(part.data)
        return b"".join(found)


def content(seed: Seed) -> bytes:
    return unpacked(seed.data) if seed.shape == "bytes" else seed.data


@each_file
def test_the_parts_of_a_file_are_the_file(seed: Seed, tmp_path: pathlib.Path) -> None:
    """Masked, whatever the pieces; each part is in one result only."""
    chance = random.Random(drawn())
    places = list(planted(seed, fresh_secret(chance)))
    for place in [seed, *chance.sample(places, 5)]:
        path = laid(place, tmp_path)
        for piece_bytes in PIECES:
            results, all_kept = imported(place, path, mask(), piece_bytes), Kept()
            all_kept.take(results)
            assert all_kept.files()[path.as_posix()] == mask()(content(place))
            keys = [(part.file, part.offset) for result in results for part in result.originals]
            assert len(keys) == len(set(keys))
            for name, beside in all_kept.files().items():
                whole = mask()(pathlib.Path(name).read_bytes())
                assert beside == whole or name == path.as_posix() or (name.endswith(LISTS) and beside in whole)


@each_of("lines")
def test_a_file_that_grows_is_kept_whole(seed: Seed, tmp_path: pathlib.Path) -> None:
    """Cut anywhere, also within a line, and continued or read anew: the parts are those of the file as it is now."""
    chance = random.Random(drawn())
    for place in chance.sample(places := list(planted(seed, fresh_secret(chance))), min(10, len(places))):
        all_kept, state, path = Kept(), None, tmp_path / seed.path
        for end in [*sorted(chance.choices(range(1, len(place.data)), k=3)), len(place.data)]:
            laid(place, tmp_path, place.data[:end])
            piece_bytes = chance.choice(PIECES)
            try:
                results = imported(place, path, mask(), piece_bytes, state)
            except StaleStateError:
                results = imported(place, path, mask(), piece_bytes)
            all_kept.take(results)
            state = kept(results[-1].state) if results[-1].state else None
        assert all_kept.joined(path.as_posix()) == mask()(place.data)


@each_file
def test_an_original_is_imported_as_its_source(seed: Seed, tmp_path: pathlib.Path) -> None:
    """Under the same names, in another place, and without a mask: nothing is left to mask."""
    chance = random.Random(drawn())
    places = list(planted(seed, fresh_secret(chance)))
    for number, place in enumerate([seed, *chance.sample(places, 5)]):
        source, copy = tmp_path / f"{number}" / "source", tmp_path / f"{number}" / "copy"
        path, all_kept = laid(place, source), Kept()
        expected = imported(place, path, mask(), chance.choice(PIECES))
        all_kept.take(expected)
        for name, data in all_kept.files().items():
            again = copy / pathlib.Path(name).relative_to(source)
            again.parent.mkdir(parents=True, exist_ok=True)
            again.write_bytes(zstandard.compress(data) if name.endswith(".zst") else data)
            times = os.stat(name)
            os.utime(again, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert union(imported(place, copy / place.path))["rows"] == union(expected)["rows"]


@each_seed
def test_without_being_asked_for_nothing_is_kept(seed: Seed, tmp_path: pathlib.Path) -> None:
    laid(seed, tmp_path)
    assert not any(result.originals for result in import_tree(tmp_path, Options(mask=mask())))


def test_databases_have_no_originals(tmp_path: pathlib.Path) -> None:
    for seed in SEEDS:
        if seed.shape == "database":
            path = laid(seed, tmp_path)
            assert not [
                part for result in imported(seed, path) for part in result.originals if part.file == path.as_posix()
            ]


# --- real transcripts -------------------------------------------------------------------------------------------------


ROOT = pathlib.Path(
    os.environ.get("AGENTSTORE_TRANSCRIPTS") or pathlib.Path(__file__).parents[3] / "shared" / "transcripts"
)


@pytest.mark.skipif(not ROOT.exists(), reason=f"no real transcripts in {ROOT} (AGENTSTORE_TRANSCRIPTS)")
def test_real_transcripts_come_to_the_same_numbers() -> None:
    def numbers(mask: Mask | None) -> list[Any]:
        found: list[Any] = []
        for result in import_tree(ROOT, Options(mask=mask)):
            tokens = [(one.output_tokens, one.context_tokens) for one in result.messages]
            rows = (len(result.sessions), len(result.tool_calls), len(result.git_links), len(result.file_touches))
            ids = [one.id for one in result.sessions], [one.source_id for one in result.messages]
            found.append((result.file, rows, tokens, ids, result.problems))
        return found

    assert numbers(mask()) == numbers(None)
