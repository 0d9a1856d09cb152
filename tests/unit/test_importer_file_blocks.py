"""Files of any size and kind, read a bounded part at a time."""

from __future__ import annotations

import os
import pathlib
import random

import pytest

from agentstore.importers.file_blocks import blocks, first_lines_with, lines_with, read_start


def test_blocks_are_whole_lines_and_all_of_the_file(tmp_path: pathlib.Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    file = tmp_path / "x"
    for _ in range(300):
        lines = [b"x" * chance.choice([0, 1, 5, 20, 40, 90]) for _ in range(chance.randrange(12))]
        data = b"\n".join(lines)
        file.write_bytes(data)
        read = list(blocks(file, size=chance.choice([1, 7, 16, 1000]), longest=1000))
        assert b"".join(read) == data
        assert all(block.endswith(b"\n") for block in read[:-1])


def test_a_line_that_is_too_long_is_left_out_and_never_held(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "x"
    for size in (1, 3, 10, 64, 1000):
        for before, after in ((b"", b""), (b"a\n", b"\nb\n"), (b"a\n\n", b"\nb")):
            file.write_bytes(before + b"x" * 300 + after)
            read = list(blocks(file, size=size, longest=99))
            assert all(len(block) <= 99 + size for block in read) or size == 1000
            if size < 300:
                assert b"".join(read) == before + after.removeprefix(b"\n")


def test_lines_that_hold_a_text_come_once_and_in_order() -> None:
    block = b"one a\nb two b\na b\nnone\nb"
    assert list(lines_with(block, b"b", b"a")) == [b"one a", b"b two b", b"a b", b"b"]
    assert list(first_lines_with(block, b"b")) == [b"b two b", b"a b", b"b"]
    assert list(lines_with(b"", b"a")) == list(first_lines_with(b"", b"a")) == []


def test_the_start_of_what_is_no_file_is_not_read(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"abc")
    assert read_start(tmp_path / "file", 2) == b"ab"
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "gone", pathlib.Path("/dev/zero")):
        with pytest.raises(OSError, match=r"not a regular|No such"):
            read_start(path, 2)
