"""Who a Claude Code session is: its id, whom it comes from, and what earlier versions called it.

==============================================  ==============================  =================================
file                                            id                              parent
==============================================  ==============================  =================================
``<uuid>.jsonl``                                the uuid                        another session that its first line
                                                                                names, if any
``<session>/subagents/**/agent-<x>.jsonl``      ``<session>:agent-<x>``         ``<session>``
``agent-<x>.jsonl`` (before 2.1)                ``<session>:agent-<x>``         the ``sessionId`` of its records
any other name (``full.jsonl``), or none        the ``sessionId`` of its        as for ``<uuid>.jsonl``
                                                records, else the name
==============================================  ==============================  =================================

A subagent's own id has as few as 28 bits and is unique only inside its parent, so the parent is part of the key. The
folder that counts is the one above the *last* ``subagents``: one further up may have that name, too, and says nothing.
Where a folder is no session's (its name is no UUID, as in exports), the records say whose it is, as they do for a file.
"""

from __future__ import annotations

import functools
import pathlib
import re
from typing import NamedTuple

from agentstore.models import RelationshipType

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_AGENT = "agent-"
_FOLDER = "subagents"
LONGEST_ID = 256  # what a record calls a session id may be any text; a longer one is none


class Identity(NamedTuple):
    """Who a session is, whom it comes from, and under which ids earlier versions stored it.

    ``root`` is the session whose folder holds its subagents: with the id of one it makes ``subagent_id``.
    """

    id: str
    parent: str
    relationship: RelationshipType
    root: str
    replaces: tuple[str, ...] = ()


class Named(NamedTuple):
    """What the records say: the first line of a person or the model, and the session that the last one names."""

    session_id: str = ""
    last_session_id: str = ""
    agent_id: str = ""
    uuid: str = ""
    sidechain: bool = False
    forked_from: str = ""


class Place(NamedTuple):
    """What the path of a file says: its stem, and for a subagent the folder of its session ("" in the flat layout)."""

    stem: str
    is_subagent: bool
    session_folder: str
    folders: tuple[str, ...]  # those above the session's folder; for a session's own file, those above the file


@functools.lru_cache(1 << 16)  # a survey asks for each file of a tree several times
def place_of(file: str) -> Place:
    """Read a path, of whatever system; nothing is looked up."""
    path = pathlib.PurePosixPath(file.replace("\\", "/"))
    folders = path.parts[:-1]
    if not path.stem.startswith(_AGENT):
        return Place(path.stem, False, "", folders)
    above, below = _around_subagents(folders)
    if not above or below[:1] not in ((), ("workflows",)):
        return Place(path.stem, True, "", folders)  # the flat layout, somewhere below a folder of that name
    # A subagent that has a folder of its own for its subagents: they belong to the session above all the same.
    while above[-1].startswith(_AGENT) and (further := _around_subagents(above[:-1])[0]):
        above = further
    return Place(path.stem, True, above[-1], above[:-1])


def _around_subagents(folders: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The folders above the last one named ``subagents``, and those below it; nothing above where there is none."""
    if _FOLDER not in folders:
        return (), ()
    last = len(folders) - 1 - folders[::-1].index(_FOLDER)
    return folders[:last], folders[last + 1 :]


def subagent_id(session_id: str, agent_id: str) -> str:
    """The id of a subagent's session; ``agent_id`` as records and file names have it, with "agent-" or without."""
    return f"{session_id}:{_AGENT}{agent_id.removeprefix(_AGENT)}"


def is_session_name(name: str) -> bool:
    """Whether the stem of a file, or the name of a folder, is a session's id."""
    return _UUID.fullmatch(name) is not None


def identity_of(file: str, named: Named) -> Identity:
    """Who the session of this file is; ``file`` may be "" where the name is not known."""
    place = place_of(file)
    inside = _usable(named.session_id)
    named = named._replace(agent_id=_usable(named.agent_id), forked_from=_usable(named.forked_from))
    if place.is_subagent or _is_stray_subagent(place.stem, named):
        return _subagent(place, inside, named)
    own = place.stem
    if not is_session_name(own):
        # The last one: where a session goes on in a new file, that begins with lines that name the old one.
        own = _usable(named.last_session_id) or inside or own or _usable(named.uuid) or "unknown"
    replaces = (place.stem,) if place.stem and place.stem != own else ()
    if named.forked_from and named.forked_from != own:
        return Identity(own, named.forked_from, "fork", own, replaces)
    if inside and inside != own:
        return Identity(own, inside, "continuation", own, replaces)
    return Identity(own, "", "", own, replaces)


def _is_stray_subagent(stem: str, named: Named) -> bool:
    """A subagent's file under another name: the session that its records name is its parent, not itself."""
    return named.sidechain and bool(named.agent_id) and not is_session_name(stem)


def _subagent(place: Place, inside: str, named: Named) -> Identity:
    folder = place.session_folder
    parent = folder if is_session_name(folder) else inside or folder
    agent = f"{_AGENT}{named.agent_id.removeprefix(_AGENT)}" if named.agent_id else ""
    stem = place.stem if place.stem.startswith(_AGENT) else agent or place.stem
    if not parent:  # nothing says whose it is
        return Identity(place.stem or stem, "", "subagent", stem)
    own = subagent_id(parent, stem) if stem.startswith(_AGENT) else f"{parent}:{stem}"
    return Identity(own, parent, "subagent", parent, (place.stem or stem,))


def _usable(session_id: str) -> str:
    return session_id if len(session_id) <= LONGEST_ID else ""


def order_of(file: str) -> tuple[str, str, bool, str]:
    """Sort key of a file: folder, session, whether it is the session itself, path. False sorts first: subagents come
    before their session, so that what is visible is complete."""
    place = place_of(file)
    if place.session_folder:
        return "/".join(place.folders), place.session_folder, False, file
    return "/".join(place.folders), "" if place.is_subagent else place.stem, True, file
