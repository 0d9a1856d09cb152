"""Options before the command's name, as git and docker take them: they mean the same as after it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_FLAGS = frozenset({"--json", "--utc", "--pager", "--no-pager", "--debug"})
_WITH_VALUE = frozenset({"--store", "--org", "--tz"})
_END = "--"


def arranged(given: Sequence[str]) -> list[str]:
    """The command line with the options that every command shares after the command's name and its arguments."""
    at = 0
    while at < len(given):
        if given[at] in _WITH_VALUE:
            at += 2
        elif given[at] in _FLAGS or given[at].partition("=")[0] in _WITH_VALUE:
            at += 1
        else:
            break
    ahead, rest = list(given[:at]), list(given[at:])
    if not rest or rest[0].startswith("-"):
        return list(given)
    end = rest.index(_END) if _END in rest else len(rest)
    return [*rest[:end], *ahead, *rest[end:]]
