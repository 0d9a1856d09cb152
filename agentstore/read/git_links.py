"""Commits and pull requests, by session and the other way round."""

from __future__ import annotations

import re

from agentstore.connection.sql import Sql, sql
from agentstore.errors import InvalidArgumentError
from agentstore.models import GitLink, GitLinkResult
from agentstore.read.building import build_in_slices
from agentstore.read.conditions import text
from agentstore.read.copies import own_links
from agentstore.read.floors import MARKS, above_floor, above_floors
from agentstore.read.lanes import ReadLanes

_SHA = re.compile(r"[0-9a-fA-F]{4,}")
_LINK_FIELDS = GitLink.__struct_fields__
_RESULT_FIELDS = GitLinkResult.__struct_fields__


class GitLinkReads(ReadLanes):
    """Reads about git links."""

    async def get_session_git_links(self, org_id: str, session_id: str) -> list[GitLink]:
        """The git links of a session by message_ordinal, link_type."""
        columns = await self._open_pool.fetch(
            sql(
                "SELECT session_id, link_type, confidence, org_id, user_id, message_ordinal, commit_sha, pr_url,"
                " toUnixTimestamp64Micro(detected_at)"
                " FROM git_links FINAL WHERE org_id = {org_id} AND session_id = {session_id} AND {seen}"
                " ORDER BY message_ordinal, link_type, commit_sha, pr_url",
                org_id=text(org_id, "org_id"),
                session_id=text(session_id, "session_id"),
                seen=above_floor(org_id, session_id, MARKS),
            )
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
