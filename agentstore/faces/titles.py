"""What a session is called where it is listed. Pure."""

from __future__ import annotations

from typing import Protocol


class Titled(Protocol):
    """What has a title: a session, or the touch of a file in one."""

    @property
    def display_name(self) -> str: ...
    @property
    def first_message(self) -> str: ...


def title_of(session: Titled) -> str:
    """What a session is about: its name, else the first line of its first message."""
    return session.display_name or session.first_message.strip().partition("\n")[0]
