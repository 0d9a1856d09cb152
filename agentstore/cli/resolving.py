"""What users name in short: the beginning of an id, the repository they stand in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from agentstore.cli.failing import CommandError, NothingFound
from agentstore.faces.repositories import project_at
from agentstore.faces.titles import title_of

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, Session, SessionPage
    from agentstore.cli.opening import Opened

_CANDIDATES = 10
_LOOKED_AT = 1000
_TITLE = 60
_SHORTEST_ID = 8
_SHORTEST_TAIL = 9
# Agents whose sessions have their name in front of the agent's own id.
_IN_FRONT = frozenset(
    [
        "antigravity",
        "antigravity-cli",
        "codex",
        "copilot",
        "cursor",
        "gemini",
        "icodemate",
        "kilo",
        "mimocode",
        "mini-swe-agent",
        "omp",
        "openclaw",
        "opencode",
        "pi",
        "prime-agent",
        "qclaw",
        "swe-agent",
        "vscode-copilot",
    ]
)


async def session_of(store: AsyncClickHouseStore, org: str, prefix: str, *, deleted: bool = True) -> Session:
    """The one session whose id begins so, or is just this; deleted ones are found, too.

    The name of the agent in front of an id (``codex:``) may be left out. Where all others are its subagents, whose ids
    begin with its own, it is the session itself; a subagent is also known by the beginnings of both
    (``0b6e2f4a:7c1``). None is ``NothingFound``; several are a ``CommandError`` that lists them.
    """
    from agentstore import NotFoundError

    if not prefix.strip():
        raise CommandError("the id of a session is empty", hint="agentstore sessions")
    try:
        return await store.get_session(org, prefix)
    except NotFoundError:
        pass
    begins = [prefix]
    if ":" not in prefix:
        begins += [f"{agent}:{prefix}" for agent in await store.list_agents(org) if agent in _IN_FRONT]
    pages = [await _beginning_with(store, org, one, deleted) for one in begins]
    head, colon, tail = prefix.partition(":")
    if not pages[0].sessions and head and colon:
        parent = await session_of(store, org, head, deleted=deleted)
        pages = [await _beginning_with(store, org, f"{parent.id}:{tail}", deleted)]
    sessions = list({session.id: session for page in pages for session in page.sessions}.values())
    # "c" is the beginning of "codex:c1" in two ways.
    twice = sum(len(page.sessions) for page in pages) - len(sessions)
    total = sum(page.total for page in pages) - twice
    if not sessions:
        raise NothingFound(f"no session begins with {prefix!r} in the organisation {org!r}", hint="agentstore sessions")
    shortest = min(sessions, key=lambda session: len(session.id))
    own = await _beginning_with(store, org, f"{shortest.id}:", deleted) if total > 1 else None
    if total == 1 or (own is not None and own.total == total - 1):
        return shortest
    shown = [f"{session.id}  {title_of(session)[:_TITLE]}" for session in sessions[:_CANDIDATES]]
    if total > _CANDIDATES:
        shown.append(f"… and {total - _CANDIDATES} more")
    raise CommandError(f"{prefix!r} is the beginning of {total} ids", hint="one of:", candidates=shown)


async def _beginning_with(store: AsyncClickHouseStore, org: str, prefix: str, deleted: bool) -> SessionPage:
    from agentstore import SessionFilter

    wanted = SessionFilter(id_prefix=prefix, include_subagents=True, include_deleted=deleted, limit=_LOOKED_AT)
    return await store.list_sessions(org, wanted)


async def titles_of(opened: Opened, ids: Iterable[str]) -> dict[str, str]:
    """What these sessions are about, by their ids; of one that is gone nothing."""
    return {session.id: title_of(session) for session in await opened.store.get_sessions(opened.org, ids)}


async def project_known(store: AsyncClickHouseStore, org: str, named: str) -> dict[str, Any]:
    """The fields of a filter that ``--project`` stands for: a name, or with a path (``.``) the repository there.

    Worktrees and clones are the repository they are of, as importing decides it. What was imported before the
    repository had this remote, or where the remote was not known, is found by its path.
    """
    if not named:
        return {}
    if not _is_path(named):
        return {"project_name": named}
    return {"project_id": await project_at(store, org, named)}


def _is_path(named: str) -> bool:
    return named in (".", "..") or "/" in named or os.sep in named


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """What tells each id from all the others, and what ``session_of`` takes: its beginning, without the agent's name;
    of a subagent both's."""
    by_head: dict[str, dict[str, str]] = {}
    for id in sorted(set(ids)):
        agent, _, rest = id.partition(":")
        head, _, tail = (rest if agent in _IN_FRONT and rest else id).partition(":")
        if tail in by_head.get(head, {}):  # two agents have this one: only the whole tells them apart
            head, tail = id, ""
        by_head.setdefault(head, {})[tail] = id
    heads = _shortest(sorted(by_head), _SHORTEST_ID)
    found = {}
    for head, tails in by_head.items():
        short = _shortest(sorted(tail for tail in tails if tail), _SHORTEST_TAIL)
        for tail, id in tails.items():
            found[id] = f"{heads[head]}:{short[tail]}" if tail else heads[head]
    return found


def _shortest(ordered: list[str], least: int) -> dict[str, str]:
    """The shortest beginning of each, of ``least`` characters or more, that its neighbours in the order do not have."""
    found = {}
    for at, one in enumerate(ordered):
        neighbours = [*ordered[max(0, at - 1) : at], *ordered[at + 1 : at + 2]]
        length = max([least, *(_common(one, other) + 1 for other in neighbours)])
        found[one] = one[:length]
    return found


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    for length, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return length
    return min(len(one), len(other))
