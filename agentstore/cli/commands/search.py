"""``agentstore search``: where something was said or done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, NOTHING, CommandError, NothingFound
from agentstore.cli.options import Common, Scope, Shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from agentstore import SearchPage, SearchQuery, SearchResult
    from agentstore.cli.opening import Opened
    from agentstore.cli.terminal.screen import Piece

_LARGEST_PAGE = 1000
_INDENT = "  "


def search(
    *text: Annotated[str, Parameter(help="what to look for, in any case")],
    words: Annotated[bool, Parameter(name=("--words", "-w"), help='all words and "phrases", the best first')] = False,
    context: Annotated[int, Parameter(name=("--context", "-C"), help="so many lines before and after a hit")] = 0,
    role: Annotated[str, Parameter(help="only what this role said: user, assistant, tool")] = "",
    tool: Annotated[str, Parameter(help="only calls of this tool")] = "",
    session: Annotated[str, Parameter(name=("--session", "-s"), help="only in this session")] = "",
    limit: Annotated[int, Parameter(name=("--limit", "-n"), help="at most so many hits; 0: all")] = 50,
    scope: Scope = Scope(),
    shown: Shown = Shown(),
    common: Common = Common(),
) -> int:
    """Search what was said and what tools were given and gave back, grouped by session."""
    from agentstore.cli.opening import run

    wanted = " ".join(text)
    if not wanted.strip():
        raise CommandError("there is nothing to search for", hint="agentstore search TEXT")
    if limit < 0 or context < 0:
        raise CommandError("--limit and --context are not less than 0")

    async def searched(opened: Opened) -> int:
        from agentstore import SearchQuery
        from agentstore.cli.filtering import scope_wanted
        from agentstore.cli.resolving import session_of

        query = SearchQuery(
            query=wanted,
            mode="words" if words else "substring",
            role=role,
            tool_name=tool,
            session_id=(await session_of(opened.store, opened.org, session)).id if session else "",
            limit=min(limit or _LARGEST_PAGE, _LARGEST_PAGE),
            **await scope_wanted(opened, scope),
        )
        if shown.json:
            return await _json(opened, query, limit)
        return await _text(opened, query, limit, context)

    return run(searched, common, shown, pages=True)


async def _pages(
    opened: Opened, query: SearchQuery, limit: int
) -> AsyncIterator[tuple[SearchPage, list[SearchResult]]]:
    """The pages, and what of each is within the limit."""
    from msgspec.structs import replace

    left = limit or None
    while True:
        page = await opened.store.search(opened.org, query)
        yield page, page.results[:left]
        left = left - len(page.results) if left is not None else None
        if not page.next_cursor or (left is not None and left <= 0):
            return
        query = replace(query, cursor=page.next_cursor)


async def _json(opened: Opened, query: SearchQuery, limit: int) -> int:
    from agentstore.cli.terminal.jsons import print_json

    found = NOTHING
    async for _, results in _pages(opened, query, limit):
        for result in results:
            print_json(opened.screen, result)
            found = FOUND
    return found


async def _text(opened: Opened, query: SearchQuery, limit: int, context: int) -> int:
    from agentstore.faces.money import count

    hits: list[SearchResult] = []
    total = 0
    at_least = ""
    async for page, results in _pages(opened, query, limit):
        hits += results
        total = page.total
        at_least = "at least " if page.total_is_lower_bound else ""
    if not hits:
        raise NothingFound(f"nothing holds {query.query!r}", hint="agentstore search --words finds words in any order")
    sessions: dict[str, list[SearchResult]] = {}
    for hit in hits:
        sessions.setdefault(hit.session_id, []).append(hit)
    await _show_sessions(opened, sessions, query, context)
    opened.screen.line()
    more = f", {count(len(hits))} shown: --limit 0 shows all" if total > len(hits) else ""
    opened.screen.fold(f"{at_least}{count(total)} {'hit' if total == 1 else 'hits'}{more}", style="dim")
    return FOUND


async def _show_sessions(
    opened: Opened, sessions: dict[str, list[SearchResult]], query: SearchQuery, context: int
) -> None:
    from agentstore.cli.resolving import short_ids
    from agentstore.cli.surroundings import lines_around
    from agentstore.cli.terminal.screen import Piece
    from agentstore.cli.terminal.width import cut, width
    from agentstore.faces import safe
    from agentstore.faces.times import moment

    screen, ids = opened.screen, short_ids(sessions)
    for position, (id, hits) in enumerate(sessions.items()):
        if position:
            screen.line()
        first = hits[0]
        zone = opened.zone.key.removeprefix("Etc/")
        when = f"{moment(first.started_at, opened.zone)} {zone}" if first.started_at else ""
        about = [when, first.project_name, first.user_name or first.user_id, first.agent_type]
        title = cut(safe.line(first.first_message.strip()), screen.width - width(ids[id]) - len(_INDENT))
        screen.line(Piece(ids[id], "yellow"), _INDENT, Piece(title, "bold"))
        screen.fold(" · ".join(filter(None, about)), indent=_INDENT, style="dim")
        for hit in hits:
            label = Piece(f"#{hit.ordinal} {hit.role}  ", "cyan")
            if not context:
                screen.fold(label, *_marked(hit), indent=_INDENT)
                continue
            screen.line(_INDENT, label)
            for line in await lines_around(opened.store, opened.org, hit, query, context):
                screen.fold(*line, indent=_INDENT * 2)


def _marked(hit: SearchResult) -> Sequence[Piece]:
    """The snippet with its hits marked."""
    from agentstore.cli.terminal.screen import Piece

    found, position = [], 0
    for mark in hit.highlights:
        found += [Piece(hit.snippet[position : mark.start]), Piece(hit.snippet[mark.start : mark.end], "mark")]
        position = mark.end
    return [*found, Piece(hit.snippet[position:])]
