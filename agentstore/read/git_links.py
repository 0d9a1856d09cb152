"""Commits and pull requests, by session and the other way round."""

from __future__ import annotations

import re

from agentstore.connection.sql import Sql, join, sql
from agentstore.errors import InvalidArgumentError
from agentstore.models import GitLink, GitLinkEntry, GitLinkPage, GitLinkResult, SessionFilter
from agentstore.protocols import Columns, Executor
from agentstore.read.beside import TOLD, told_of_sessions
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import FILLED, page_limit, text
from agentstore.read.copies import own_links
from agentstore.read.cursor import LinkCursor, decode_link_cursor, encode_search_cursor
from agentstore.read.floors import MARKS, above_floor, above_floors
from agentstore.read.lanes import ReadLanes
from agentstore.read.session_filter import matching
from agentstore.read.threads import ONE_THREAD

_SHA = re.compile(r"[0-9a-fA-F]{4,}")
_LINK_FIELDS = GitLink.__struct_fields__
_RESULT_FIELDS = GitLinkResult.__struct_fields__
_ENTRY_FIELDS = GitLinkEntry.__struct_fields__
_LONG_AGO = -(2**62)  # of a link without a time: the last of all


class GitLinkReads(ReadLanes):
    """Reads about git links."""

    async def get_session_git_links(self, org_id: str, session_id: str) -> list[GitLink]:
        """The git links of a session by message_ordinal, link_type."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT session_id, link_type, confidence, org_id, user_id, message_ordinal, commit_sha, pr_url,"
                " toUnixTimestamp64Micro(detected_at)"
                " FROM git_links FINAL PREWHERE org_id = {org_id} AND session_id = {session_id} WHERE {seen}"
                " ORDER BY message_ordinal, link_type, commit_sha, pr_url",
                org_id=text(org_id, "org_id"),
                session_id=text(session_id, "session_id"),
                seen=above_floor(org_id, session_id, MARKS),
            ),
            ONE_THREAD,
        )
        return await build_in_slices(GitLink, columns, time_columns=[_LINK_FIELDS.index("detected_at")])

    async def lookup_git_links(self, org_id: str, *, sha: str = "", pr_url: str = "") -> list[GitLinkResult]:
        """Links by SHA prefix (4 or more hex digits, any case, also longer than stored) or else by exact PR URL.

        What a fork or a resume copied is told once, for the session that it belongs to.
        """
        columns = await self._open_pool.fetch(
            sql(
                "SELECT l.session_id, if(s.user_id = '', l.user_id, s.user_id), s.user_name, s.project_id,"
                " s.project_name, toString(s.agent_type), s.started, s.first_message, l.commit_sha, l.pr_url,"
                " toString(l.link_type), toString(l.confidence), l.message_ordinal"
                " FROM (SELECT * FROM git_links FINAL WHERE org_id = {org_id} AND {match} AND {seen} AND {own}) AS l"
                " LEFT JOIN (SELECT id, user_id, user_name, project_id, project_name, agent_type, first_message,"
                " toUnixTimestamp64Micro(started_at) AS started FROM sessions FINAL WHERE org_id = {org_id}"
                " AND id IN (SELECT session_id FROM git_links FINAL WHERE org_id = {org_id} AND {match})) AS s"
                " ON s.id = l.session_id"
                " WHERE l.session_id NOT IN (SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id})"
                " ORDER BY l.detected_at DESC NULLS LAST, l.session_id DESC, l.message_ordinal, l.commit_sha, l.pr_url",
                org_id=text(org_id, "org_id"),
                match=_match(text(sha, "sha"), text(pr_url, "pr_url")),
                seen=above_floors(org_id, MARKS),
                own=own_links(org_id),
            )
        )
        return await build_in_slices(GitLinkResult, columns, time_columns=[_RESULT_FIELDS.index("started_at")])

    async def list_git_links(
        self, org_id: str, filter: SessionFilter | None = None, *, limit: int = 100, cursor: str = ""
    ) -> GitLinkPage:
        """The latest links of an organisation with their sessions, newest first; a page of at most ``limit``.

        A link is as old as its ``detected_at``, or where it has none as its session's ``started_at``; those without
        either come last. With a ``filter`` only those of the sessions that match, whatever its limit and cursor.
        Sessions that are deleted are left out, subagents are not unless the filter leaves them out, and what a fork or
        a resume copied is told once, for the session that it belongs to.
        """
        pool, organisation = self._open_pool, text(org_id, "org_id")
        conditions = [
            sql("org_id = {org_id}", org_id=organisation),
            above_floors(organisation, MARKS),
            own_links(organisation),
            sql("session_id NOT IN (SELECT session_id FROM session_deletes FINAL WHERE org_id = {o})", o=organisation),
        ]
        if filter is not None:
            conditions.append(sql("session_id IN (SELECT id FROM ({it}))", it=matching(organisation, filter)))
        page = page_limit(limit)
        columns = await pool.fetch(
            sql(
                "SELECT session_id, user_id, commit_sha, pr_url, toString(link_type), toString(confidence),"
                " message_ordinal, toUnixTimestamp64Micro(started_at), toUnixTimestamp64Micro(detected_at),"
                " toUnixTimestamp64Micro(ifNull(detected_at, started_at)) AS made"
                " FROM (SELECT * FROM git_links FINAL WHERE {conditions}) AS l LEFT ANY JOIN ("
                "SELECT id, started_at FROM session_facts FINAL WHERE org_id = {org_id} AND {filled}) AS s"
                " ON s.id = l.session_id WHERE {after} ORDER BY made DESC NULLS LAST, session_id DESC,"
                " message_ordinal DESC, commit_sha DESC, pr_url DESC LIMIT {limit}",
                conditions=join(" AND ", conditions),
                org_id=organisation,
                filled=FILLED,
                after=_after(text(cursor, "cursor")),
                limit=page + 1,
            )
        )
        return await _page(pool, organisation, columns, page)


def _after(cursor: str) -> Sql:
    if not cursor:
        return sql("1")
    last = decode_link_cursor(cursor)
    # As numbers: with one that is missing no two tuples could be compared.
    return sql(
        "(ifNull(made, {never}), session_id, message_ordinal, commit_sha, pr_url)"
        " < ({moment}, {session_id}, {ordinal}, {commit_sha}, {pr_url})",
        never=_LONG_AGO,
        moment=_LONG_AGO if last.moment is None else last.moment,
        session_id=last.session_id,
        ordinal=last.ordinal,
        commit_sha=last.commit_sha,
        pr_url=last.pr_url,
    )


async def _page(executor: Executor, org_id: str, columns: Columns, limit: int) -> GitLinkPage:
    """The page, with what its sessions are."""
    if not columns:
        return GitLinkPage()
    has_more = len(columns[0]) > limit
    *rest, made = (column[:limit] for column in columns)
    ids, users, shas, urls, types, confidences, ordinals, started, detected = rest
    told = dict(zip(TOLD, zip(*await told_of_sessions(executor, org_id, ids), strict=True), strict=True))
    users = tuple(of_session or own for of_session, own in zip(told["user_id"], users, strict=True))
    entries = await build_in_slices(
        GitLinkEntry,
        [ids, users, *(told[name] for name in ("user_name", "project_id", "project_name", "agent_type")), started,
         told["first_message"], shas, urls, types, confidences, ordinals, detected, told["display_name"]],
        time_columns=[_ENTRY_FIELDS.index("started_at"), _ENTRY_FIELDS.index("detected_at")],
    )  # fmt: skip
    if not has_more:
        return GitLinkPage(entries)
    last = LinkCursor(made[-1], ids[-1], ordinals[-1], shas[-1], urls[-1])
    return GitLinkPage(entries, encode_search_cursor(last))


def _match(sha: str, pr_url: str) -> Sql:
    if sha:
        if not _SHA.fullmatch(sha):
            raise InvalidArgumentError(f"sha: {sha!r} is not 4 or more hexadecimal digits", field="sha")
        # Both ways: a full SHA also finds a link that was stored with the short one. Links of pull requests have no
        # SHA, and every SHA starts with "": without the length each of them would be found.
        return sql(
            "length(commit_sha) >= 4"
            " AND (startsWith(lower(commit_sha), {sha}) OR startsWith({sha}, lower(commit_sha)))",
            sha=sha.lower(),
        )
    if pr_url:
        return sql("pr_url = {pr_url}", pr_url=pr_url)
    raise InvalidArgumentError("sha or pr_url is required", field="sha")
