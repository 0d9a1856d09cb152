"""``sessions``, ``file_history`` and ``commit``: which sessions, as handles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from agentstore.errors import InvalidArgumentError
from agentstore.faces.addresses import is_sha, name_of, plain_request
from agentstore.faces.money import count
from agentstore.faces.times import moment, span
from agentstore.faces.titles import title_of
from agentstore.mcp.asking import Commit, FileHistory, Sessions, limited
from agentstore.mcp.handles import of_session, version_at
from agentstore.mcp.quoting import ABOUT, Quotation, answer, cut
from agentstore.mcp.scope import Pointing, dates, path_here, pointing, scope_of

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, FileHistoryEntry
    from agentstore.mcp.holding import Holder

_TITLE = 80
_TOUCHES = 500
UTC = ZoneInfo("UTC")


async def sessions(holder: Holder, asked: Sessions) -> str:
    """The latest sessions."""
    from agentstore import SessionFilter

    store = await holder.store()
    scope = await scope_of(holder, store, asked.project)
    found = dates(holder, asked.since, asked.until)
    page = await store.list_sessions(
        holder.org,
        SessionFilter(
            title=asked.title,
            active_from=found["date_from"],
            active_to=found["date_to"],
            limit=limited(asked.limit, "limit", 1, 50),
            cursor=asked.cursor,
            **scope.fields,
        ),
    )
    if not page.sessions:
        return f"No session in {scope.name}.{scope.widening}"
    quotation = Quotation()
    for one in page.sessions:
        commits = f", {one.commit_count} commits" if one.commit_count else ""
        took = span(one.started_at, one.ended_at)
        about = f"{cut(one.agent_type, 20)}, {one.message_count} messages{commits}{', ' + took if took else ''}"
        quotation.own(f"{of_session(one.id)} {moment(one.started_at, UTC)} {about}")
        project = f"{one.project_name}: " if not scope.fields else ""
        quotation.quoted_line(f"{project}{title_of(one)}", _TITLE)
    shown = f"{len(page.sessions)} of {count(page.total)} sessions in {scope.name}, latest first, UTC. {ABOUT}"
    more = f'More: cursor="{page.next_cursor}".' if page.next_cursor else ""
    return answer(shown, quotation, f"{more}{scope.widening}".strip())


async def file_history(holder: Holder, asked: FileHistory) -> str:
    """What was done with a file, a line for each session."""
    store = await holder.store()
    scope = await scope_of(holder, store, asked.project)
    limit = limited(asked.limit, "limit", 1, 50)
    path = path_here(asked.path, holder.here) if scope.is_default else asked.path
    page = await store.file_history(
        holder.org,
        path,
        project_id=scope.fields.get("project_id", ""),
        operations=asked.did,
        limit=_TOUCHES,
        cursor=asked.cursor,
        versions=limit,
    )
    named = scope.fields.get("project_name", "")
    touched: dict[str, list[FileHistoryEntry]] = {}
    for touch in page.touches:
        if named in ("", touch.project_name):
            touched.setdefault(touch.session_id, []).append(touch)
    if not touched:
        return f"No session touched that path in {scope.name}; paths are as from the top of it.{scope.widening}"
    shown = list(touched.values())[:limit]
    # The last of what changed it says the most: where it was only read, the last reading does.
    last = [next((one for one in touches if one.operation != "read"), touches[0]) for touches in shown]
    handles = await _of_touches(holder, store, last)
    quotation = Quotation()
    for one, touches in zip(last, shown, strict=True):
        did = ", ".join(f"{number}×{name}" for name, number in Counter(each.operation for each in touches).items())
        paths = {each.path for each in touches}
        files = f" in {len(paths)} files" if len(paths) > 1 else ""
        place = handles.at(one.session_id, one.message_ordinal)
        quotation.own(f"{place} {moment(one.touched_at, UTC)} {did}{files}, last {one.operation} here")
        moved = f"[{one.moved_from or one.path} → {one.moved_to or one.path}] " if one.operation == "move" else ""
        quotation.quoted_line(f"{moved}{title_of(one)}", _TITLE)
    left = len(touched) - len(shown)
    notes = [f"{left} more sessions: limit={min(50, len(touched))}." if left else ""]
    notes.append(f'Older: cursor="{page.next_cursor}".' if page.next_cursor else "")
    about = f"{len(shown)} sessions, latest first, UTC; handles are of the last change. {ABOUT}"
    return answer(about, quotation, " ".join(filter(None, [*notes, scope.widening.strip()])))


async def _of_touches(holder: Holder, store: AsyncClickHouseStore, touches: list[FileHistoryEntry]) -> Pointing:
    """Handles of their messages. Most versions have come with them: not those of sessions behind another project's."""
    known = [version_at(one.session_id, one.message_ordinal, one) for one in touches]
    others = [(one.session_id, one.message_ordinal) for one, told in zip(touches, known, strict=True) if told is None]
    return Pointing([*filter(None, known), *(await store.message_versions(holder.org, others))])


async def commit(holder: Holder, asked: Commit) -> str:
    """The sessions that made a commit or a pull request."""
    what = asked.commit.strip()
    store = await holder.store()
    if is_sha(what):
        found = await store.lookup_git_links(holder.org, sha=what)
    elif "://" in what:
        found = await store.lookup_git_links(holder.org, pr_url=what)
        if not found and plain_request(what):
            found = await store.lookup_git_links(holder.org, pr_url=plain_request(what))
    else:
        raise InvalidArgumentError("commit: a SHA of 4 or more digits, or the URL of a pull request", field="commit")
    if not found:
        return "No session is linked to that. blame tells who wrote a line, search(tool=…) finds git's own output."
    handles = await pointing(holder, store, [(one.session_id, one.message_ordinal) for one in found[:10]])
    quotation = Quotation()
    for one in found[:10]:
        place = handles.at(one.session_id, one.message_ordinal)
        quotation.own(f"{place} {moment(one.started_at, UTC)} {one.link_type}, confidence {one.confidence}")
        quotation.quoted_line(f"{name_of(one)} {one.project_name}: {cut(one.first_message.strip(), _TITLE)}")
    left = f"{len(found) - 10} more links: give more of the SHA." if len(found) > 10 else ""
    return answer(
        f"{len(found)} links; session start, UTC; handles are of the call that made it. {ABOUT}", quotation, left
    )
