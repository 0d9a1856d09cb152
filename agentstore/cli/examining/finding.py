"""What an examination finds."""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. ``todo``: what to do about it; "" where nothing is to be done."""

    check: str
    status: Status
    text: str
    todo: str = ""


def ok(check: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(check, "ok", text)


def warn(check: str, text: str, todo: str = "") -> Finding:
    """It works, and somebody should know this."""
    return Finding(check, "warn", text, todo)


def fail(check: str, text: str, todo: str = "") -> Finding:
    """Something does not work, or something is lost."""
    return Finding(check, "fail", text, todo)
