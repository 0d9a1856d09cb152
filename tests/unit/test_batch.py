"""What is sent in one INSERT, how it is cut, and which refusals are worth cutting for."""

from __future__ import annotations

import pytest

from agentstore.write.batch import Batch, Piece, batch_of, blames_rows
from agentstore.write.encoded_rows import encode_block
from tests.unit.write_parts import entry_of, ordinals_in


def blocks(batch: Batch) -> list[bytes]:
    return [encode_block(group) for group in batch.groups()]


def ordinals(batch: Batch) -> list[int]:
    return ordinals_in(blocks(batch))


def test_a_batch_holds_all_rows_in_order() -> None:
    batch = batch_of([entry_of(1, 2), entry_of(3)])
    assert (batch.row_count, ordinals(batch)) == (3, [1, 2, 3])


def test_a_batch_is_always_sent_as_the_same_bytes_and_settings() -> None:
    batch = batch_of([entry_of(1, 2), entry_of(3)])
    assert blocks(batch) == blocks(batch)
    assert batch.settings == batch.settings
    assert batch.settings["insert_deduplication_token"] == batch.token


def test_every_batch_has_a_token_of_its_own() -> None:
    entry = entry_of(1, 2)
    batch = batch_of([entry])
    tokens = {batch.token, *(half.token for half in batch.halves()), batch_of([entry]).token}
    assert len(tokens) == 4


def test_halves_keep_entries_whole_as_long_as_there_are_several() -> None:
    batch = batch_of([entry_of(1, 2, 3), entry_of(4), entry_of(5)])
    first, second = batch.halves()
    assert (ordinals(first), ordinals(second)) == ([1, 2, 3], [4, 5])


def test_halves_of_one_entry_are_parts_of_it() -> None:
    first, second = batch_of([entry_of(1, 2, 3)]).halves()
    assert (ordinals(first), ordinals(second)) == ([1], [2, 3])


def test_halves_of_halves_come_down_to_single_rows_in_order() -> None:
    todo, rows = [batch_of([entry_of(*range(5)), entry_of(*range(5, 12))])], []
    while todo:
        batch = todo.pop(0)
        if batch.row_count > 1:
            todo[:0] = batch.halves()
        else:
            rows += ordinals(batch)
    assert rows == list(range(12))


def test_a_part_of_an_entry_is_encoded_as_the_whole_is() -> None:
    entry = entry_of(1, 2, 3)
    part = Batch((Piece(entry, 1, 2),))
    assert blocks(part) == blocks(batch_of([entry_of(2)]))


def test_large_batches_are_cut_into_blocks_of_some_megabytes() -> None:
    entries = [entry_of(*range(start, start + 1000)) for start in range(0, 60_000, 1000)]
    found = blocks(batch_of(entries))
    assert len(found) > 1
    assert ordinals_in(found) == list(range(60_000))
    assert max(map(len, found)) < 5 * 1024 * 1024


@pytest.mark.parametrize("code", [27, 53, 69, 117, 131, 321, 349, 395, 407, 469, 158, 307, 396, 565, 0, 123456])
def test_what_may_be_the_fault_of_rows_or_of_their_number_is_cut(code: int) -> None:
    assert blames_rows(code)


@pytest.mark.parametrize("code", [16, 47, 60, 62, 81, 115, 164, 201, 243, 291, 394, 452, 497, 516])
def test_what_every_row_alone_would_meet_again_is_not_cut(code: int) -> None:
    assert not blames_rows(code)
