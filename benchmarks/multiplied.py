"""Real transcripts, as often as it takes: copies of a tree in which every id is another one, so that nothing is a copy.

``python -m benchmarks.multiplied FROM TO --megabytes 1000`` writes them below TO, one folder each. An id is replaced
wherever it stands, in texts and names of files, by one of the same form that is made from it and from the number of the
copy: what refers to each other still does.
"""

from __future__ import annotations

import argparse
import hashlib
import pathlib
import re

_IDS = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb"|\b(?:msg|req|toolu|call|agent)[_-][0-9A-Za-z]{7,}"
)


def replaced(data: bytes, copy: int) -> bytes:
    """The bytes with other ids."""
    known: dict[bytes, bytes] = {}

    def other(found: re.Match[bytes]) -> bytes:
        id = found.group()
        if id not in known:
            known[id] = _other(id, copy)
        return known[id]

    return _IDS.sub(other, data) if copy else data


def _other(id: bytes, copy: int) -> bytes:
    digest = hashlib.blake2b(id, digest_size=32, salt=copy.to_bytes(8, "big")).hexdigest().encode()
    digest += hashlib.blake2b(digest, digest_size=64).hexdigest().encode()
    made = iter(digest)
    begin = 0 if id[8:9] == b"-" else re.search(rb"[_-]", id).end()  # type: ignore[union-attr]
    return id[:begin] + bytes(letter if letter in b"-_" else next(made, 0x30) for letter in id[begin:])


def multiply(source: pathlib.Path, target: pathlib.Path, least_bytes: int) -> tuple[int, int]:
    """Write copies of all files until there are so many bytes; how many files and bytes there are."""
    files = [(path.relative_to(source), path.read_bytes()) for path in sorted(source.rglob("*")) if path.is_file()]
    count = size = copy = 0
    while size < least_bytes:
        for name, data in files:
            path = target / f"copy-{copy:04}" / replaced(name.as_posix().encode(), copy).decode()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(replaced(data, copy))
            count, size = count + 1, size + len(data)
        copy += 1
    return count, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--megabytes", type=float, default=1000)
    asked = parser.parse_args()
    count, size = multiply(asked.source, asked.target, int(asked.megabytes * 1e6))
    print(f"{count:,} files, {size / 1e6:,.0f} MB below {asked.target}")


if __name__ == "__main__":
    main()
