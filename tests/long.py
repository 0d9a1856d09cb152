"""Which tests take long, and are left out by ``make test`` unless it is asked for all: ``tests/long.txt``.

``make test-times`` runs all tests, and writes the list anew: the test functions that take more than four seconds, all
their cases together. Whoever names a test runs it, however long it takes.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

LIST = Path(__file__).with_suffix(".txt")
SECONDS = 4.0


def function_of(node_id: str) -> str:
    """The test function of a case: ``tests/live/test_reads.py::test_a[0]`` is one of ``…::test_a``."""
    return node_id.split("[", 1)[0]


def long_ones() -> frozenset[str]:
    """The test functions of the list."""
    return frozenset(LIST.read_text(encoding="utf-8").split())


def measured(report: Path) -> Counter[str]:
    """The seconds that each test function took, by pytest's JUnit report."""
    seconds = Counter[str]()
    for case in ElementTree.parse(report).iter("testcase"):
        path = case.attrib["classname"].replace(".", "/")
        seconds[function_of(f"{path}.py::{case.attrib['name']}")] += float(case.attrib["time"])  # type: ignore[assignment]
    return seconds


def write(functions: Iterable[str]) -> None:
    LIST.write_text("".join(f"{one}\n" for one in sorted(functions)), encoding="utf-8")


def main() -> None:
    """``python -m tests.long REPORT [SECONDS]``; more seconds where the machine was busy."""
    most = float(sys.argv[2]) if sys.argv[2:] else SECONDS
    seconds = measured(Path(sys.argv[1]))
    long = [one for one, took in seconds.items() if took > most]
    write(long)
    left = seconds.total() - sum(seconds[one] for one in long)
    print(
        f"{len(long)} of {len(seconds)} test functions take long; the others take {left:.0f} s of {seconds.total():.0f}"
    )


if __name__ == "__main__":
    main()
