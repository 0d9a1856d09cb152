"""The meaning of search and of filters, written as plainly as possible: what the fast code is compared with."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from agentstore import Highlight, Message, Session, SessionFilter, ToolCall
from agentstore.read.search.folding import variants
from agentstore.read.sip_hash import sip_hash_128

BEFORE, LENGTH, DOTS = 100, 200, "..."


def positions(text: str, needle: str) -> list[int]:
    """Where the needle stands, in whatever case, from left to right, no two overlapping."""
    equal = [frozenset(variants(character)) for character in needle]
    found: list[int] = []
    for position in range(len(text) - len(needle) + 1):
        if found and position < found[-1] + len(needle):
            continue
        if all(text[position + index] in same for index, same in enumerate(equal)):
            found.append(position)
    return found


def snippet(text: str, needle: str) -> tuple[str, list[Highlight]]:
    """What a hit is shown as. The text contains the needle."""
    hit = positions(text, needle)[0]
    start = max(0, hit - BEFORE)
    end = start + LENGTH
    if end > len(text):
        start, end = max(0, len(text) - LENGTH), len(text)
    lead = DOTS if start > 0 else ""
    trail = DOTS if end < len(text) else ""
    inside = text[start:end]
    marks = [
        Highlight(len(lead) + position, len(lead) + position + len(needle)) for position in positions(inside, needle)
    ]
    return lead + inside + trail, marks


def first_containing(texts: Sequence[str], needle: str) -> str | None:
    """The first of the texts that contains the needle."""
    return next((text for text in texts if positions(text, needle)), None)


def version(message: Message) -> str:
    """The version of a message as it is read: the server hashes hashes where there are several texts."""
    hashes = [_sip_hash_64(text.encode()).to_bytes(8, "little") for text in (message.role, message.content)]
    return f"{_sip_hash_64(b''.join(hashes)):016x}"


def _sip_hash_64(data: bytes) -> int:
    """SipHash's shorter ending is both halves of the longer one, put together."""
    high, low = divmod(sip_hash_128(data), 2**64)
    return high ^ low


def is_subagent(session: Session) -> bool:
    """Whether lists leave it out as the work of another session."""
    return session.relationship_type == "subagent" or (
        session.relationship_type == "" and session.parent_session_id != ""
    )


def owners(
    sessions: dict[str, Session],
    messages: dict[tuple[str, int], Message],
    marked: Collection[str],
    calls: Iterable[ToolCall] = (),
) -> dict[tuple[str, int], str]:
    """Of each message that another session owns, that session.

    Listed ones go before subagents, these before what does not count; those with more output, tool calls and results,
    or text before those with less; originals before forks, earlier before later, and the id decides.
    """
    done = Counter[tuple[str, int]]()
    for call in calls:
        done[call.session_id, call.message_ordinal] += 1 + (call.result_content_length is not None)

    def is_counted(id: str) -> bool:
        one = sessions.get(id)
        if one is None or id in marked:
            return False
        while is_subagent(one):
            if one.parent_session_id not in sessions:
                return False
            one = sessions[one.parent_session_id]
        return one.user_message_count > 0 and one.id not in marked

    def rank(id: str) -> tuple[int, bool, dt.datetime, str]:
        one = sessions.get(id) or Session(id=id, relationship_type="fork", parent_session_id="?")
        linked = one.parent_session_id != "" and not is_subagent(one)
        tier = 2 if not is_counted(id) else int(is_subagent(one))
        return tier, linked, one.started_at or dt.datetime.max.replace(tzinfo=dt.UTC), id

    holders: dict[object, list[tuple[str, int]]] = {}
    for key, message in messages.items():
        if message.source_id:
            holders.setdefault(message.source_id, []).append(key)
    families: dict[str, set[str]] = {}
    for keys in holders.values():
        together = set[str]().union(*(families.get(id, {id}) for id, _ in keys))
        families |= dict.fromkeys(together, together)
    for key, message in messages.items():
        if message.role != "assistant" and message.timestamp is not None and message.content_length:
            if message.output_tokens:
                continue
            family = min(families.get(key[0], {key[0]}))
            same = (family, message.role, message.timestamp, message.content_length)
            holders.setdefault(same, []).append(key)
    found: dict[tuple[str, int], str] = {}
    for identity, keys in holders.items():

        def best(key: tuple[str, int], by_text: bool = isinstance(identity, tuple)) -> tuple[object, ...]:
            size = (
                (0, 0, 0)
                if by_text
                else (
                    -messages[key].output_tokens,
                    -done[key],
                    -messages[key].content_length,
                )
            )
            return rank(key[0])[0], *size, *rank(key[0])

        owner = min(keys, key=best)[0]
        for key in keys:
            if key[0] != owner:
                found.setdefault(key, owner)
    return found


EXACT = ("user_id", "project_id", "project_name", "agent_type", "parent_session_id", "git_branch", "project_path")


def matches(session: Session, filter: SessionFilter, *, starred_by: set[str], commits: int, marked: bool) -> bool:
    """Whether a list with this filter shows a session that these users starred and that has so many git links."""
    return (
        session.user_message_count > 0
        and (filter.include_subagents or not is_subagent(session))
        and (filter.include_deleted or not marked)
        and all(getattr(filter, name) in ("", getattr(session, name)) for name in EXACT)
        and session.id.startswith(filter.id_prefix)
        and (not filter.title or any(positions(text, filter.title) for text in titles(session)))
        and (not filter.starred_by or filter.starred_by in starred_by)
        and (not filter.with_commits or commits > 0)
        and _within(session, filter)
    )


def titles(session: Session) -> tuple[str, str]:
    """Where ``title`` is looked for."""
    return session.display_name, session.first_message


def _within(session: Session, filter: SessionFilter) -> bool:
    spans = [(filter.date_from, filter.date_to), (filter.active_from, filter.active_to)]
    if not any(bound for span in spans for bound in span):
        return True
    if session.started_at is None:
        return False
    ended_at = max(session.started_at, session.ended_at or session.started_at)
    moments = [(session.started_at, session.started_at), (session.started_at, ended_at)]
    return all(
        _first(span[0]) <= _last(span[1]) and begin <= _last(span[1]) and end >= _first(span[0])
        for span, (begin, end) in zip(spans, moments, strict=True)
    )


def _first(value: dt.date | dt.datetime | None) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    return dt.datetime.combine(value or dt.date.min, dt.time.min, dt.UTC)


def _last(value: dt.date | dt.datetime | None) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    return dt.datetime.combine(value or dt.date.max, dt.time.max, dt.UTC)
