"""Whose history is imported, from which machine, into which store: as configured, and shown in one line."""

from __future__ import annotations

import os
from typing import NamedTuple

from agentstore.cli.config import Settings, without_password
from agentstore.cli.failing import CommandError
from agentstore.cli.terminal import sizes
from agentstore.cli.terminal.screen import Piece, Screen

_KEYS = ("store", "org", "user")


class Whose(NamedTuple):
    """What an import is given. ``machine`` None: this one."""

    user: str
    user_name: str
    machine: str | None
    mask: bool


def whose(settings: Settings) -> Whose:
    """As the settings say. The name that git knows belongs to the user that git knows, and to no other."""
    name = settings.value("user_name")
    is_named = name.origin != "default" or settings.value("user").origin == "default"
    machine = settings.value("machine")
    return Whose(
        user=settings["user"],
        user_name=name.text if is_named else "",
        machine=None if machine.origin == "default" else machine.text,
        mask=is_on(settings["mask"]),
    )


def is_on(text: str) -> bool:
    """What ``mask`` means."""
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if text.strip().lower() not in known:
        raise CommandError(f"mask is {text!r}, and neither true nor false", hint="agentstore config set mask true")
    return known[text.strip().lower()]


def show_whose(screen: Screen, settings: Settings, given: Whose) -> None:
    """One line: the store, the organisation, the user and the machine."""
    home = os.path.expanduser("~")
    store = without_password(settings["store"])
    if store.startswith("local:"):
        store = sizes.path(store.removeprefix("local:"), home)
    name = f" ({given.user_name})" if given.user_name and given.user_name != given.user else ""
    screen.fold(
        "into ",
        Piece(store, "bold"),
        ", organisation ",
        Piece(settings["org"], "bold"),
        ", as ",
        Piece(f"{given.user}{name}", "bold"),
        f" on {settings['machine']}",
        "" if given.mask else ", secrets not masked",
    )
    if any(settings.value(key).origin == "default" for key in _KEYS):
        screen.fold("others: --store, --org, --user, --machine, or agentstore config set", style="dim")
