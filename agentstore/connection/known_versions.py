"""Server versions that are known to be broken for us: what breaks, and in which version it no longer does. Pure.

Each entry names the issue or pull request of ClickHouse/ClickHouse that says so. What the library avoids by itself is
listed with the settings (``connection/needs.py``) and is not warned about: lazy FINAL, issue 106809.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Version = tuple[int, int, int, int]
# What a database may have that makes a defect concern it: row TTL is somebody's own, no table of ours with a text index
# has one.
DatabaseFeature = Literal["row TTL"]

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Defect:
    """From ``first`` on, until it was fixed: in one version of each release line, and in all lines after the last."""

    what: str
    source: str
    first: Version
    fixed: tuple[Version, ...]
    concerns: DatabaseFeature | None = None

    def fix_for(self, version: Version) -> Version | None:
        """The first version with the fix from this one on; None where this one is not broken."""
        line = version[:2]
        if version < self.first or line > self.fixed[-1][:2]:
            return None
        # There is one: no line later than that of the last fix comes this far.
        fix = next(one for one in self.fixed if one[:2] >= line)
        return fix if version < fix else None


DEFECTS = (
    Defect(
        "a merge with a part that has no rows left, as a purge leaves them, fails;"
        " on replicated tables it is tried for ever, and no other merge of these parts follows",
        "issue 112451, pull request 112490",
        (26, 6, 0, 0),
        ((26, 6, 2, 136), (26, 7, 2, 50), (26, 8, 1, 412)),
    ),
    Defect(
        "rows past the TTL that somebody gave to a table with a text index are never dropped: the merge fails for ever",
        "issue 113223, pull request 113385",
        (26, 8, 0, 0),
        ((26, 8, 9, 11), (26, 9, 1, 1616)),
        "row TTL",
    ),
)


def parse(text: str) -> Version | None:
    """The four numbers of a server's ``version()``, 0 for those that are not said; None where it says none."""
    match = _NUMBERS.match(text)
    if match is None:
        return None
    major, minor, patch, build = (int(number or 0) for number in match.groups())
    return major, minor, patch, build


def defects_of(text: str) -> list[Defect]:
    """The defects of the version with this text, whether or not they concern a database."""
    version = parse(text)
    return [one for one in DEFECTS if version is not None and one.fix_for(version) is not None]


def warnings(text: str, features: Iterable[DatabaseFeature] = ()) -> list[str]:
    """What to tell whoever opens a store on a server of this version, for a database that has these features."""
    version, there = parse(text), set(features)
    return [
        f"ClickHouse {text}: {one.what} (ClickHouse {one.source}); fixed in {_text(one.fix_for(version))}"
        for one in defects_of(text)
        if version is not None and (one.concerns is None or one.concerns in there)
    ]


def _text(version: Version | None) -> str:
    return ".".join(map(str, version or ()))
