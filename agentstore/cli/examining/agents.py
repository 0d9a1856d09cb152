"""The agents of this machine: where they keep their history, how much it is, and when they delete it."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from agentstore.cli.examining.finding import Finding, ok, warn
from agentstore.cli.importing.places import places_by_agent
from agentstore.cli.terminal import sizes
from agentstore.faces.money import count

CLAUDE_DAYS = 30
_LONG = 365
_AGE = re.compile(r"(\d+)([hdwm])")
_DAYS = {"h": 1 / 24, "d": 1, "w": 7, "m": 30}


def agents() -> Iterator[Finding]:
    """A line for each place, and one for each agent that deletes what is old."""
    home = os.path.expanduser("~")
    found = places_by_agent()
    for agent, places in found.items():
        for place in places:
            files, size = _contents(place)
            shown = sizes.path(str(place), home)
            yield ok(agent, f"{shown}: {count(files)} {'file' if files == 1 else 'files'}, {sizes.size(size)}")
        if agent == "claude-code":
            for place in places:
                if (place.name == "projects" and place.parent.name in (".claude", "claude")) or _is_named(place):
                    yield claude_clean_up(place.parent / "settings.json", home)
        elif agent == "gemini":
            for place in places:
                yield gemini_clean_up(place.parent / "settings.json", home)
    if not found:
        yield ok("agents", "no agent has left history on this machine where one is known to")


def claude_clean_up(settings: pathlib.Path, home: str = "") -> Finding:
    """After how many days Claude Code deletes a transcript, by its settings; 30 where they do not say."""
    shown = sizes.path(str(settings), home)
    todo = f'"cleanupPeriodDays": 3650 in {shown} keeps them ten years; agentstore import --watch stores them before'
    try:
        days = _read(settings).get("cleanupPeriodDays")
    except ValueError as error:
        return warn("clean-up", f"{shown} cannot be read: {error}", "mend it: Claude Code may not read it, either")
    if days is None:
        return warn("clean-up", f"Claude Code deletes transcripts after {CLAUDE_DAYS} days, its default", todo)
    if not isinstance(days, int | float) or isinstance(days, bool) or days < 0:
        return warn("clean-up", f"cleanupPeriodDays is {days!r} in {shown}, which is no number of days", todo)
    if days == 0:
        said = "Claude Code writes no transcripts at all, or refuses the value: cleanupPeriodDays is 0"
        return warn("clean-up", said, todo)
    text = f"Claude Code deletes transcripts after {days:g} days, as {shown} says"
    return ok("clean-up", text) if days >= _LONG else warn("clean-up", text, todo)


def gemini_clean_up(settings: pathlib.Path, home: str = "") -> Finding:
    """After which time Gemini CLI deletes a session; newer versions after 30 days where its settings do not say."""
    shown = sizes.path(str(settings), home)
    todo = f'"general": {{"sessionRetention": {{"enabled": false}}}} in {shown} keeps them'
    try:
        general = _read(settings).get("general")
    except ValueError as error:
        return warn("clean-up", f"{shown} cannot be read: {error}", "mend it: Gemini CLI may not read it, either")
    retention = general.get("sessionRetention") if isinstance(general, dict) else None
    retention = retention if isinstance(retention, dict) else {}
    if retention.get("enabled") is False:
        return ok("clean-up", f"Gemini CLI keeps its sessions, as {shown} says")
    age = str(retention.get("maxAge") or "30d")
    match = _AGE.fullmatch(age)
    text = f"Gemini CLI deletes sessions after {age}" + ("" if retention else ", the default of newer versions")
    is_long = match is not None and int(match[1]) * _DAYS[match[2]] >= _LONG
    return ok("clean-up", text) if is_long and "maxCount" not in retention else warn("clean-up", text, todo)


def _read(settings: pathlib.Path) -> dict[str, Any]:
    """The settings of an agent; ``ValueError`` where they cannot be read."""
    try:
        told = msgspec.json.decode(settings.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ValueError(error.strerror) from None
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    if not isinstance(told, dict):
        raise ValueError("it is no object")
    return told


def _is_named(place: pathlib.Path) -> bool:
    """Whether ``CLAUDE_CONFIG_DIR`` names the folder."""
    named = [one.strip() for one in os.environ.get("CLAUDE_CONFIG_DIR", "").split(",") if one.strip()]
    return any(pathlib.Path.home().joinpath(one) == place.parent for one in named)


def _contents(place: pathlib.Path) -> tuple[int, int]:
    """Files below a place, and their bytes."""
    if place.is_file():
        return 1, place.stat().st_size
    files = size = 0
    for folder, _, names in os.walk(place):
        for name in names:
            try:
                size += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
            files += 1
    return files, size
