"""What it costs to import Claude Code's transcripts, beside decoding the same bytes and nothing else.

``python -m benchmarks.importers FOLDER [--rounds N] [--pieces MB]`` takes all transcripts below FOLDER, which are in
memory first. The sides take turns, in CPU time of one process, so that others on the machine count little:

* ours: the import of whole files, bytes to rows (``import_claude_code``), and in pieces, each with its state
* ``json.loads`` and untyped msgspec, line by line; lines that they refuse are passed over
* ours up to the typed lines, without rows

With ``--megabytes N``: what a whole ingest of so much costs, made of the same transcripts with new ids (``ingest.py``).
"""

from __future__ import annotations

import argparse
import io
import json
import pathlib
import statistics
import time
from collections.abc import Callable

import msgspec

from agentstore.importers import find_claude_code, import_claude_code, iter_claude_code
from agentstore.importers.claude_code.lines import Chunk
from agentstore.importers.jsonl import stretches_of
from benchmarks import ingest

Files = list[tuple[str, bytes]]


def whole(files: Files) -> int:
    return sum(len(import_claude_code(data, file=name).messages) for name, data in files)


def in_pieces(files: Files, piece_bytes: int) -> int:
    return sum(
        len(piece.messages)
        for name, data in files
        for piece in iter_claude_code(io.BytesIO(data), file=name, piece_bytes=piece_bytes)
    )


def typed(files: Files) -> int:
    return sum(
        len(list(Chunk(stretch.data, 1, lambda _line, _reason: None, complete=stretch.kind == "lines")))
        for _, data in files
        for stretch in stretches_of(data)
    )


def each_line(files: Files, decode: Callable[[bytes], object]) -> int:
    read = 0
    for _, data in files:
        for line in data.splitlines():
            try:
                decode(line)
            except ValueError:  # also msgspec's
                continue
            read += 1
    return read


def seconds(run: Callable[[], int]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pieces", type=float, default=1.0, metavar="MB")
    parser.add_argument("--megabytes", type=float, default=0.0, metavar="N")
    asked = parser.parse_args()
    if asked.megabytes:
        ingest.measure(asked.folder, int(asked.megabytes * 1e6), rounds=1)
        return
    files = [(path.as_posix(), path.read_bytes()) for path in find_claude_code(asked.folder)]
    size = sum(len(data) for _, data in files)
    untyped = msgspec.json.Decoder().decode
    sides: dict[str, Callable[[], int]] = {
        "import, bytes to rows": lambda: whole(files),
        f"the same in pieces of {asked.pieces:g} MB": lambda: in_pieces(files, int(asked.pieces * 1e6)),
        "typed lines, no rows": lambda: typed(files),
        "json.loads, line by line": lambda: each_line(files, json.loads),
        "msgspec untyped, line by line": lambda: each_line(files, untyped),
    }
    for run in sides.values():
        run()
    rounds = [[seconds(run) for run in sides.values()] for _ in range(asked.rounds)]
    reference = list(sides).index("json.loads, line by line")
    print(f"{len(files)} files, {size / 1e6:,.1f} MB, {asked.rounds} rounds; CPU of one core\n")
    print("| | MB/s, median | best round | times json.loads, median of rounds |\n| --- | --- | --- | --- |")
    for place, name in enumerate(sides):
        times = [taken[place] for taken in rounds]
        ratio = statistics.median(taken[reference] / taken[place] for taken in rounds)
        median, best = size / statistics.median(times) / 1e6, size / min(times) / 1e6
        print(f"| {name} | {median:,.0f} | {best:,.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
