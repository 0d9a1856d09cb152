"""The lines around a hit, from the message or the tool call that it is in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentstore.cli.terminal.screen import Piece

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, SearchQuery, SearchResult

_APART = (Piece("--", "dim"),)
_PHRASES = re.compile(r'"([^"]*)"?|(\S+)')


async def lines_around(
    store: AsyncClickHouseStore, org: str, hit: SearchResult, query: SearchQuery, count: int
) -> list[tuple[Piece, ...]]:
    """So many lines before and after each line with a hit, and a mark between stretches that are apart, as grep does.

    What the store finds by folding in a way that is not ours (a Turkish ``İ``) is shown by its snippet.
    """
    needles = needles_of(query)
    texts = await _texts(store, org, hit, query)
    found = [line for text in texts for line in stretches(text, needles, count)]
    return (found[1:] if found and found[0] == _APART else found) or [(Piece(hit.snippet),)]


async def _texts(store: AsyncClickHouseStore, org: str, hit: SearchResult, query: SearchQuery) -> list[str]:
    if hit.role != "tool":
        after = hit.ordinal - 1 if hit.ordinal else None
        return [
            one.content for one in await store.get_session_messages(org, hit.session_id, after_ordinal=after, limit=1)
        ]
    after_call = (hit.ordinal - 1, "\U0010ffff", 0) if hit.ordinal else None
    calls = await store.get_session_tool_calls(org, hit.session_id, after=after_call, limit=200)
    of_message = [one for one in calls if one.message_ordinal == hit.ordinal]
    named = [one for one in of_message if query.tool_name in ("", one.tool_name)]
    return [text for one in named for text in (one.input_json, one.result_content)]


def needles_of(query: SearchQuery) -> re.Pattern[str]:
    """What to mark: the query, or each of its words and phrases."""
    if query.mode != "words":
        texts = [query.query]
    else:
        texts = [phrase or word for phrase, word in _PHRASES.findall(query.query)]
    return re.compile("|".join(re.escape(text) for text in texts if text) or "(?!)", re.IGNORECASE)


def stretches(text: str, needles: re.Pattern[str], count: int) -> Iterator[tuple[Piece, ...]]:
    """The lines of a text that are within ``count`` of one that holds a needle, with a mark before each stretch."""
    lines = text.split("\n")
    wanted: set[int] = set()
    for number, line in enumerate(lines):
        if needles.search(line):
            wanted.update(range(max(0, number - count), min(len(lines), number + count + 1)))
    for number in sorted(wanted):
        if number - 1 not in wanted:
            yield _APART
        yield tuple(_marked(lines[number].rstrip("\r"), needles))


def _marked(line: str, needles: re.Pattern[str]) -> Iterator[Piece]:
    position = 0
    for found in needles.finditer(line):
        yield Piece(line[position : found.start()])
        yield Piece(found.group(), "mark")
        position = found.end()
    yield Piece(line[position:])
