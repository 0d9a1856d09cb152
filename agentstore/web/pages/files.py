"""A file or a folder, and the sessions that touched it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from litestar import Request, Response, get

from agentstore.errors import InvalidArgumentError
from agentstore.integrations.running import while_connected
from agentstore.models import FileHistory, FileHistoryEntry, FileOperation, ProjectInfo
from agentstore.store import AsyncClickHouseStore
from agentstore.web.handling import AskedFor, Choices_, Store, Text, Who
from agentstore.web.links import FILES, with_query
from agentstore.web.templating import page

PAGE = 200
_LONGEST = 4096
# Of so many kinds of touches and numbers of messages the rest is in the session.
_MOST_LINES = 8
_MOST_LINKS = 12
_SHORTER = 3

# What a filter offers, and the operations that it means.
DID: dict[str, tuple[str, tuple[FileOperation, ...]]] = {
    "": ("Anything", ()),
    "changed": ("Changed it", ("write", "edit", "delete", "move")),
    "read": ("Read it", ("read",)),
}
_PAST = {"read": "read", "write": "wrote", "edit": "edited", "delete": "deleted", "move": "moved"}


class Placed(NamedTuple):
    """A path as history has it, and the project that it is in; "" is any."""

    path: str
    project_id: str = ""


@dataclass
class Did:
    """One thing that was done with one file, and where in the session."""

    verb: str
    path: str
    moved: str
    touches: list[FileHistoryEntry] = field(default_factory=list)

    @property
    def shown(self) -> list[FileHistoryEntry]:
        """In the order of the session."""
        return sorted(self.touches, key=lambda one: one.message_ordinal)[:_MOST_LINKS]

    @property
    def more(self) -> int:
        """How many are not shown."""
        return len(self.touches) - len(self.shown)


@dataclass
class Touched:
    """What one session did; ``latest`` is the newest of its touches."""

    latest: FileHistoryEntry
    did: dict[tuple[str, str, str], Did] = field(default_factory=dict)

    def add(self, touch: FileHistoryEntry) -> None:
        """One touch more."""
        moved = f"from {touch.moved_from}" if touch.moved_from else f"to {touch.moved_to}" if touch.moved_to else ""
        verb = _PAST.get(touch.operation, touch.operation)
        key = verb, touch.path, moved
        self.did.setdefault(key, Did(*key)).touches.append(touch)

    @property
    def lines(self) -> list[Did]:
        """What it did most comes first where it did much."""
        return list(self.did.values())[:_MOST_LINES]

    @property
    def more(self) -> int:
        """How many lines are not shown."""
        return max(0, len(self.did) - _MOST_LINES)


@get(FILES)
async def files(
    request: Request[Any, Any, Any],
    store: Store,
    viewer: Who,
    choices: Choices_,
    asked: AskedFor,
    path: Text = "",
    did: Text = "",
    cursor: Text = "",
) -> Response[str]:
    """The sessions that touched what was pasted, the latest first."""
    known = await choices.of(viewer.org)
    if did not in DID:
        raise InvalidArgumentError(f"did: expected one of {', '.join(filter(None, DID))}", field="did")
    named = path.strip()
    wrong = f"This is longer than {_LONGEST} characters." if len(named) > _LONGEST else ""
    placed = placed_in(named, asked.project, known.projects) if not wrong else Placed("")
    found = FileHistory()
    if not wrong and (placed.path or placed.project_id):
        placed, found = await while_connected(request.receive, _history(store, viewer.org, placed, DID[did][1], cursor))
    return page(
        "files.html",
        request,
        status=400 if wrong else 200,
        choices=known,
        project=asked.project,
        named=named,
        did=did,
        kinds=[(key, text) for key, (text, _) in DID.items() if key],
        wrong=wrong,
        placed=placed,
        touched=by_session(found.touches),
        shorter=[] if found.touches else shorter(placed.path),
        again=lambda **changed: with_query(FILES, {"path": named, "project": asked.project, "did": did, **changed}),
        cursor=cursor,
        next_cursor=found.next_cursor,
    )


async def _history(
    store: AsyncClickHouseStore, org: str, placed: Placed, did: Iterable[FileOperation], cursor: str
) -> tuple[Placed, FileHistory]:
    """What happened to it. What is no file in the history may be a folder, whose "/" nobody has typed."""

    async def of(path: str) -> FileHistory:
        return await store.file_history(
            org, path, project_id=placed.project_id, operations=did, limit=PAGE, cursor=cursor
        )

    found = await of(placed.path)
    if found.touches or not placed.path or placed.path.endswith("/"):
        return placed, found
    below = await of(f"{placed.path}/")
    return (placed._replace(path=f"{placed.path}/"), below) if below.touches else (placed, found)


def placed_in(named: str, project: str, projects: Sequence[ProjectInfo]) -> Placed:
    """What a typed path is called in the history: relative to the project whose directory it is in.

    Only what the history knows of directories is used: the pages may run on another machine than the files are on.
    """
    if not named:
        return Placed("", project)
    is_folder = named.endswith(("/", "/.", "/..")) or named in (".", "..")
    path = posixpath.normpath(named)
    # Two slashes at the beginning are kept by it, and mean one.
    path = "/" + path.lstrip("/") if path.startswith("/") else path
    if path.startswith("/"):
        inside = [one for one in projects if one.path.startswith("/") and _is_in(path, one.path)]
        best = max(inside, key=lambda one: len(one.path), default=None)
        if best is not None:
            rest = path[len(best.path.rstrip("/")) :].strip("/")
            return Placed(f"{rest}/" if rest and is_folder else rest, project or best.id)
    if path == ".":
        return Placed("", project)
    return Placed(f"{path}/" if is_folder and path != "/" else path, project)


def _is_in(path: str, folder: str) -> bool:
    top = folder.rstrip("/")
    return bool(top) and (path == top or path.startswith(top + "/"))


def shorter(path: str) -> list[str]:
    """The ends of a path that nothing is known of: somebody may have had it from further above."""
    pieces = path.strip("/").split("/")
    ends = ["/".join(pieces[at:]) for at in range(1, len(pieces))]
    return [f"{end}/" if path.endswith("/") else end for end in ends[-_SHORTER:]]


def by_session(touches: Sequence[FileHistoryEntry]) -> list[Touched]:
    """The touches of each session together, the session of the newest first."""
    found: dict[str, Touched] = {}
    for touch in touches:
        found.setdefault(touch.session_id, Touched(touch)).add(touch)
    return list(found.values())
